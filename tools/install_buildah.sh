#!/bin/sh
# Installs the programs that build images without Docker, unless they are installed. Only root can use
# them: for other users the tests of images are skipped, and the report names them.
set -eu
cd "$(dirname "$0")/.."
PATH="$PATH:/usr/sbin:/usr/local/sbin"

if [ "$(id -u)" != 0 ] || { command -v buildah && command -v debootstrap; } >/dev/null; then
    exit 0
fi
exec tools/install_debian_packages.sh buildah debootstrap
