//! Networks of VTEPs over a wire that loses, repeats and reorders, against a model; and anything at all, fed to all
//! that handles packets.

mod networks;

use proptest::{collection::vec, prelude::*};

use crate::{
    anything::engine,
    vtep_model::{LEN, Op, run},
};

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn a_vtep_decides_as_its_model(choices in any::<u8>(), ops in vec(any::<[u8; LEN]>(), 0..150)) {
        run(choices, ops.into_iter().map(Op::from_bytes));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8 * ProptestConfig::default().cases))]

    #[test]
    fn anything_at_all(data in vec(any::<u8>(), 0..200)) {
        engine(&data);
    }
}
