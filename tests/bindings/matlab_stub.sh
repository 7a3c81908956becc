#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The gateway keeps to the C MEX API that MATLAB documents: it compiles against declarations of that API alone,
# with all warnings. Once more against Octave's own header.
set -u
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
warnings="-Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wformat=2 -Werror"
. tests/support/checks.sh

compile() { # COMPILER INCLUDE-FLAGS...
    local compiler=$1 f
    shift
    for f in bindings/matlab/src/*.c; do
        $compiler -std=c11 -D_POSIX_C_SOURCE=200809L $warnings -Iinclude "$@" -O1 -c "$f" \
            -o "$work/$(basename "$f" .c).o" || return 1
    done
}
public_only() { # nothing of the library but its public header
    ! grep -n '#include "' bindings/matlab/src/*.[ch] | grep -v '"mdldm_mex.h"'
}

octave=$(echo /usr/include/octave-*/octave)
check "the gateway compiles against MATLAB's documented API without a warning" compile gcc -Itests/support/matlab_stub
if command -v clang >/dev/null; then
    check "clang has no warning either" compile clang -Itests/support/matlab_stub
fi
check "it compiles against Octave's header" compile gcc -isystem "$octave"
check "it includes the library's public header only" public_only
checks_end
