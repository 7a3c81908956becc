#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every enumerator and every flag of the public headers keeps its value for ever: lib/enum-values pins
# them, as C11 and as C++. enum_values.sh --update adds new ones to the list; it never changes one.
#   MDLDM_HEADERS: another folder of headers than the tree's
set -eu
cd "$(dirname "$0")/../.."
headers=${MDLDM_HEADERS:-include/mdldm}
list=lib/enum-values
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for header in "$headers"/*.h; do
    gcc -fpreprocessed -dD -E -P "$header" 2>/dev/null >"$work/plain"
    # Sizes within a structure of plug-ins follow the interface's version, see backend_interface.sh.
    sed -n 's/^#define \(MDLDM_[A-Z0-9_]*\) [0-9][0-9]*$/\1/p' "$work/plain" |
        grep -Ev '^MDLDM_(VERSION_|OP_INPUTS$|OP_OUTPUTS$)' || true
    tr '\n' ' ' <"$work/plain" | grep -o 'enum [a-z0-9_]* *{[^}]*}' | sed 's/.*{//; s/}//' | tr ',' '\n' |
        sed 's/=.*//' | tr -d ' ' | grep . || true
done >"$work/names"
awk '!/^#/ && NF {print $1}' $list | sort >"$work/listed"
sort "$work/names" >"$work/sorted"
includes=$(for header in "$headers"/*.h; do echo "#include \"$(realpath "$header")\""; done)
if [ "${1:-}" = --update ]; then
    {
        echo "#include <stdio.h>"
        echo "$includes"
        echo "int main(void) {"
        comm -13 "$work/listed" "$work/sorted" | sed 's/.*/printf("%s %d\\n", "&", (int)&);/'
        echo "}"
    } >"$work/values.c"
    gcc -Iinclude "$work/values.c" -o "$work/values"
    "$work/values" | awk '{printf "%-32s %s\n", $1, $2}' >>$list
    exit 0
fi
[ "$(wc -l <"$work/names")" -gt 40 ] || { echo "only $(wc -l <"$work/names") names found: this test is blind"; exit 1; }
missing=$(comm -13 "$work/listed" "$work/sorted")
[ -z "$missing" ] || { echo "not in $list (tests/abi/enum_values.sh --update adds them):" $missing; exit 1; }
gone=$(comm -23 "$work/listed" "$work/sorted")
[ -z "$gone" ] || { echo "in $list but in no header:" $gone; exit 1; }
{
    echo "$includes"
    awk '!/^#/ && NF {printf "static_assert(%s == %s, \"%s was %s\");\n", $1, $2, $1, $2}' $list
} >"$work/pins.cpp"
sed 's/^static_assert/_Static_assert/' "$work/pins.cpp" >"$work/pins.c"
gcc -std=c11 -Iinclude -fsyntax-only "$work/pins.c"
gcc -x c++ -std=c++11 -Iinclude -fsyntax-only "$work/pins.cpp"
