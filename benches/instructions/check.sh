#!/bin/bash
# Instructions of the hot functions, per packet (per call for checksums, per key for lookups), counted by callgrind and
# held against expected.txt: 2 % more or less is a failure, whichever it is.
#
# usage: check.sh [NAME...]            counts, all or these only, and compares
#        check.sh --update [NAME...]   counts and writes them to expected.txt, for a commit that says why
set -euo pipefail
cd "$(dirname "$0")"

expected=expected.txt
target=${CARGO_TARGET_DIR:-target}
# Valgrind knows no AVX-512, and other targets have other counts.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS
cargo build --release --locked --quiet --target-dir "$target"
program=$target/release/encap-instructions
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

update=
if [ "${1-}" = --update ]; then
    update=yes
    shift
fi
mapfile -t all < <("$program")
if [ $# -gt 0 ]; then names=("$@"); else names=("${all[@]}"); fi

count() { # instructions per operation, in hundredths
    local operations instructions
    operations=$(valgrind --tool=callgrind --callgrind-out-file="$work/$1" --collect-atstart=no \
        --toggle-collect="encap_instructions::counted::$1" "$program" "$1" 2>"$work/$1.log") ||
        { cat "$work/$1.log" >&2; return 1; }
    instructions=$(sed -n 's/^\(summary\|totals\): //p' "$work/$1" | head -1)
    if [ "${instructions:-0}" -eq 0 ]; then
        echo "$1: nothing was counted" >&2
        return 1
    fi
    echo $((instructions * 100 / operations))
}

if [ -n "$update" ]; then
    {
        echo "# Instructions per operation, by callgrind on x86-64; see check.sh. $(rustc --version)"
        for name in "${all[@]}"; do
            if [[ " ${names[*]} " == *" $name "* ]]; then
                hundredths=$(count "$name")
                printf '%-20s %d.%02d\n' "$name" $((hundredths / 100)) $((hundredths % 100))
            else
                grep "^$name " "$expected"
            fi
        done
    } >"$work/expected"
    mv "$work/expected" "$expected"
    cat "$expected"
    exit
fi

echo "$(rustc --version); expected: $(sed -n 's/^#.*\(rustc.*\)/\1/p' "$expected")"
failed=
for name in "${names[@]}"; do
    hundredths=$(count "$name")
    wanted=$(awk -v name="$name" '$1 == name { printf "%d", $2 * 100 + 0.5 }' "$expected")
    difference=$(((hundredths - ${wanted:-0}) * 10000 / (${wanted:-0} > 0 ? ${wanted:-0} : 1)))
    verdict=ok
    if [ -z "$wanted" ]; then
        verdict="not in $expected"
        failed=yes
    elif [ ${difference#-} -gt 200 ]; then
        verdict="more than 2 % off"
        failed=yes
    fi
    printf '%-20s %8.2f  expected %8.2f  %+7.2f %%  %s\n' "$name" "${hundredths}e-2" "${wanted:-0}e-2" \
        "${difference}e-2" "$verdict"
done
if [ -n "$failed" ]; then
    echo "counts differ: find out why, or run $0 --update and say why in the commit"
    exit 1
fi
