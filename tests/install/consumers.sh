#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a program outside needs to use the library: an installation under DESTDIR gives pkg-config (shared and
# static) and CMake (shared, static, versions) all they need to build examples/embed.c, which then runs.
set -u
cd "$(dirname "$0")/../.."
build=$(dirname "${MDLDM_BACKEND_DIR:-$PWD/build/backends}")
lib=$(dirname "$(realpath "${MDLDM_LIB:-lib/libmdldm.so.0}")")
unset MDLDM_BACKEND_DIR MAKEFLAGS # the installed plug-in is to be found
export GOMP_SPINCOUNT=${GOMP_SPINCOUNT-1000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=/opt/mdldm libdir=/opt/mdldm/lib/arch
root=$work/root
. tests/support/checks.sh
place() { # place TARGET ROOT
    make --no-print-directory "$1" INSTALL_BUILD="$build" INSTALL_LIBOUT="$lib" PREFIX=$prefix LIBDIR=$libdir DESTDIR="$2"
}
installs() { place install-files "$root" && [ -f "$root$libdir/cmake/mdldm/mdldm-config.cmake" ]; }
check "install under DESTDIR" installs
config() { # config ROOT ARGUMENT...: pkg-config that sees nothing but this installation
    local at=$1
    shift
    PKG_CONFIG_SYSROOT_DIR=$at PKG_CONFIG_LIBDIR=$at$libdir/pkgconfig pkg-config "$@"
}
version() { [ "$(config "$root" --modversion mdldm)" = "$(sed -n 's/^VERSION := //p' Makefile)" ]; }
check "pkg-config knows the version" version
compile() { # compile OUTPUT ROOT FLAG...
    local output=$1 at=$2
    shift 2
    # shellcheck disable=SC2046
    gcc -std=c11 -Wall -Wextra -Werror examples/embed.c $(config "$at" "$@" --cflags --libs mdldm) -lm -o "$output"
}
works() { # works PROGRAM: three steps of each stage, six matrices
    "$1" 3 >"$work/out" && cat "$work/out" && [ "$(grep -c '^new matrix .* dB, background -[0-9.]* dB$' "$work/out")" -eq 6 ]
}
# The loader finds the library there, and the library its plug-in beside itself.
shared() { compile "$work/shared" "$root" && ldd "$work/shared" | grep -q libmdldm.so.0 && LD_LIBRARY_PATH=$root$libdir works "$work/shared"; }
check "pkg-config, shared: embed.c builds and runs" shared
static() {
    cp -r "$root" "$work/bare" && rm "$work/bare$libdir"/libmdldm.so* && compile "$work/static" "$work/bare" --static &&
        ! ldd "$work/static" | grep -q libmdldm && MDLDM_BACKEND_DIR=$root$libdir/mdldm works "$work/static"
}
check "pkg-config --static is complete: embed.c builds and runs" static

mkdir "$work/project"
cat >"$work/project/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.10)
project(consumer C)
find_package(mdldm \${WANTED} REQUIRED \${PARTS})
add_executable(embed $PWD/examples/embed.c)
target_link_libraries(embed mdldm::mdldm m)
END
configured() { # configured NAME DEFINITION...
    local name=$1
    shift
    cmake -S "$work/project" -B "$work/$name" -DCMAKE_PREFIX_PATH="$root$prefix" -Dmdldm_DIR="$root$libdir/cmake/mdldm" "$@"
}
with_cmake() { # with_cmake NAME 0|1 DEFINITION...: 1 when the program is to name the shared library
    local name=$1 wanted=$2 found=0
    shift 2
    configured "$name" "$@" && cmake --build "$work/$name" || return 1
    ldd "$work/$name/embed" | grep -q libmdldm && found=1
    [ $found -eq "$wanted" ] && "$work/$name/embed" x | grep "max_train_steps"
}
check "CMake, shared" with_cmake c1 1 -DWANTED=0.1
check "CMake, MDLDM_USE_STATIC_LIBS" with_cmake c2 0 -DMDLDM_USE_STATIC_LIBS=ON
check "CMake, COMPONENTS static" with_cmake c3 0 "-DPARTS=COMPONENTS;static"
refused() { ! configured "$@" && grep -q "$wanted" "$work/log"; }
wanted='requested version "1.0"' check "CMake refuses another version" refused c4 -DWANTED=1.0
wanted='no component python' check "CMake refuses another component" refused c5 "-DPARTS=COMPONENTS;python"
uninstalls() { place uninstall "$root" && [ -z "$(find "$root" -type f -o -type l)" ]; }
check "uninstall leaves no file" uninstalls
checks_end
