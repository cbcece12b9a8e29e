#!/bin/bash
#
# Builds what the chosen tests need and runs them under prove.
#
#     tools/test.sh [PATTERN] [--asan]
#
# PATTERN is an extended regular expression on the path: t/*.t for the system
# tests, t/unit/*.c for the unit programs.

set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

PATTERN=
ASAN=

for argument; do
    case $argument in
        --asan) ASAN=1 ;;
        -*)     echo "test: unknown option \"$argument\"" >&2; exit 2 ;;
        *)
            [ -z "$PATTERN" ] || { echo "test: one pattern only" >&2; exit 2; }
            PATTERN=$argument
            ;;
    esac
done

chosen() {
    ls t/*.t t/unit/*.c 2>/dev/null | grep -E -- "${PATTERN:-.}" || true
}

main() {
    local path tests=() units=0 systems=0 clients=0

    for path in $(chosen); do
        case $path in
            t/unit/*.c)
                tests+=("build/unit/$(basename "$path" .c)")
                units=1
                ;;
            t/clients_*)
                tests+=("$path")
                systems=1
                clients=1
                ;;
            *)
                tests+=("$path")
                systems=1
                ;;
        esac
    done

    if [ ${#tests[@]} -eq 0 ]; then
        echo "test: no test matches \"$PATTERN\"" >&2
        exit 2
    fi

    [ $units -eq 0 ] || tools/build.sh unit
    [ $systems -eq 0 ] || tools/build.sh module module-asan forwarder \
                          forwarder-asan

    # without them their own tests fail, and say why
    [ $clients -eq 0 ] || tools/clients.sh || true

    # cmocka speaks TAP when asked; "-e ''" runs scripts and programs alike
    export CMOCKA_MESSAGE_OUTPUT=TAP
    export ASAN_OPTIONS=${ASAN_OPTIONS:-abort_on_error=0}
    export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}

    if [ -n "$ASAN" ]; then
        export MARTECH_ASAN=1
    fi

    exec prove -j "${TEST_JOBS:-2}" -e '' "${tests[@]}"
}

main
