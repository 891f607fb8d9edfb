//! The models of lookups: what they are about is said where they are.

macro_rules! tests {
    ($($name:ident)*) => { $(
        #[test]
        fn $name() {
            loom_models::lookups::$name();
        }
    )* };
}

tests! {
    an_entry_is_not_that_of_the_next_vni
    what_was_flushed_does_not_come_back
    an_expired_entry_that_is_replaced_is_not_found_again
    an_entry_that_is_moved_is_found
    planted_epoch_of_a_lookup_read_relaxed
    planted_number_given_again_in_the_same_epoch
}
