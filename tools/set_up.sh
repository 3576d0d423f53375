#!/bin/sh
# Creates .venv with the tools that pyproject.toml lists. Needs only Python 3.11 or newer.
set -eu
cd "$(dirname "$0")/.."

suits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
makes_environments() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }
add_venv() {
    version=$("$1" -c 'import sys; print("{}.{}".format(*sys.version_info))')
    tools/install_debian_packages.sh "python$version-venv"
}
is_root_of_debian() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

# The system's own Python comes first: it is built for speed, those of version managers often are
# not, and `make test` takes a tenth longer. If it lacks venv, root installs that; other users get
# the first Python that is complete.
python=
for candidate in /usr/bin/python3 python3 python3.13 python3.12 python3.11 python3.14 python3.15; do
    suits "$candidate" || continue
    python=${python:-$candidate}
    if makes_environments "$candidate" || { is_root_of_debian && add_venv "$candidate"; }; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "Python 3.11 or newer is needed: install it so that 'python3' or 'python3.11' runs it." >&2
    exit 1
fi

echo "Setting up .venv with $("$python" --version) ..."
if ! makes_environments "$python"; then
    add_venv "$python"
fi
# Not by --clear, which would empty the target of a link.
rm -rf .venv
"$python" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check "uv>=0.13"
.venv/bin/uv pip install --quiet --compile-bytecode --python .venv/bin/python --group dev
touch .venv/ready
