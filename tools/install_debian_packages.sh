#!/bin/sh
# Installs Debian or Ubuntu packages as root or by sudo; otherwise it prints what to do.
set -eu

if ! command -v apt-get >/dev/null; then
    echo "Install $* (as your system calls it), then run the same command again." >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    as_root="env"
elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
    as_root="sudo env"
else
    echo "Run 'apt-get install $*' as root, then the same command again." >&2
    exit 1
fi

echo "Installing $* ..."
# RUNLEVEL=1 prevents that a server is started as a service.
quietly="DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -q"
log=$(mktemp)
# shellcheck disable=SC2086 # word splitting is intended
if ! { $as_root $quietly update && $as_root $quietly install -y --no-install-recommends "$@"; } \
    </dev/null >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    echo "Installing $* failed; fix the cause above, then run the same command again." >&2
    exit 1
fi
rm -f "$log"
