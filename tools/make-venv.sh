#!/bin/sh
# make-venv.sh PYTHON FOLDER: make the virtual environment, or say exactly what is missing and how to install it.
set -eu
python=$1
venv=$2

command -v "$python" >/dev/null 2>&1 || {
    echo "portgen needs Python 3.11 or newer, and there is no '$python' here. On Debian or Ubuntu:" >&2
    echo "    sudo apt-get install python3 python3-venv" >&2
    exit 1
}
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "portgen needs Python 3.11 or newer; '$python' is $version. On Debian 11 or Ubuntu 22.04:" >&2
    echo "    sudo apt-get install python3.11 python3.11-venv      # Ubuntu 22.04 has it; Debian 11 does not: use Debian 12" >&2
    echo "    make render PYTHON=python3.11" >&2
    exit 1
fi
# Debian's python3 without python3-venv has the module venv, but not ensurepip, and makes half an environment.
if ! "$python" -c 'import venv, ensurepip' >/dev/null 2>&1; then
    echo "portgen needs python3-venv to make its environment. On Debian or Ubuntu:" >&2
    echo "    sudo apt-get install python$version-venv" >&2
    exit 1
fi
[ -x "$venv/bin/python" ] && "$venv/bin/python" -c 'import pip' >/dev/null 2>&1 && exit 0
echo "making $venv with Python $version" >&2
"$python" -m venv --clear "$venv"
