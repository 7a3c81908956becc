#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The README's C example compiles as it stands.
set -eu
cd "$(dirname "$0")/../.."
awk '/^```c$/ {on = 1; next} /^```/ {on = 0} on' README.md | gcc -std=c11 -Wall -Wextra -Werror -Iinclude -x c -fsyntax-only -
