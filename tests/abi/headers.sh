#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each public header compiles alone, as C11 and as C++, with all warnings on.
set -eu
cd "$(dirname "$0")/../.."
for header in include/mdldm/*.h; do
    for mode in "c -std=c11" "c++ -std=c++11"; do
        # shellcheck disable=SC2086
        gcc -x $mode -Wall -Wextra -Wpedantic -Werror -Iinclude -fsyntax-only "$header"
    done
done
