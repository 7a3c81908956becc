#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each public header compiles alone, as C11, C17, C++11 and C++20, with all warnings on, by gcc and where
# there by clang.
set -eu
cd "$(dirname "$0")/../.."
warnings="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wundef -Werror"
compilers=gcc
command -v clang >/dev/null && compilers="gcc clang"
compiled=0
for header in include/mdldm/*.h; do
    for compiler in $compilers; do
        for mode in "c -std=c11 -Wstrict-prototypes -Wc++-compat" "c -std=c17 -Wstrict-prototypes -Wc++-compat" \
            "c++ -std=c++11 -Wold-style-cast" "c++ -std=c++20 -Wold-style-cast"; do
            # shellcheck disable=SC2086
            $compiler -x $mode $warnings -Iinclude -fsyntax-only "$header"
            compiled=$((compiled + 1))
        done
    done
done
echo "$compiled compiled"
