#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every operation of the cuda plug-in on the test runtime, once more with the kernels of the compiler whose
# kernels the other tests do not run: clang-16's where nvcc is.
set -u
cd "$(dirname "$0")/../.."
build=$(dirname "${MDLDM_BACKEND_DIR:-$PWD/build/backends}")
passed=0 failed=0
for plugin in "$build"/cuda/*/mdldm_backend_cuda.so; do
    [ -e "$plugin" ] || { echo "the cuda plug-in was not built: no compiler for its kernels"; continue; }
    ! cmp -s "$plugin" "$build/backends/mdldm_backend_cuda.so" || continue
    for test in tests/backend/test_backend_ops tests/backend/test_backend_adamw; do
        # The first argument picks tests by name.
        if MDLDM_BACKEND_DIR=$(dirname "$plugin") "$build/$test" cuda >"$build/cuda/variant.log" 2>&1 &&
            ! grep -q 'backend cuda is left out' "$build/cuda/variant.log"; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            echo "$plugin, $test:"
            tail -n 40 "$build/cuda/variant.log"
        fi
    done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
