//! The models of MTUs that expire: what they are about is said where they are.

macro_rules! tests {
    ($($name:ident)*) => { $(
        #[test]
        fn $name() {
            loom_models::mtus::$name();
        }
    )* };
}

tests! {
    a_told_mtu_is_not_lost_to_the_sweep
    a_set_mtu_is_not_lost_to_the_sweep
    an_mtu_does_not_expire_for_the_next_remote
    planted_expired_without_the_lock
    planted_expired_for_whoever_is_there
}
