#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# debian/ is in step with the tree, without building packages (make deb does): versions, symbols, build
# dependencies, and each file that `make install` installs in exactly one package.
set -u
cd "$(dirname "$0")/../.."
lib=${MDLDM_LIB:-lib/libmdldm.so.0}
build=$(dirname "${MDLDM_BACKEND_DIR:-$PWD/build/backends}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. tests/support/checks.sh

version=$(sed -n 's/^VERSION := //p' Makefile)
header() { awk '/^#define MDLDM_VERSION_(MAJOR|MINOR|PATCH) / {v = v s $3; s = "."} END {print v}' include/mdldm/mdldm.h; }
same() { [ "$1" = "$2" ] || { echo "Makefile: $1, here: $2"; return 1; }; }
check "the header's version" same "$version" "$(header)"
check "debian/changelog's version" same "$version" "$(sed -n '1s/.*(\(.*\)-[^-]*).*/\1/p' debian/changelog)"
check "the Python package's version" same "$version" "$(sed -n 's/^version = "\(.*\)"/\1/p' bindings/python/pyproject.toml)"
check "CHANGELOG.md has the version" grep -q "^## \[.*${version//./\\.}" CHANGELOG.md

symbols() {
    make -s -f debian/rules SYMBOLS="$work/symbols" "$work/symbols" &&
        dpkg-gensymbols -plibmdldm0 -e"$lib" -I"$work/symbols" -v"$version" -c4 -O"$work/found" &&
        [ "$(grep -c '^ mdldm_' "$work/symbols")" -eq "$(awk '!/^#/ && NF' lib/symbols-in-versions | wc -l)" ]
}
check "the symbols file is that of the library" symbols
unlisted_symbol() { # is seen
    sed -i '/^ mdldm_version@/d' "$work/symbols"
    ! dpkg-gensymbols -plibmdldm0 -e"$lib" -I"$work/symbols" -v"$version" -c4 -O"$work/found"
}
check "a symbol that is not in the list is seen" unlisted_symbol

libraries() { .ci/deps --list | grep -E '^(lib.*|zlib1g)-dev$' | grep -v -e cmocka; }
depends() { # depends PACKAGE FIELD: names in that field
    awk -v package="$1" -v wanted="$2:" '/^(Source|Package):/ {here = $2 == package} /^[A-Z]/ {on = here && $1 == wanted}
        on' debian/control | tr ',' '\n' | sed 's/^[A-Za-z-]*://; s/(.*//; s/ //g' | grep . | sort
}
build_depends() { comm -23 <(libraries | sort) <(depends mdldm Build-Depends) | { ! grep .; }; }
check "what .ci/deps builds with is in Build-Depends" build_depends
linked() { # -lpng -> the package of libpng.so
    for l in $(sed -n 's/^CORE_LIBS := //p' Makefile | tr ' ' '\n' | sed -n 's/^-l//p' | grep -vx -e m -e dl -e pthread); do
        dpkg -S "$(gcc -print-file-name="lib$l.so")" 2>/dev/null ||
            dpkg -S "$(realpath -s "$(gcc -print-file-name="lib$l.so")")" || echo "no package has lib$l.so"
    done | sed 's/:.*//' | sort -u
}
static_depends() { comm -23 <(linked) <(depends libmdldm-dev Depends) | { ! grep .; }; }
check "libmdldm-dev brings what the static library is linked with" static_depends

multiarch=usr/lib/x86_64-linux-gnu
installs() {
    make -s install-files DESTDIR="$work/root" PREFIX=/usr LIBDIR=/$multiarch INSTALL_BUILD="$build" INSTALL_LIBOUT="$(dirname "$lib")" &&
        (cd "$work/root" && find . -type f -o -type l | sed 's/^\.\///' | sort) >"$work/files" && [ "$(wc -l <"$work/files")" -gt 15 ]
}
check "make install-files" installs
shopt -s nullglob
for list in debian/*.install; do
    while read -r pattern target; do
        if [ -n "${target:-}" ]; then # from the source tree
            [ -e "$pattern" ] || echo "$list: there is no $pattern"
            continue
        fi
        found=0
        for path in "$work/root/"$pattern; do
            found=1
            find "$path" -type f -o -type l | sed "s|^$work/root/||"
        done
        [ $found -eq 1 ] || echo "$list: nothing matches $pattern"
    done <"$list"
done | sort >"$work/claimed"
claimed_once() { diff "$work/files" "$work/claimed"; }
check "each installed file is in one package (< in none, > twice or not there)" claimed_once
checks_end
