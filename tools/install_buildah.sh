#!/bin/sh
# Installs what builds images without Docker, unless it is there. Only root can build so: for anybody
# else the tests of the image are left out, and the report says so.
set -eu
cd "$(dirname "$0")/.."
PATH="$PATH:/usr/sbin:/usr/local/sbin"

if [ "$(id -u)" != 0 ] || { command -v buildah && command -v debootstrap; } >/dev/null; then
    exit 0
fi
exec tools/install_debian_packages.sh buildah debootstrap
