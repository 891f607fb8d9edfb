//! The models of records that are read where they lie: what they are about is said where they are.

macro_rules! tests {
    ($($name:ident)*) => { $(
        #[test]
        fn $name() {
            loom_models::records::$name();
        }
    )* };
}

tests! {
    a_whole_record_is_of_one_time
    a_whole_record_is_of_one_time_while_it_keeps_changing
    a_copied_record_is_of_one_time
    a_whole_record_is_not_of_the_next_remote
    a_copied_record_is_not_of_the_next_remote
    an_address_is_not_that_of_the_next_remote
    planted_record_in_place_not_fenced
    planted_state_of_a_record_read_relaxed
    planted_state_of_before
}
