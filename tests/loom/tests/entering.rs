//! The models of entries that come: what they are about is said where they are.

macro_rules! tests {
    ($($name:ident)*) => { $(
        #[test]
        fn $name() {
            loom_models::entering::$name();
        }
    )* };
}

tests! {
    an_entry_that_comes_is_not_that_of_the_next_vni
    a_vni_has_no_more_entries_than_its_limit
    an_entry_of_a_vni_that_came_and_went_is_not_that_of_the_next
    planted_lock_taken_out_of_order
    planted_counts_of_a_vni_taken_out_of_order
}
