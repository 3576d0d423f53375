#!/bin/sh
# Installs PgBouncer unless it is installed; a test runs a service behind it.
set -eu
cd "$(dirname "$0")/.."
PATH="$PATH:/usr/sbin:/usr/local/sbin"

if command -v pgbouncer >/dev/null; then
    exit 0
fi
exec tools/install_debian_packages.sh pgbouncer
