#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The MATLAB package in Octave: the gateway is built into a folder of its own against the library in lib/,
# then bindings/matlab/test/run_tests.m runs. OCTAVE names another interpreter.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
octave=${OCTAVE:-octave-cli}
command -v "$octave" >/dev/null || { echo "no $octave: .ci/deps installs it"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export HOME=$work
"$octave" --norc --quiet --no-history --eval "
    addpath('$root/bindings/matlab/test');
    exit(run_tests('OutputDir', '$work') > 0);"
