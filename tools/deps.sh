#!/bin/bash
#
# Installs the Debian packages that build and tests need; with "bench" also
# those of the benchmarks' peers.
#
# Does nothing when all are there.  Packages of the distribution only, by
# apt-get.  Services that come with a package (nginx, redis-server) are not
# started: policy-rc.d forbids it while apt-get works, and is put back as it
# was.  Without root the missing packages are named and the exit status is 1.

set -euo pipefail

# One need a line; names after "|" serve where a release lacks the first.
NEEDS='
    nginx
    nginx-dev
    libnginx-mod-http-lua
    lua-cjson
    redis-server
    libjansson-dev
    libpcre2-dev
    libcurl4-openssl-dev
    libhiredis-dev
    libuv1-dev
    libjq-dev
    libyaml-dev
    libmicrohttpd-dev
    libssl-dev
    openssl
    zlib1g-dev
    libcmocka-dev
    libredis-perl
    libtest-json-schema-acceptance-perl
    libcpanel-json-xs-perl
    clickhouse-server
    wrk
    clang
    llvm
    cppcheck
    valgrind
    pkg-config|pkgconf
    curl
    jq
    make
    gcc
    libc6-dev
    perl
    chromium
'

# A Node that comes from elsewhere has its npm with it.
command -v npm >/dev/null || NEEDS+='
    nodejs
    npm
'

# the peers of t/bench/forwarder
BENCH_NEEDS='
    python3-redis
    python3-aiohttp
'

POLICY=/usr/sbin/policy-rc.d
SAVED=$POLICY.martech-saved

# The sanitizer and fuzzer runtime carries the version of clang in its name.
clang_runtime() {
    local version

    version=$(dpkg-query -W -f '${Depends}' clang 2>/dev/null \
              || apt-cache depends clang 2>/dev/null || true)
    version=$(grep -o 'clang-[0-9][0-9]*' <<<"$version" | head -n 1 || true)

    if [ -n "$version" ]; then
        echo "libclang-rt-${version#clang-}-dev"
    fi
}

declare -A INSTALLED

read_installed() {
    local name status

    INSTALLED=()

    while read -r name status; do
        [ "$status" != installed ] || INSTALLED[$name]=1
    done < <(dpkg-query -W -f '${Package} ${db:Status-Status}\n' || true)
}

# Prints those of the names that apt can install.
available() {
    apt-cache policy "$@" 2>/dev/null \
        | awk '/^[^ ]/ { name = $1; sub(":.*", "", name) }
               /Candidate: [0-9]/ { print name }' || true
}

available_all() {
    [ "$(available "$@" | sort -u | wc -l)" -eq $# ]
}

# Prints a package for each need that is not met: the first of its names that
# apt can install.
missing() {
    local need name unmet=() can

    read_installed

    for need in $NEEDS $(clang_runtime); do
        for name in ${need//|/ }; do
            [ -z "${INSTALLED[$name]:-}" ] || continue 2
        done

        unmet+=("$need")
    done

    [ ${#unmet[@]} -gt 0 ] || return 0

    can=" $(available ${unmet[@]//|/ } | tr '\n' ' ')"

    for need in "${unmet[@]}"; do
        for name in ${need//|/ }; do
            case $can in
                *" $name "*) echo "$name"; continue 2 ;;
            esac
        done

        # apt does not know it yet: its lists are old or missing
        echo "${need%%|*}"
    done
}

put_policy_back() {
    rm -f "$POLICY"

    if [ -e "$SAVED" ]; then
        mv "$SAVED" "$POLICY"
    fi
}

forbid_services() {
    if [ -e "$POLICY" ] && [ ! -e "$SAVED" ]; then
        mv "$POLICY" "$SAVED"
    fi

    trap put_policy_back EXIT
    trap 'exit 130' INT TERM HUP

    printf '#!/bin/sh\nexit 101\n' >"$POLICY"
    chmod 755 "$POLICY"
}

apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o DPkg::Lock::Timeout=600 "$@"
}

install_packages() {
    local names

    names=$(missing)

    if ! available_all $names; then
        apt update
        names=$(missing)
    fi

    # a stale list names files that are gone: refresh it and try once more
    apt install --no-install-recommends $names \
        || { apt update; apt install --no-install-recommends $names; }
}

main() {
    local names

    if [ "${1:-}" = bench ]; then
        NEEDS+=$BENCH_NEEDS
    fi

    command -v dpkg-query >/dev/null \
        || { echo "deps: this is not Debian; needed are:" $NEEDS >&2; exit 1; }

    names=$(missing)

    if [ -z "$names" ]; then
        return
    fi

    if [ "$(id -u)" -ne 0 ]; then
        echo "deps: missing packages, and no root to install them:" >&2
        echo "  apt-get install" $names >&2
        exit 1
    fi

    # two checkouts may be set up at the same time
    exec 9>/run/lock/ngx_martech_module.deps
    flock 9

    forbid_services
    install_packages

    names=$(missing)

    if [ -n "$names" ]; then
        echo "deps: still missing after installation:" $names >&2
        exit 1
    fi
}

main "$@"
