#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/golden/data from the real torch and diffusers: see README.md beside this file."""
import argparse
import pathlib
import runpy

import torch

import golden_autoencoder
import golden_images
import golden_optimizer
import golden_pipeline
import golden_unet
from golden_common import DATA

PARTS = {"autoencoder": golden_autoencoder.make, "unet": golden_unet.make, "pipeline": golden_pipeline.make,
         "optimizer": golden_optimizer.make, "images": golden_images.make,
         "image_kinds": lambda: script("make_image_golden.py"),
         "schedulers": lambda: script("make_scheduler_golden.py")}


def script(name):
    runpy.run_path(str(pathlib.Path(__file__).resolve().parent / name), run_name="__main__")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="which parts to make; default: all")
    parts = parser.parse_args().parts or list(PARTS)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    DATA.mkdir(exist_ok=True)
    for name in parts:
        PARTS[name]()
    total = sum(path.stat().st_size for path in DATA.rglob("*") if path.is_file())
    print(f"in all {total / 1024:.1f} KiB")
    assert total < 2_000_000, "the golden data has outgrown its 2 MB"


if __name__ == "__main__":
    main()
