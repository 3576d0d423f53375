#!/bin/sh
# Makes .venv with the tools that pyproject.toml lists. Needs only Python 3.11 or newer.
set -eu
cd "$(dirname "$0")/.."

for python in python3 python3.13 python3.12 python3.11 python3.14; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        break
    fi
    python=
done
if [ -z "$python" ]; then
    echo "Python 3.11 or newer is needed: install it so that 'python3' or 'python3.11' runs it." >&2
    exit 1
fi

echo "Setting up .venv with $("$python" --version) ..."
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("{}.{}".format(*sys.version_info))')
    tools/install_debian_packages.sh "python$version-venv"
fi
# Not by --clear, which would empty what .venv may be a link to.
rm -rf .venv
"$python" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check "uv>=0.13"
.venv/bin/uv pip install --quiet --compile-bytecode --python .venv/bin/python --group dev
touch .venv/ready
