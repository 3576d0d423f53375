#!/bin/sh
# Installs a browser unless it is there; a test opens a service's page with it.
set -eu
cd "$(dirname "$0")/.."

if command -v chromium >/dev/null; then
    exit 0
fi
exec tools/install_debian_packages.sh chromium
