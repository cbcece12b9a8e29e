#!/bin/bash
#
# Every check that needs no running server: layers, style, both compilers
# with warnings as errors, cppcheck, unit tests under ASan and UBSan.
#
#     tools/check.sh [--no-unit]
#
# One line a step; the output of a step that failed follows its line.  The
# exit status is 1 when any step failed.

set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

NGINX=${NGINX_SRC:-/usr/share/nginx/src}
LOGS=build/check

FAILED=0

step() {
    local name=$1 log=$LOGS/$1.log start=$EPOCHREALTIME state=ok rc=0 took

    shift
    "$@" >"$log" 2>&1 || rc=$?

    if [ $rc -ne 0 ]; then
        state=FAILED
        FAILED=1
    fi

    took=$(( (${EPOCHREALTIME/./} - ${start/./}) / 1000 ))
    printf '%-10s %-6s %3d.%03d s\n' \
        "$name" $state $((took / 1000)) $((took % 1000))

    if [ $rc -ne 0 ]; then
        cat "$log"
    fi
}

# The paths that NGINX's makefile gives its modules, as system headers: their
# warnings are not ours.  A folder that a version lacks does no harm.
nginx_includes() {
    local folder

    for folder in core event event/modules event/quic os/unix \
        http http/modules http/v2 http/v3
    do
        echo "-isystem $NGINX/src/$folder"
    done

    echo "-isystem build/nginx"
}

plain_sources() {
    find martech forwarder t -name node_modules -prune -o -name '*.c' -print
    find ngx_martech_module -name 'ngx_http_martech_resp.c' \
        -o -name 'ngx_http_martech_segment.c' \
        -o -name 'ngx_http_martech_store*.c'
}

module_sources() {
    find ngx_martech_module -name '*.c'
}

# gcc sees all C when everything is built; -Werror stands in every build.
check_gcc() {
    tools/build.sh module module-asan forwarder forwarder-asan unit bench
}

check_clang() {
    local common="-fsyntax-only -std=gnu99 -Wall -Wextra -Werror -D_GNU_SOURCE"
    local libraries failed=0

    libraries=$(pkg-config --cflags-only-I hiredis libuv libcurl jansson \
                yaml-0.1 libmicrohttpd libcrypto zlib)

    tools/build.sh fuzz || failed=1

    plain_sources | xargs -r -P "$(nproc)" -n 24 clang $common -Imartech \
        -Iforwarder -Ingx_martech_module -It/unit $libraries || failed=1

    # an nginx handler has the arguments of its kind, needed or not
    module_sources | xargs -r clang $common -Wno-unused-parameter \
        -Imartech -Ingx_martech_module $(nginx_includes) || failed=1

    return $failed
}

check_cppcheck() {
    local common="--quiet --std=c99 --enable=warning,performance,portability
        --inline-suppr --error-exitcode=1 --suppressions-list=tools/cppcheck.txt
        -j $(nproc) -Imartech -Iforwarder -Ingx_martech_module -It/unit"
    local failed=0

    plain_sources | xargs -r cppcheck $common || failed=1
    module_sources \
        | xargs -r cppcheck $common --library=tools/cppcheck.cfg || failed=1

    return $failed
}

check_unit() {
    tools/test.sh t/unit
}

main() {
    mkdir -p $LOGS

    step layers tools/layers
    step style tools/checkstyle
    step gcc check_gcc
    step clang check_clang
    step cppcheck check_cppcheck

    # who runs all tests afterwards need not run these twice
    [ "${1:-}" = --no-unit ] || step unit check_unit

    exit $FAILED
}

main "$@"
