#!/bin/bash
#
# Installs the module, the forwarder and the destinations.
#
#     PREFIX        /usr/local: bin/martech-forwarder, share/martech
#     MODULES_PATH  where the installed nginx looks for modules
#     DESTDIR       put before every path, for packages
#
# Each file is written beside its place and renamed into it: a worker maps the
# module's file, and the mapping would change under it otherwise.

set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

PATH=$PATH:/usr/sbin
PREFIX=${PREFIX:-/usr/local}
DESTDIR=${DESTDIR:-}

modules_path() {
    local path

    path=$(nginx -V 2>&1 \
           | sed -n 's/.*--modules-path=\([^ ]*\).*/\1/p')
    echo "${path:-/usr/lib/nginx/modules}"
}

put() {
    local mode=$1 source=$2 target=$DESTDIR$3

    mkdir -p "$(dirname "$target")"
    install -m "$mode" "$source" "$target.new.$$"
    mv -f "$target.new.$$" "$target"
    echo "$target"
}

main() {
    local file

    put 644 build/nginx/ngx_http_martech_module.so \
        "${MODULES_PATH:-$(modules_path)}/ngx_http_martech_module.so"
    put 755 build/martech-forwarder "$PREFIX/bin/martech-forwarder"

    find destinations -type f | sort | while read -r file; do
        put 644 "$file" "$PREFIX/share/martech/$file"
    done
}

main
