#!/bin/bash
# Proves that no public function of encap panics: src/lib.rs says how. Needs binutils, python3, and a
# nightly toolchain for rustdoc's JSON.
set -euo pipefail
cd "$(dirname "$0")"
target=$(realpath -m "${CARGO_TARGET_DIR:-../../target}/nopanic")
unset CARGO_TARGET_DIR RUSTFLAGS
export NOPANIC_WRAPPERS=$target/wrappers.rs
api=$target/doc/encap.json

build() { cargo build --quiet --release --target-dir "$target" "$@"; }

# The functions from which a panic can be reached, one a line, with the way there.
guilty() {
    cargo rustc --quiet --release --target-dir "$target" "$@" -- --emit=obj -C linker=true
    python3 guilty.py "$target/release/deps/nopanic.o" | c++filt
}

(cd ../.. && cargo +nightly rustdoc --quiet --lib --target-dir "$target" --no-default-features \
    --features etherparse,simd -- -Zunstable-options --output-format json)
python3 api.py wrappers "$api" exceptions.txt >"$NOPANIC_WRAPPERS"

if ! build; then
    echo "These functions can panic:"
    guilty
    exit 1
fi
python3 api.py compare "$api" exceptions.txt "$target/release/libnopanic.so"

# The proof notices a panic: two functions that have one are found, and nothing else is.
if build --features planted 2>/dev/null; then
    echo "a planted panic was not noticed"
    exit 1
fi
found=$(guilty --features planted | cut -d' ' -f1 | tr '\n' ' ')
if [ "$found" != "index overflow " ]; then
    echo "planted panics: found \"$found\""
    exit 1
fi
