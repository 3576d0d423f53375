#!/bin/sh
# Installs the programs of MariaDB unless they are installed; tests start a private server.
set -eu
cd "$(dirname "$0")/.."
PATH="$PATH:/usr/sbin:/usr/local/sbin"

if command -v mariadbd >/dev/null && command -v mariadb-install-db >/dev/null; then
    exit 0
fi
# The core packages contain only the programs. Where they are missing, the whole server is installed.
if apt-cache show mariadb-server-core >/dev/null 2>&1; then
    exec tools/install_debian_packages.sh mariadb-server-core mariadb-client-core
fi
exec tools/install_debian_packages.sh mariadb-server
