#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# backends/cuda/cuda_runtime_types.h and cuda_runtime.def against the toolkit's own headers: sizes, numbers, and
# each call with our parameters. Where there is no toolkit there is nothing to compare.
set -eu
cd "$(dirname "$0")/../.."
nvcc=$(command -v nvcc || true)
include=${CUDA_INCLUDE:-${nvcc:+$(dirname "$(dirname "$nvcc")")/include}}
if [ ! -e "${include:-/nonexistent}/cuda_runtime_api.h" ]; then
    echo "no CUDA toolkit here: nothing to compare"
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{
    cat <<'C'
#include <stddef.h>
#include <cuda_runtime_api.h>
#include "backends/cuda/cuda_runtime_types.h"
#define SAME(a, b) static_assert((long)(a) == (long)(b), #a)
#define FIELD(ours, theirs) SAME(offsetof(mdldm__cuda_launch_config, ours), offsetof(cudaLaunchConfig_t, theirs))
SAME(sizeof(mdldm__cuda_launch_config), sizeof(cudaLaunchConfig_t));
FIELD(grid, gridDim);
FIELD(block, blockDim);
FIELD(shared_bytes, dynamicSmemBytes);
FIELD(stream, stream);
FIELD(attributes, attrs);
FIELD(attribute_count, numAttrs);
SAME(sizeof(mdldm__cuda_handle), sizeof(cudaStream_t));
SAME(sizeof(int), sizeof(cudaError_t));
/* A parameter of ours passes for one of theirs: the same size, and pointer for pointer, number for number. */
template <typename T> struct kind { enum { pointer = 0 }; };
template <typename T> struct kind<T *> { enum { pointer = 1 }; };
template <typename O, typename T> struct pass {
    enum { ok = sizeof(O) == sizeof(T) && (int)kind<O>::pointer == (int)kind<T>::pointer };
};
template <typename O, typename T> struct fits { enum { ok = 0 }; };
template <typename R> struct fits<int(), R()> { enum { ok = 1 }; };
template <typename O, typename... Os, typename R, typename T, typename... Ts>
struct fits<int(O, Os...), R(T, Ts...)> {
    enum { ok = (int)pass<O, T>::ok && (int)fits<int(Os...), R(Ts...)>::ok };
};
#define MDLDM__CUDA_CALL(name, parameters) \
    typedef int ours_##name parameters; \
    static_assert(fits<ours_##name, decltype(::name)>::ok, #name);
#include "backends/cuda/cuda_runtime.def"
C
    # "NAME = n, /* cudaName */" of the enum
    sed -n 's/^ *\(MDLDM__CUDA_[A-Z_]*\) = [0-9]*,\{0,1\} *\/\* \(cuda[A-Za-z0-9]*\) \*\/$/SAME(\1, \2);/p' \
        backends/cuda/cuda_runtime_types.h
} > "$work/types.cpp"
[ "$(grep -c '^SAME(MDLDM__' "$work/types.cpp")" -ge 14 ] || { echo "the enum was not read"; exit 1; }
# cudaGraphInstantiate and others are overloaded for C++ unless told not to be.
g++ -std=c++11 -fsyntax-only -I. -isystem "$include" "$work/types.cpp"
# A wrong number and a wrong parameter are seen.
sed 's/\(MDLDM__CUDA_TO_HOST\), /\1 + 1, /' "$work/types.cpp" > "$work/wrong.cpp"
! g++ -std=c++11 -fsyntax-only -I. -isystem "$include" "$work/wrong.cpp" 2>/dev/null || { echo "a wrong number passes"; exit 1; }
sed 's/#include "backends.cuda.cuda_runtime.def"/MDLDM__CUDA_CALL(cudaFree, (int pointer))/' "$work/types.cpp" > "$work/wrong.cpp"
! g++ -std=c++11 -fsyntax-only -I. -isystem "$include" "$work/wrong.cpp" 2>/dev/null || { echo "a wrong parameter passes"; exit 1; }
echo "as the toolkit in $include has them"
