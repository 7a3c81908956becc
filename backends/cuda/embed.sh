#!/bin/sh
# SPDX-License-Identifier: MIT
# Writes the C file that holds compiled kernels (cuda_images.h): embed.sh COMPILER NAME.ptx... [NAME.fatbin...]
set -eu
export LC_ALL=C
compiler=$1
shift
all=" $* "
has_fatbin() { case "$all" in *" ${1%.ptx}.fatbin "*) ;; *) return 1 ;; esac }
for file; do
    shift
    case "$file" in *.ptx) set -- "$@" "$file" ;; esac
done
echo '#include "backends/cuda/cuda_images.h"'
for ptx; do
    name=$(basename "$ptx" .ptx)
    fatbin=${ptx%.ptx}.fatbin
    printf '__asm__(".section .rodata\\n.balign 16\\nmdldm__ptx_%s: .incbin \\"%s\\"\\nmdldm__ptx_end_%s: .byte 0\\n"\n' "$name" "$ptx" "$name"
    ! has_fatbin "$ptx" || printf '        ".balign 16\\nmdldm__fatbin_%s: .incbin \\"%s\\"\\n"\n' "$name" "$fatbin"
    printf '        ".previous");\nextern const char mdldm__ptx_%s[], mdldm__ptx_end_%s[];\n' "$name" "$name"
    ! has_fatbin "$ptx" || echo "extern const char mdldm__fatbin_$name[];"
done
echo 'const mdldm__cuda_image mdldm__cuda_images[] = {'
for ptx; do
    name=$(basename "$ptx" .ptx)
    fat=NULL
    ! has_fatbin "$ptx" || fat=mdldm__fatbin_$name
    echo "    {\"$name\", mdldm__ptx_$name, mdldm__ptx_end_$name, $fat},"
done
echo '};'
echo "const int32_t mdldm__cuda_image_count = $#;"
echo 'const mdldm__cuda_kernel_name mdldm__cuda_kernel_names[] = {'
image=0
for ptx; do
    sed -n "s/^\.visible \.entry \([A-Za-z0-9_]*\).*/\1 $image/p" "$ptx"
    image=$((image + 1))
done | sort -k 1,1 | awk '{printf "    {\"%s\", %d},\n", $1, $2}'
echo '};'
echo 'const int32_t mdldm__cuda_kernel_count = sizeof mdldm__cuda_kernel_names / sizeof mdldm__cuda_kernel_names[0];'
echo "const char mdldm__cuda_compiler[] = \"$compiler\";"
