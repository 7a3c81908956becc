#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Any x86-64 processor can run what we build: no VEX or EVEX instruction in the library outside functions
# that gcc clones for instruction sets (dot.avx2), nor in objects of the cpu plug-in but those that are
# chosen at run time (cpu_*_avx*), and in those no function that the linker could take in place of a
# baseline one.
set -eu
cd "$(dirname "$0")/../.."
[ "$(uname -m)" = x86_64 ] || { echo "not an x86-64 processor"; exit 0; }
build=$(dirname "${MDLDM_BACKEND_DIR:-$PWD/build/backends}")
# The first few: mnemonics with a v (of which verr, verw and virtualisation's vm* are older than AVX), mask
# registers, BMI.
vex() {
    objdump -d --no-show-raw-insn "$1" | awk -F '\t' '
        />:$/ { clone = $0 ~ /\.avx[0-9a-z]*>:$/ }
        !clone && $2 ~ /^(v|k(mov|or|and|xor|not|test|shift|unpck|add)|(andn|bls[ir]|blsmsk|bzhi|mulx|pdep|pext|rorx|sarx|sh[lr]x)[lq]?( |$))/ &&
        $2 !~ /^(verr|verw|vm)/ { print; if (++n == 3) exit }'
}
found=$(vex "${MDLDM_LIB:-lib/libmdldm.so.0}")
[ -z "$found" ] || { echo "AVX code in the library:"; echo "$found"; exit 1; }
plain=0 chosen=0
while read -r object; do
    found=$(vex "$object")
    case $object in
    */cpu_*_avx*)
        chosen=$((chosen + 1))
        [ -n "$found" ] || { echo "no AVX code seen in $object: this test is blind"; exit 1; }
        if nm -g --defined-only "$object" | grep -i ' [twv] ' | grep -v '_avx[0-9a-z]*$'; then
            echo "$object: a function that other objects may end up with"
            exit 1
        fi
        ;;
    *)
        plain=$((plain + 1))
        [ -z "$found" ] || { echo "AVX code in $object:"; echo "$found"; exit 1; }
        ;;
    esac
done < <(find "$build/cpu-plugin" -name '*.o')
if [ $plain -lt 10 ] || [ $chosen -lt 3 ]; then
    echo "$plain and $chosen objects found in $build/cpu-plugin"
    exit 1
fi
