#!/bin/bash
#
# Runs benchmarks: the programs t/bench/NAME, each of which prints a table and
# writes build/bench/NAME.json.
#
#     tools/bench.sh [NAME] [--quick] [--unix] [--instructions]
#
# The exit status is 1 when a row with a limit does not hold.

set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

NAME=
OPTIONS=()

for argument; do
    case $argument in
        --quick | --unix | --instructions) OPTIONS+=("$argument") ;;
        -*)      echo "bench: unknown option \"$argument\"" >&2; exit 2 ;;
        *)       NAME=$argument ;;
    esac
done

# the benchmarks are the programs without a suffix
names() {
    find t/bench -maxdepth 1 -type f -perm -u+x ! -name '*.*' -printf '%f\n' \
        | sort
}

# What a benchmark runs, as targets of tools/build.sh.
targets_of() {
    case $1 in
        json | map | plan) echo bench ;;
        forwarder | isolation) echo bench forwarder ;;
        *)         echo bench module ;;
    esac
}

main() {
    local name failed=0

    if [ -n "$NAME" ] && ! names | grep -qxF -- "$NAME"; then
        echo "bench: no benchmark \"$NAME\", there are:" $(names) >&2
        exit 2
    fi

    mkdir -p build/bench

    for name in ${NAME:-$(names)}; do
        tools/build.sh $(targets_of "$name")
        t/bench/"$name" ${OPTIONS[@]+"${OPTIONS[@]}"} || failed=1
    done

    exit $failed
}

main
