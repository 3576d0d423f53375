#!/bin/sh
# Generates a service with every default into a folder and runs it on a port until Ctrl-C.
set -eu
cd "$(dirname "$0")/.."
folder=$1
port=$2

PATH="$PWD/.venv/bin:$PATH"
rm -rf "$folder"
mkdir -p "$folder"
cookiecutter . --no-input --output-dir "$folder"
cd "$folder/my-service"
echo "The API is at http://127.0.0.1:$port/api/v1/items"
echo "The docs are at http://127.0.0.1:$port/docs"
exec make --no-print-directory run port="$port"
