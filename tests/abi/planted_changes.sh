#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The checks of the interface see what they are there for: each change planted in a copy of the headers is
# refused, each addition is let through.
set -u
cd "$(dirname "$0")/../.."
lib=${MDLDM_LIB:-lib/libmdldm.so.0}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
verdict() { # verdict NAME WANTED GOT: 0 is "no objection"
    if [ "$2" -eq "$(($3 != 0))" ]; then
        passed=$((passed + 1))
        echo "ok $1"
    else
        failed=$((failed + 1))
        echo "not ok $1"
        tail -n 15 "$work/log" | sed 's/^/# /'
    fi
}

# plant WANTED NAME CHECK FILE SED [LINK-FLAG...]: edits a copy of FILE (mdldm.h, mdldm_backend.h, the map).
plant() {
    local wanted=$1 name=$2 check=$3 file=$4 edit=$5 status=0
    shift 5
    rm -rf "$work/tree"
    mkdir -p "$work/tree/mdldm"
    cp include/mdldm/*.h lib/libmdldm.map "$work/tree/mdldm/"
    sed -i "$edit" "$work/tree/mdldm/$file"
    if [ -n "$edit" ] && cmp -s "$work/tree/mdldm/$file" "$(ls "include/mdldm/$file" "lib/$file" 2>/dev/null)"; then
        echo "the edit changes nothing" >"$work/log"
        verdict "$name" 0 1
        return
    fi
    if [ "$check" = abi_check ]; then
        python3 tests/abi/stub_library.py "$work/tree/mdldm/mdldm.h" >"$work/stub.c" &&
            gcc -g -fPIC -shared -I"$work/tree" -Wl,-soname,libmdldm.so.0 \
                -Wl,--version-script="$work/tree/mdldm/libmdldm.map" "$@" "$work/stub.c" -o "$work/stub.so" || {
            failed=$((failed + 1))
            echo "not ok $name: does not compile"
            return
        }
    fi
    MDLDM_LIB=$work/stub.so MDLDM_HEADERS=$work/tree/mdldm bash tests/abi/$check.sh >"$work/log" 2>&1 || status=$?
    verdict "$name" "$wanted" $status
}
header=mdldm.h
plant 0 "the header as it is" abi_check $header ""
plant 0 "a function added" abi_check $header 's/^MDLDM_API const char \*mdldm_version/MDLDM_API int mdldm_planted(int a);\n&/'
plant 0 "an enumerator added at the end" abi_check $header 's/MDLDM_ERROR_INTERNAL = 11/&, MDLDM_ERROR_PLANTED = 12/'
plant 1 "a function removed" abi_check $header '/^MDLDM_API const char \*mdldm_version/d'
plant 1 "a narrower parameter" abi_check $header '/mdldm_sampler_timestep/s/int64_t index/int32_t index/'
plant 1 "another result" abi_check $header 's/^MDLDM_API double mdldm_option_min/MDLDM_API float mdldm_option_min/'
plant 1 "one parameter more" abi_check $header '/mdldm_options_free/s/options)/options, int32_t flags)/'
plant 1 "one parameter less" abi_check $header '/mdldm_option_key(/s/int32_t index/void/'
plant 1 "parameters exchanged" abi_check $header '/mdldm_status mdldm_model_load/s/const char \*dir, mdldm_model \*\*out/mdldm_model **out, const char *dir/'
plant 1 "an enumerator's value changed" abi_check $header 's/MDLDM_ERROR_IO = 3,/MDLDM_ERROR_IO = 30,/'
plant 1 "an enumerator removed" abi_check $header 's/MDLDM_ERROR_IO = 3,//'
plant 1 "another callback" abi_check $header '/mdldm_log_fn)/s/int32_t level/int64_t level/'
plant 1 "another symbol version" abi_check libmdldm.map 's/MDLDM_0.1/MDLDM_0.9/'
plant 1 "another soname" abi_check $header "" -Wl,-soname,libmdldm.so.1
plant 1 "no debug information" abi_check $header "" -g0
plant 0 "the values as they are" enum_values $header ""
plant 1 "the value of an enumerator that no function's type names" enum_values $header 's/MDLDM_OPTION_FLAG = 3/MDLDM_OPTION_FLAG = 4/'
plant 1 "a scope removed" enum_values $header '/MDLDM_SCOPE_VQ = 8/d'
plant 1 "an enumerator that is not in the list" enum_values $header 's/MDLDM_STAGE_DIFFUSION = 2/&, MDLDM_STAGE_PLANTED = 3/'
plant 1 "the value of a plug-in's flag" enum_values mdldm_backend.h 's/MDLDM_PLAN_DIRECT 2/MDLDM_PLAN_DIRECT 32/'
plant 0 "the plug-in interface as it is" backend_interface mdldm_backend.h ""
plant 0 "a comment in the plug-in interface" backend_interface mdldm_backend.h 's/^typedef enum mdldm_dtype/\/* planted *\/\n&/'
plant 1 "a field in a structure of plug-ins" backend_interface mdldm_backend.h '0,/^    int32_t /s//    int32_t planted;\n&/'

# The library itself, linked anew with one function left out of its exports.
if [ -f "${lib%.so.0}.a" ]; then
    sed 's/local:/local: mdldm_version;/' lib/libmdldm.map >"$work/map"
    gcc -shared -Wl,-soname,libmdldm.so.0 -Wl,--version-script="$work/map" -Wl,--whole-archive "${lib%.so.0}.a" \
        -Wl,--no-whole-archive -o "$work/real.so"
    status=0
    MDLDM_LIB=$work/real.so bash tests/abi/abi_check.sh >"$work/log" 2>&1 || status=$?
    grep -q "mdldm_version" "$work/log" || status=0 # for that reason and no other
    verdict "a function hidden in the library" 1 $status
    # A program that calls it does not run with that library, and the kept programs' test says so.
    mkdir -p "$work/kept"
    cp "$work/real.so" "$work/kept/libmdldm.so.0"
    status=0
    : >"$work/log" # what abidiff said of mdldm_version is not this program's
    gcc -std=gnu11 -Iinclude tests/abi/release/*.c "$lib" -lm -o "$work/caller" &&
        LD_LIBRARY_PATH=$work/kept "$work/caller" "$work" >"$work/log" 2>&1 || status=$?
    grep -q "mdldm_version" "$work/log" || status=0
    verdict "a kept program that wants it" 1 $status
fi
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
