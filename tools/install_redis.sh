#!/bin/sh
# Installs the program of Redis unless it is there; tests start a server of their own with it.
set -eu
cd "$(dirname "$0")/.."

if command -v redis-server >/dev/null; then
    exit 0
fi
exec tools/install_debian_packages.sh redis-server
