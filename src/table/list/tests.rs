//! What is promised while somebody else holds the lock of a list.

extern crate std;

use std::vec::Vec;

use super::{
    super::{Capacity, Remote, Tables},
    *,
};

/// Nobody knows the handle of a list that was not made: its lines would be lost for ever.
#[test]
fn a_list_that_is_not_made_leaves_no_line_behind_whoever_holds_its_lock() {
    let capacity = Capacity::fdb(64);
    let lines: Vec<_> = (0..capacity.lines()).map(|_| Line::new()).collect();
    let tables = Tables::new(lines, capacity, [1, 2]).unwrap();
    let [a, b] =
        [1, 2].map(|last| tables.remotes().add(&Remote::new([192, 0, 2, last].into(), 4789)).unwrap());
    let lists = tables.lists();
    // As in `create`, where a sweep comes by between two members.
    let index = lists.claim(HEAD).unwrap();
    let generation = lists.lines[index].word(STATE).load(Relaxed) >> GENERATION_SHIFT;
    let head = Handle::new(Handle::LIST, generation, index as u32);
    assert_eq!(lists.fill(head, &[a]), Ok(head));
    let while_locked = |_| {
        assert_eq!(lists.fill(head, &[b]), Err(Error::Busy));
        assert_eq!(lists.used(), 1);
        false
    };
    assert_eq!(lists.delete_where(head, while_locked), Ok((0, true)));
    assert_eq!(lists.used(), 0);
    assert!(!lists.is_alive(head));
}
