//! The models of the bucket protocol: what they are about is said where they are.

macro_rules! tests {
    ($models:ident: $($name:ident)*) => { $(
        #[test]
        fn $name() {
            loom_models::$models::$name();
        }
    )* };
}

tests! {
    bucket:
    no_torn_entry
    a_slot_used_again_is_noticed
    no_torn_dump
    cold_words_are_old_or_new
    an_entry_that_is_rewritten_never_vanishes
    a_roaming_entry_never_vanishes
    present_entry_is_found_beside_others
    present_entry_is_found_while_it_moves_to_its_second
    present_entry_is_found_while_it_moves_to_its_first
    present_entry_is_found_while_it_moves_there_and_back
    present_entry_is_found_while_its_neighbour_goes
    a_moved_entry_never_vanishes
    a_dump_notices_relocations
    stalled_writer_stops_no_reader
    writer_stalled_anywhere_stops_no_reader
    two_writers_of_one_key
    two_writers_of_two_keys
    relocation_and_removal
    relocation_and_roaming
    sweep_and_insertion
    two_writers_of_one_key_beside_others_elsewhere
    sweep_and_insertion_of_one_key
    relocation_and_insertion_of_one_key
}

tests! {
    planted:
    every_order_is_run
    planted_version_without_order
    planted_version_stored_relaxed
    planted_version_not_fenced
    planted_comparison_not_fenced
    planted_version_read_relaxed
    planted_value_published_relaxed
    planted_value_cleared_relaxed
    planted_value_read_relaxed
    planted_lock_taken_relaxed
    planted_lock_given_back_relaxed
    steps_in_the_right_order
    planted_clear_before_copy
    planted_overflow_counted_after_the_clear
    planted_overflow_counted_back_before_the_copy
    planted_relocation_back_announced_once
}
