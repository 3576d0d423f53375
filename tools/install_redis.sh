#!/bin/sh
# Installs Redis unless it is installed; tests start a private server.
set -eu
cd "$(dirname "$0")/.."

if command -v redis-server >/dev/null; then
    exit 0
fi
exec tools/install_debian_packages.sh redis-server
