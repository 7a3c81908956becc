#!/bin/bash
# SPDX-License-Identifier: MIT
# The Python package as its users install it: a clean virtual environment, a wheel made without a compiler, its
# types checked, its own tests against what was installed, and the packages it works with when they are there
# (datasets, tqdm, pillow). Needs PyPI.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=${BUILD:-build}/python-venv
if [ ! -e "$venv/ready" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet -r tests/interop/python_package.txt
    touch "$venv/ready"
fi
venv=$(cd "$venv" && pwd)
rm -rf bindings/python/build
CC=/bin/false CXX=/bin/false "$venv/bin/pip" install --quiet --force-reinstall --no-deps ./bindings/python
rm -rf bindings/python/build
(cd bindings/python && "$venv/bin/mypy" --cache-dir "$venv/mypy" mdldm)
# What a caller gets wrong, the type checker sees: an option that is not there, one of another call, a choice.
for wrong in 'Model.create(num_clases=2)' 'Model.create(learning_rate=1.0)' 'Model.create(preset="huge")' \
    'Model.load(3)' 'Model.create(seed="x")' 'Trainer("diffusion", mdldm.Dataset.open("x"))'; do
    if "$venv/bin/mypy" --cache-dir "$venv/mypy" -c "import mdldm; mdldm.$wrong" >/dev/null; then
        echo "mypy finds nothing wrong with mdldm.$wrong"
        exit 1
    fi
done
"$venv/bin/mypy" --cache-dir "$venv/mypy" -c 'import mdldm; mdldm.Model.create(preset="tiny", seed=3, vae_path="vq")'
MDLDM_TEST_INSTALLED=1 "$venv/bin/python" -m unittest discover -s tests/bindings/python
"$venv/bin/python" tests/interop/check_python_extras.py
