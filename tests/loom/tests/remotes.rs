//! The models of remotes: what they are about is said where they are.

macro_rules! tests {
    ($($name:ident)*) => { $(
        #[test]
        fn $name() {
            loom_models::remotes::$name();
        }
    )* };
}

tests! {
    no_torn_remote
    no_torn_remote_that_keeps_changing
    a_handle_of_a_freed_remote_is_never_used
    reuse_waits_for_quiescence
    reuse_waits_for_a_quiescence_after_the_removal
    reuse_waits_for_a_worker_that_has_just_registered
    the_sweep_and_a_new_remote
    planted_no_flip
    planted_record_not_fenced
    planted_generation_of_before
    planted_epoch_read_relaxed
}
