#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The backends' test programs on the cuda backend, its kernels interpreted by the test runtime: once with what clang-16
# made of them, once with what nvcc made, as far as these are here. BUILD: where things were built. Programs to run may
# be named; else those that interpreting runs in bearable time.
set -u
cd "$(dirname "$0")/../.."
build=$(realpath "${BUILD:-build}")
programs=("$@")
if [ ${#programs[@]} -eq 0 ]; then
    programs=(backend/test_backend_ops backend/test_backend_store backend/test_backend_contract backend/test_backend_adamw)
fi
export MDLDM_CUDART=$build/tests/cuda/libcudart.so.13
log=$(mktemp)
trap 'rm -f "$log" "$log.out"' EXIT
passed=0 failed=0 seen=0
for compiler in clang nvcc; do
    if [ ! -e "$build/cuda/$compiler/mdldm_backend_cuda.so" ]; then
        echo "no kernels by $compiler here: not tried"
        continue
    fi
    seen=1
    for program in "${programs[@]}"; do
        : >"$log"
        MDLDM_BACKEND_DIR=$build/cuda/$compiler MDLDM_FAKE_CUDA_LOG=$log MDLDM_FAKE_CUDA_LEAKS=1 \
            timeout "${TEST_TIMEOUT:-900}" "$build/tests/$program" >"$log.out" 2>&1
        status=$?
        if [ $status -eq 0 ] && [ ! -s "$log" ]; then
            passed=$((passed + 1))
            echo "ok $compiler $program"
        else
            failed=$((failed + 1))
            echo "FAILED $compiler $program, exit status $status"
            tail -n 20 "$log.out"
            head -n 20 "$log"
        fi
    done
done
if [ $seen -eq 0 ]; then
    echo "neither clang-16 nor nvcc: there is no cuda backend to test"
    exit 0
fi
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
