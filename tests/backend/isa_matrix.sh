#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The cpu backend as lesser processors see it: its tests with oneDNN, and our kernels with it, held below
# the best instruction set of this processor, which all other tests use. At SSE41 our kernels are the
# baseline ones, for any x86-64.
set -u
tests=$(dirname "${MDLDM_BACKEND_DIR:?}")/tests
# The cpu plug-in alone: what other backends compute does not depend on this processor.
only=$(mktemp -d)
log=$only/log
trap 'rm -rf "$only"' EXIT
ln -s "$(realpath "$MDLDM_BACKEND_DIR")/mdldm_backend_cpu.so" "$only/"
passed=0 failed=0
# Limits, lowest first, each with the flags that it takes.
limits=('SSE41 sse4_1' 'AVX2 avx2 fma' 'AVX512_CORE avx512f avx512bw avx512dq avx512vl'
    'AVX512_CORE_BF16 avx512_bf16' 'AVX512_CORE_AMX amx_tile')
usable=()
for limit in "${limits[@]}"; do
    read -r isa flags <<<"$limit"
    for flag in $flags; do
        if ! grep -qw "$flag" /proc/cpuinfo; then
            echo "# $isa and higher ones are left out: this processor has no $flag"
            break 2
        fi
    done
    usable+=("$isa")
done
echo "# the best here: ${usable[-1]:-none}"
for isa in "${usable[@]:0:${#usable[@]}-1}"; do
    for test in backend/test_cpu_isa backend/test_backend_ops backend/test_backend_contract \
        backend/test_winograd golden/test_golden_unet golden/test_golden_autoencoder; do
        if MDLDM_BACKEND_DIR=$only ONEDNN_MAX_CPU_ISA=$isa "$tests/$test" >"$log" 2>&1; then
            passed=$((passed + 1))
            echo "ok - $test at $isa"
        else
            failed=$((failed + 1))
            echo "not ok - $test at $isa"
            grep -E 'ERROR|FAILED|rror:' "$log" | head -n 10 | sed 's/^/# /'
        fi
    done
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
