#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The C examples of README.md and docs/BINDINGS.md compile as they stand.
set -eu
cd "$(dirname "$0")/../.."
for page in README.md docs/BINDINGS.md; do
    awk '/^```c$/ {on = 1; next} /^```/ {on = 0} on' $page | grep -q main || { echo "no example in $page"; exit 1; }
    awk '/^```c$/ {on = 1; next} /^```/ {on = 0} on' $page |
        gcc -std=c11 -Wall -Wextra -Werror -Iinclude -x c -fsyntax-only -
done
