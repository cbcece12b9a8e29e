#!/bin/bash
#
# Brings the clients that t/clients_*.t send with: the packages of
# t/clients/package-lock.json, from the npm registry of the machine, into
# build/clients; and build/clients/node, a Node that is new enough for them:
# the machine's, or else that of t/clients/runtime.
#
# Does nothing when all is there.  No script of a package is run.

set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

HOME_OF=build/clients
LOG=$PWD/$HOME_OF/npm.log

# what the newest of the clients asks for
NODE_MAJOR=20
NODE_MINOR=20

die() {
    echo "clients: $*" >&2
    exit 1
}

# Prints the path of the machine's Node if it is new enough.
machine_node() {
    local node major minor

    node=$(command -v node) || return 0
    IFS=. read -r major minor _ <<<"$("$node" --version | tr -d v)"

    if [ "$major" -gt $NODE_MAJOR ] \
        || { [ "$major" -eq $NODE_MAJOR ] && [ "$minor" -ge $NODE_MINOR ]; }
    then
        echo "$node"
    fi
}

# Installs exactly what a lock file names, unless that was done.
install_locked() {
    local from=$1 to=$2 stamp

    stamp=$(sha256sum <"$from/package-lock.json")

    if [ "$(cat "$to/installed" 2>/dev/null)" = "$stamp" ]; then
        return
    fi

    mkdir -p "$to"
    rm -f "$to/installed"
    cp "$from/package.json" "$from/package-lock.json" "$to/"

    (cd "$to" && timeout 600 npm ci --ignore-scripts --no-audit --no-fund) \
        >>"$LOG" 2>&1 \
        || die "npm cannot install the packages of $from, see $LOG"

    echo "$stamp" >"$to/installed"
}

link_node() {
    local node

    node=$(machine_node)

    if [ -z "$node" ]; then
        install_locked t/clients/runtime $HOME_OF/runtime
        node=$(ls "$PWD"/$HOME_OF/runtime/node_modules/node-linux-*/bin/node) \
            || die "no Node $NODE_MAJOR.$NODE_MINOR or newer for this machine"
    fi

    ln -sfn "$node" $HOME_OF/node
}

main() {
    command -v npm >/dev/null || die "npm is missing, see ./build.sh deps"

    mkdir -p $HOME_OF
    exec 9>$HOME_OF/lock
    flock 9

    install_locked t/clients $HOME_OF
    link_node
}

main
