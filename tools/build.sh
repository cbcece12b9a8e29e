#!/bin/bash
#
# Builds what its arguments name:
#
#     module         build/nginx/ngx_http_martech_module.so
#     module-asan    build/nginx-asan/ngx_http_martech_module.so
#     forwarder, forwarder-asan, unit, fuzz, bench, schema-suite: targets of
#     the Makefile
#
# The module is built against the distribution's nginx-dev with its flags, or
# against the source tree NGINX_SRC with the flags of the installed nginx.
# Everything is written below build/; one builder at a time.

set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

ROOT=$PWD
JOBS=$(nproc)
DISTRIBUTION_SRC=/usr/share/nginx/src
MODULE=ngx_http_martech_module.so

HARDENING="-fstack-protector-strong -fstack-clash-protection -Wformat \
-Werror=format-security -Wdate-time -D_FORTIFY_SOURCE=2"
SANITIZE="-fsanitize=address,undefined -fno-omit-frame-pointer"

# /usr/sbin is not on every user's PATH
PATH=$PATH:/usr/sbin

die() {
    echo "build: $*" >&2
    exit 1
}

# Prints the path of the source tree to build against.  A plain NGINX tree is
# mirrored by links, because its configure writes beside itself.
nginx_source() {
    local mirror=build/nginx-src

    if [ -z "${NGINX_SRC:-}" ]; then
        [ -x $DISTRIBUTION_SRC/configure ] \
            || die "no $DISTRIBUTION_SRC: install nginx-dev, or set NGINX_SRC"
        echo $DISTRIBUTION_SRC
        return
    fi

    [ -e "$NGINX_SRC/src/core/nginx.h" ] \
        || die "NGINX_SRC=$NGINX_SRC is not a source tree of NGINX"

    if [ "$(cat $mirror.of 2>/dev/null)" != "$NGINX_SRC" ]; then
        rm -rf $mirror
        cp -as "$(realpath "$NGINX_SRC")" $mirror
        rm -f $mirror/Makefile
        [ -e $mirror/configure ] || ln -s auto/configure $mirror/configure
        echo "$NGINX_SRC" >$mirror.of
    fi

    echo "$ROOT/$mirror"
}

# Sets FLAGS to the configure arguments of the NGINX that will load us.
nginx_flags() {
    local source=$1 argument

    if [ -e "$source/conf_flags" ]; then
        . "$source/conf_flags"
        FLAGS=("${NGX_CONF_FLAGS[@]}")
        return
    fi

    eval "set -- $(nginx -V 2>&1 | sed -n 's/^configure arguments: //p')"
    FLAGS=()

    for argument; do
        case $argument in
            --with-cc-opt=* | --with-ld-opt=* | --add-*module=* | *=dynamic) ;;
            *) FLAGS+=("$argument") ;;
        esac
    done
}

check_version() {
    local source=$1 have want

    command -v nginx >/dev/null || return 0

    have=$(nginx -v 2>&1 | sed -n 's|.*nginx/\([0-9.]*\).*|\1|p')
    want=$(sed -n 's|^#define NGINX_VERSION *"\(.*\)"|\1|p' \
           "$source/src/core/nginx.h")

    [ "$have" = "$want" ] || die "the source tree $source is NGINX $want, but" \
        "the installed nginx is $have and would refuse the module"
}

# Runs configure unless its inputs are those of the last run.
configure() {
    local dir=$1 source=$2 cc_opt=$3 ld_opt=$4 stamp

    stamp=$(printf '%s\n' "$ROOT" "$source" "$cc_opt" "$ld_opt" "${FLAGS[@]}" \
            | cat - config "$source/src/core/nginx.h" | sha256sum)

    if [ "$(cat "$dir/configured" 2>/dev/null)" = "$stamp" ]; then
        return
    fi

    rm -rf "$dir"
    mkdir -p "$dir"

    # configure wants its source tree as current folder
    (cd "$source" && ./configure --with-cc-opt="$cc_opt" \
        --with-ld-opt="$ld_opt" "${FLAGS[@]}" \
        --add-dynamic-module="$ROOT" --builddir="$ROOT/$dir") \
        >"$dir/configure.log" 2>&1 \
        || { tail -n 20 "$dir/configure.log" >&2; die "configure failed," \
             "all of its output is in $dir/configure.log"; }

    echo "$stamp" >"$dir/configured"
}

# Makes sure that the installed NGINX takes the module.
try_module() {
    local dir=$1

    command -v nginx >/dev/null || return 0

    printf 'load_module %s;\nevents {}\n' "$ROOT/$dir/$MODULE" >"$dir/try.conf"

    nginx -t -q -p "$ROOT/$dir" -c "$ROOT/$dir/try.conf" \
        -g "pid $ROOT/$dir/try.pid; error_log stderr;" \
        || die "the installed nginx does not load $dir/$MODULE"
}

module() {
    local dir=$1 cc_opt=$2 ld_opt=$3 source before after

    mkdir -p build
    source=$(nginx_source)
    check_version "$source"
    nginx_flags "$source"
    configure "$dir" "$source" "$cc_opt" "$ld_opt"

    before=$(stat -c %Y.%i "$dir/$MODULE" 2>/dev/null || true)
    make -s -j "$JOBS" -f "$ROOT/$dir/Makefile" -C "$source" modules
    after=$(stat -c %Y.%i "$dir/$MODULE")

    if [ "$before" != "$after" ] && [ "$dir" = build/nginx ]; then
        try_module "$dir"
    fi
}

main() {
    local target

    mkdir -p build
    exec 9>build/lock
    flock 9

    for target; do
        case $target in
            module)
                module build/nginx "-g -O2 -fPIC $HARDENING" \
                    "-Wl,-z,relro -Wl,-z,now -fPIC"
                ;;
            module-asan)
                module build/nginx-asan "-g -O1 -fPIC $SANITIZE" \
                    "-fPIC $SANITIZE"
                ;;
            forwarder | forwarder-asan | unit | fuzz | bench | schema-suite)
                make -s -j "$JOBS" "$target"
                ;;
            *)
                die "unknown target \"$target\""
                ;;
        esac
    done
}

main "$@"
