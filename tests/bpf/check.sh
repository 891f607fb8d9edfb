#!/bin/bash
# Compiles the codecs over fixed arrays to a BPF object, and has the kernel run them. Needs llvm-22, root, and in $RUSTC
# a rustc with core for bpfel-unknown-none (.ci/debian-rustc 1.96).
set -euo pipefail
cd "$(dirname "$0")"
target=$(realpath -m "${CARGO_TARGET_DIR:-../../target}/bpf")
unset CARGO_TARGET_DIR RUSTFLAGS

# Compiles with the given flags and prints the symbols that are called and are not there.
undefined() {
    local deps=$target/bpfel-unknown-none/release/deps
    rm -f "$deps"/bpf-*.bc
    RUSTC_BOOTSTRAP=1 cargo rustc --quiet --release --target bpfel-unknown-none --target-dir "$target" "$@" -- \
        --emit=llvm-bc -C linker=true
    llc-22 -march=bpf -mcpu=v3 -filetype=obj "$deps"/bpf-*.bc -o "$target/bpf.o"
    llvm-nm-22 --undefined-only --just-symbol-name "$target/bpf.o"
}

if [ "$(undefined --features planted)" != a_codec_can_panic ]; then
    echo "a planted panic was not noticed"
    exit 1
fi
missing=$(undefined)
if [ -n "$missing" ]; then
    echo "BPF cannot call: $missing"
    exit 1
fi
# Functions and constants of the object itself are all that its code may refer to.
others=$(llvm-readelf-22 --relocations "$target/bpf.o" |
    awk '/^Relocation section/ { code = $3 ~ /rel\.text/ } code && /R_BPF/ && $5 !~ /^\.(text|rodata)/')
if [ -n "$others" ]; then
    echo "$others"
    exit 1
fi
echo "$(llvm-nm-22 --defined-only --extern-only "$target/bpf.o" | wc -l) programs compiled"
if [ "$(id -u)" -ne 0 ] && [ "${CI:-}" != true ]; then
    echo "SKIPPED: programs in the kernel: only root may load them"
    exit
fi
env -u RUSTC cargo run --quiet --locked --manifest-path run/Cargo.toml --target-dir "$target/run" -- "$target/bpf.o"
