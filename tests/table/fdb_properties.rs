//! The tables do what the model says, whatever is done to them.

use proptest::{collection::vec, prelude::*};

use crate::fdb_model::{CHOICES, Choices, LEN, Op, run, tables};

/// With `PROPTEST_CASES`, as many sequences as that says.
fn config() -> ProptestConfig {
    ProptestConfig { max_shrink_iters: 20_000, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn tables_and_model_agree(
        choices in any::<[u8; CHOICES]>().prop_map(Choices),
        ops in vec(any::<[u8; LEN]>().prop_map(Op::from_bytes), 0..300),
    ) {
        run(choices, ops);
    }

    /// As the fuzzer calls it.
    #[test]
    fn any_bytes_are_operations(bytes in vec(any::<u8>(), 0..400)) {
        tables(&bytes);
    }
}
