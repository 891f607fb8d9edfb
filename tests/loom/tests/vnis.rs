//! The models of VNIs: what they are about is said where they are.

macro_rules! tests {
    ($($name:ident)*) => { $(
        #[test]
        fn $name() {
            loom_models::vnis::$name();
        }
    )* };
}

tests! {
    a_vni_that_two_add_is_there_once
    a_vni_that_is_removed_while_it_comes
    a_vni_that_two_remove_goes_once
    a_vni_that_two_remove_and_one_adds
    a_vni_that_takes_the_place_of_another
    a_vni_that_is_flushed_while_it_is_added_again
    a_number_is_not_given_twice_without_a_sweep
}
