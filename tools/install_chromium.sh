#!/bin/sh
# Installs a browser unless there is one; a test opens a page of a service with it.
set -eu
cd "$(dirname "$0")/.."

if command -v chromium >/dev/null; then
    exit 0
fi
exec tools/install_debian_packages.sh chromium
