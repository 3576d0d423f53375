#!/bin/sh
# Installs RabbitMQ unless it is installed; tests start a private server.
set -eu
cd "$(dirname "$0")/.."
PATH="$PATH:/usr/sbin"

if command -v rabbitmq-server >/dev/null; then
    exit 0
fi
exec tools/install_debian_packages.sh rabbitmq-server
