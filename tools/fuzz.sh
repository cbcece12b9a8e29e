#!/bin/bash
#
# Runs the fuzz targets of t/fuzz, one after the other.
#
#     tools/fuzz.sh [TARGET] [SECONDS]
#
# The corpus grows in build/fuzz/corpus/TARGET, beginning with the seeds in
# t/fuzz/seeds/TARGET and the inputs of t/cases.  An input that fails is kept
# in build/fuzz and named in the output.

set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

TARGET=
SECONDS_EACH=60

for argument; do
    case $argument in
        *[!0-9]*) TARGET=$argument ;;
        *)        SECONDS_EACH=$argument ;;
    esac
done

targets() {
    local source name

    for source in t/fuzz/*.c; do
        name=$(basename "$source" .c)

        # "json" finds martech_json, too
        case $name in
            "$TARGET" | "martech_$TARGET" | "fwd_$TARGET") echo "$name" ;;
            *) [ -n "$TARGET" ] || echo "$name" ;;
        esac
    done
}

run_target() {
    local name=$1 corpus=build/fuzz/corpus/$1 log=build/fuzz/$1.log
    local options=() folders=("build/fuzz/corpus/$1") folder

    mkdir -p "$corpus"

    [ ! -d "t/fuzz/seeds/$name" ] || folders+=("t/fuzz/seeds/$name")

    # lists that hold hundreds of cases in a file would, as inputs, only make
    # all others as long
    for folder in t/cases/*/; do
        case $folder in
            */consent/ | */pii/ | */plan/ | */regex/) ;;
            *) folders+=("$folder") ;;
        esac
    done

    [ ! -f "t/fuzz/$name.dict" ] || options+=("-dict=t/fuzz/$name.dict")

    if ! build/fuzz/"$name" -max_total_time="$SECONDS_EACH" -timeout=10 \
        -rss_limit_mb=2048 -print_final_stats=1 "${options[@]}" \
        -artifact_prefix=build/fuzz/"$name"- "${folders[@]}" >"$log" 2>&1
    then
        tail -n 60 "$log"
        echo "fuzz: $name FAILED"
        return 1
    fi

    echo "fuzz: $name ok, $(sed -n 's/^stat::number_of_executed_units: *//p' \
        "$log") inputs in $SECONDS_EACH s"
}

main() {
    local name names failed=0

    names=$(targets)

    if [ -z "$names" ]; then
        echo "fuzz: no target \"$TARGET\", there are:" \
            $(basename -s .c -a t/fuzz/*.c) >&2
        exit 2
    fi

    tools/build.sh fuzz

    for name in $names; do
        run_target "$name" || failed=1
    done

    exit $failed
}

main
