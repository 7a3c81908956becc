#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Fetches oneDNN 3.x from PyPI, once, and lays it out as a DNNL_PREFIX:
#   tests/onednn3/fetch.sh PREFIX
# The packages ending in -cpu-gomp are the ones built for GNU OpenMP; the newer `onednn` packages are built
# for SYCL and TBB, whose threads the library's thread option would not govern.
set -euo pipefail
prefix=$1
[ ! -e "$prefix/ready" ] || exit 0
rm -rf "$prefix"
mkdir -p "$prefix/wheels"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
    -r "$(dirname "$0")/requirements.txt" -d "$prefix/wheels"
for wheel in "$prefix"/wheels/*.whl; do
    python3 -m zipfile -e "$wheel" "$prefix/wheels"
done
for data in "$prefix"/wheels/*.data/data; do
    cp -r "$data/." "$prefix/"
done
rm -r "$prefix/wheels"
touch "$prefix/ready"
