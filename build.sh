#!/bin/bash
#
# The one entry to everything: set-up, build, run, tests, benchmarks.
# "./build.sh help" lists the verbs; the work itself is in tools/*.sh.
#
# Writes only below build/, except for "deps" and "install".

set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
    cat <<'END'
Usage: ./build.sh VERB [ARGUMENTS]

  deps                      install the Debian packages that are missing
  build                     build the NGINX module and martech-forwarder
  run [--once]              start Redis, NGINX and the forwarder, and show
                            each delivered event; --once: send three, wait
                            for them, stop
  test [PATTERN] [--asan]   run the tests whose path matches PATTERN (all);
                            --asan: with module and forwarder under ASan
  check                     layers, style, gcc, clang, cppcheck, unit tests
  bench [NAME] [--quick]    run the benchmarks: edge, json, plan, map,
                            forwarder, isolation, spool, outage (all); edge
                            --unix: Redis by its unix socket
  fuzz [TARGET] [SECONDS]   run the fuzz targets of t/fuzz (all, 60 s each)
  chaos [SECONDS] [--seed N]
                            faults at random under load (60 s): no promised
                            event may be lost; --plan: only print the faults;
                            --only single|sentinel|cluster|delivery; --asan
  package                   later work, see CHANGELOG.md
  install                   install module, forwarder and destinations
                            (PREFIX, DESTDIR and MODULES_PATH are honoured)
  clean                     remove build/
  help                      this text

Environment: NGINX_SRC (NGINX source tree to build against), PORT (of run).
END
}

die() {
    echo "build.sh: $*" >&2
    exit 1
}

deps() {
    tools/deps.sh
}

build() {
    deps
    tools/build.sh module forwarder
}

later() {
    echo "build.sh: \"$1\" is later work and does nothing yet" >&2
    exit 3
}

no_arguments() {
    local verb=$1

    shift
    [ $# -eq 0 ] || die "\"$verb\" takes no argument, got \"$1\""
}

main() {
    local verb=${1:-help}

    [ $# -eq 0 ] || shift

    case $verb in
        deps)     no_arguments deps "$@"; deps ;;
        build)    no_arguments build "$@"; build ;;
        run)      build; exec tools/run "$@" ;;
        test)     deps; exec tools/test.sh "$@" ;;
        check)    no_arguments check "$@"; deps; exec tools/check.sh ;;
        bench)    tools/deps.sh bench; exec tools/bench.sh "$@" ;;
        fuzz)     deps; exec tools/fuzz.sh "$@" ;;
        chaos)    deps; exec tools/chaos.sh "$@" ;;
        package)  later package ;;
        install)  no_arguments install "$@"; build; exec tools/install.sh ;;
        clean)    no_arguments clean "$@"; rm -rf build ;;
        help | -h | --help)
                  usage ;;
        *)        die "unknown verb \"$verb\", see ./build.sh help" ;;
    esac
}

main "$@"
