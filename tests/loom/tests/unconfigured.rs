//! The models of remotes that nobody configured: what they are about is said where they are.

macro_rules! tests {
    ($($name:ident)*) => { $(
        #[test]
        fn $name() {
            loom_models::unconfigured::$name();
        }
    )* };
}

tests! {
    what_is_learned_while_its_remote_is_configured_counts_once
    a_sweep_leaves_what_was_just_configured
    a_sweep_leaves_what_is_just_named
    an_older_number_does_not_replace_a_later_one
    planted_name_told_relaxed
    planted_place_locked_out_of_order
}
