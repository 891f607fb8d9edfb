//! The models of words without a lock: what they are about is said where they are.

macro_rules! tests {
    ($($name:ident)*) => { $(
        #[test]
        fn $name() {
            loom_models::words::$name();
        }
    )* };
}

tests! {
    the_first_time_makes_nothing_overdue
    a_gateway_has_one_address_or_none
    a_gateway_that_two_set_has_one_address_or_none
    planted_gateways_with_the_same_check
    a_counter_is_what_it_was_at_some_time
    counters_are_not_those_of_the_next_vni
    a_vni_has_one_vlan
    a_vlan_has_one_vni
    a_vlan_that_is_mapped_anew_has_one_vni
    a_vlan_is_not_that_of_the_next_vni
    a_mapping_to_a_vni_that_has_come_back_stays
    a_mapping_that_takes_the_place_of_one_left_behind_stays
    the_end_of_a_mapping_leaves_no_way_back_alone
}
