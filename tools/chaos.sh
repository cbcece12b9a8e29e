#!/bin/bash
#
# A time of faults under load, and the proof that no promised event is lost.
#
#     tools/chaos.sh [SECONDS] [--seed N] [--only TOPOLOGY] [--asan] [--plan]
#
# The topologies of t/chaos/run (single, sentinel, cluster) run side by side,
# each with a Redis, an NGINX, clients and faults of its own, and beside them
# t/chaos/delivery: two forwarders that are killed all the time.  The same seed
# and the same time bring the same faults; --plan only prints them.

set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

SECONDS_OF_CHAOS=60
SEED=
TOPOLOGIES="single sentinel cluster delivery"
PLAN=
ASAN=${MARTECH_ASAN:-}

die() {
    echo "chaos: $*" >&2
    exit 2
}

number() {
    [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "$1 must be a number, got \"${2:-}\""
}

options() {
    while [ $# -gt 0 ]; do
        case $1 in
            --seed)
                number "$1" "${2:-}"
                SEED=$2
                shift
                ;;
            --only)
                [[ " $TOPOLOGIES " == *" ${2:-} "* ]] \
                    || die "--only must be one of: $TOPOLOGIES"
                TOPOLOGIES=$2
                shift
                ;;
            --asan) ASAN=1 ;;
            --plan) PLAN=--plan ;;
            -*)     die "unknown option \"$1\"" ;;
            *)
                number "the time in seconds" "$1"
                SECONDS_OF_CHAOS=$1
                ;;
        esac
        shift
    done
}

build() {
    if [ -n "$ASAN" ]; then
        export MARTECH_ASAN=1
        tools/build.sh module-asan forwarder-asan bench

    else
        tools/build.sh module forwarder bench
    fi
}

main() {
    local topology program i=0 failed="" pids=()

    options "$@"
    SEED=${SEED:-$(($(od -An -N4 -tu4 /dev/urandom) % 1000000000 + 1))}

    [ -n "$PLAN" ] || build
    echo "chaos: seed $SEED, $SECONDS_OF_CHAOS s"

    # Processes are killed here, not machines: what a process has written is
    # there in memory as on disk, and the run does not depend on how slow the
    # disk is.  Faults of the disk are made by the run itself.
    if [ -z "${TMPDIR:-}" ] && [ -w /dev/shm ]; then
        export TMPDIR=/dev/shm
    fi

    for topology in $TOPOLOGIES; do
        program="t/chaos/run $topology"
        [ "$topology" != delivery ] || program=t/chaos/delivery
        $program "$SEED" "$SECONDS_OF_CHAOS" $PLAN &
        pids+=($!)
    done

    trap 'kill "${pids[@]}" 2>/dev/null || true' INT TERM

    for topology in $TOPOLOGIES; do
        wait "${pids[i++]}" || failed+=" $topology"
    done

    [ -z "$PLAN" ] || exit 0

    if [ -n "$failed" ]; then
        echo "chaos: FAILED:$failed; again:" \
             "./build.sh chaos $SECONDS_OF_CHAOS --seed $SEED"
        exit 1
    fi

    echo "chaos: ok"
}

main "$@"
