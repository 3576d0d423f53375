#!/bin/sh
# Generates a service with every default into build/demo, and runs it until Ctrl-C.
set -eu
cd "$(dirname "$0")/.."

rm -rf build/demo
mkdir -p build/demo
PATH="$PWD/.venv/bin:$PATH" .venv/bin/cookiecutter . --no-input --output-dir build/demo
cd build/demo/my-service
echo "The resource: http://127.0.0.1:5000/api/v1/items   Try it: http://127.0.0.1:5000/docs"
PATH="$PWD/../../../.venv/bin:$PATH" exec make run
