#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make cuda-lint: assembles the kernels' PTX for each architecture, spills and local memory being errors, and
prints registers, shared memory and occupancy.

    lint.py PTXAS ARCH[,ARCH...] PTX...

Occupancy counts the block of __launch_bounds__ and static shared memory; what a launch asks for besides is not
known here.
"""
import re
import subprocess
import sys

# per multiprocessor (CUDA C++ Programming Guide, "Technical Specifications per Compute Capability"):
# warps, blocks, bytes of shared memory
LIMITS = {80: (64, 32, 164), 86: (48, 16, 100), 89: (48, 24, 100), 90: (64, 32, 228), 100: (64, 32, 228), 120: (48, 24, 100)}
REGISTERS, REGISTER_UNIT, SHARED_UNIT, RESERVED = 65536, 256, 128, 1024


def block_sizes(ptx):
    """Threads of a block by kernel, from .maxntid."""
    sizes = {}
    for name, rest in re.findall(r"\.entry\s+(\w+)\s*\((?:[^)]*)\)([^{]*)\{", ptx):
        found = re.search(r"\.maxntid\s+(\d+)", rest)
        sizes[name] = int(found.group(1)) if found else 1024
    return sizes


def occupancy(arch, threads, registers, shared):
    warps, blocks, kib = LIMITS[arch]
    per_block = (threads + 31) // 32
    per_warp = (registers * 32 + REGISTER_UNIT - 1) // REGISTER_UNIT * REGISTER_UNIT
    fit = min(blocks, warps // per_block, REGISTERS // per_warp // per_block)
    used = (shared + RESERVED + SHARED_UNIT - 1) // SHARED_UNIT * SHARED_UNIT
    return 100.0 * min(fit, kib * 1024 // used) * per_block / warps


def main():
    ptxas, archs, paths = sys.argv[1], [int(a) for a in sys.argv[2].split(",")], sys.argv[3:]
    bad, kernels = 0, {}
    for path in paths:
        with open(path, encoding="utf-8") as file:
            sizes = block_sizes(file.read())
        for arch in archs:
            run = subprocess.run(
                [ptxas, f"-arch=sm_{arch}", "-v", "-warn-spills", "-warn-lmem-usage", "-Werror", "-o", "/dev/null", path],
                capture_output=True, text=True, check=False)
            text = run.stdout + run.stderr
            if run.returncode != 0:
                bad += 1
                print(f"{path} for sm_{arch}:\n" + "\n".join(l for l in text.splitlines() if "info" not in l)[:4000])
            for name, details in re.findall(r"Compiling entry function '(\w+)'(.*?)(?=Compiling entry|\Z)", text, re.S):
                used = re.search(r"Used (\d+) registers", details)
                shared = re.search(r"(\d+) bytes smem", details)
                if used:
                    bytes_ = int(shared.group(1)) if shared else 0
                    regs = int(used.group(1))
                    kernels.setdefault((name, path.split("/")[-2]), {})[arch] = (
                        regs, bytes_, occupancy(arch, sizes.get(name, 1024), regs, bytes_), sizes.get(name, 1024))
    print("registers, occupancy in percent")
    print(f"{'kernel':44} {'PTX':6} {'threads':>7} {'shared':>6}" + "".join(f"   sm_{a:<6}" for a in archs))
    for (name, compiler), by_arch in sorted(kernels.items()):
        one = next(iter(by_arch.values()))
        print(f"{name:44} {compiler:6} {one[3]:7} {one[1]:6}" +
              "".join(f"  {by_arch[a][0]:4} {by_arch[a][2]:4.0f}%" if a in by_arch else " " * 12 for a in archs))
    if bad:
        print(f"{bad} failures")
    if not kernels:
        print("no kernel was assembled")
    return 1 if bad or not kernels else 0


if __name__ == "__main__":
    sys.exit(main())
