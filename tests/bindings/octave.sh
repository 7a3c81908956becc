#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The MATLAB package in Octave: the gateway is built into a folder of its own against the library in lib/,
# then bindings/matlab/test/run_tests.m runs, then the README's lines typed at a prompt.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
command -v octave-cli >/dev/null || { echo "no octave-cli: .ci/deps installs it"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export HOME=$work
octave() { octave-cli --norc --quiet --no-history "$@"; }

octave --eval "
    addpath('$root/bindings/matlab/test');
    exit(run_tests('OutputDir', '$work') > 0);" | tee "$work/log"
passed=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed.*/\1/p' "$work/log")
failed=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed.*/\2/p' "$work/log")
passed=${passed:-0} failed=${failed:-1}

# A tree as after git clone and make, with the library by link, a small model and the README's relative path.
# Everything between ```matlab and ``` is typed but the block that trains; nothing but results may be printed.
quick_start() {
    mkdir -p "$work/clone" && cd "$work/clone" || return 1
    ln -s "$root/lib" "$root/include" .
    cp -r "$root/bindings" .
    rm -f bindings/matlab/*.mex
    octave --eval "
        warning('off', 'Octave:shadowed-function'); addpath('$root/bindings/matlab', '$work');
        cd('$root/bindings/matlab/test/private');
        mdldm.save(small_model(struct('work', '$work'), 2), '$work/clone/model');" || return 1
    {
        echo "iq = exp(2i * pi * 0.1 * (1:2000));"
        awk '/^```matlab$/ {on = 1; block = ""; next}
             /^```/ {if (on && block !~ /mdldm.train/) printf "%s", block; on = 0}
             on {block = block $0 "\n"}' bindings/matlab/README.md
        echo "disp(['typed ' num2str(size(picture))])"
    } >typed
    octave -i <typed >out 2>err || return 1
    grep -q "typed 256  256    3" out && [ -s first.png ] && ! grep -E 'error|warning' out err
}
if quick_start; then
    passed=$((passed + 1))
    echo "ok - the README's lines typed at a prompt"
else
    failed=$((failed + 1))
    echo "not ok - the README's lines typed at a prompt"
    sed 's/^/#   /' "$work/clone/out" "$work/clone/err"
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
