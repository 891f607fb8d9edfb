//! The models of lists: what they are about is said where they are.

macro_rules! tests {
    ($($name:ident)*) => { $(
        #[test]
        fn $name() {
            loom_models::lists::$name();
        }
    )* };
}

tests! {
    a_member_after_an_unlinked_line_is_yielded_once
    a_member_present_throughout_is_yielded_once
    a_member_present_throughout_is_yielded_once_while_lines_go
    a_line_that_was_reused_is_not_walked_into
    a_line_after_an_unlinked_one_is_not_walked_into
    a_removed_list_yields_nothing_of_the_next
    planted_retired_without_unlinking
    planted_line_taken_without_fence
}
