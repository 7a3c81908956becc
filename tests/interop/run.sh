#!/bin/bash
# SPDX-License-Identifier: MIT
# Models made here against diffusers, and the other way round. PEER_PYTHON: a Python that has the
# packages of tests/golden/requirements.txt; without it a virtual environment is made from PyPI.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PEER_PYTHON:-}
if [ -z "$python" ]; then
    venv=${BUILD:-build}/interop-venv
    if [ ! -e "$venv/ready" ]; then
        echo "making a virtual environment with torch and diffusers in $venv"
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet -r tests/golden/requirements.txt
        touch "$venv/ready"
    fi
    python=$venv/bin/python
fi
"$python" tests/interop/compare_names.py lib/libmdldm.so.0
"$python" tests/interop/check_python.py
tests/interop/python_package.sh
exec "$python" tests/interop/check_interop.py "$@"
