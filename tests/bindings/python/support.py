# SPDX-License-Identifier: MIT
"""What the tests of the Python package share. MDLDM_TEST_INSTALLED=1 tests the installed package, otherwise
the one in this tree."""
import os
import sys

import numpy

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
PACKAGE = os.path.join(ROOT, "bindings", "python")
INSTALLED = bool(os.environ.get("MDLDM_TEST_INSTALLED"))
if not INSTALLED:
    sys.path.insert(0, PACKAGE)

os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # before OpenMP is loaded: the machine may be shared
import mdldm  # noqa: E402

TINY = {"preset": "tiny", "resolution": 32, "num_classes": 2, "class_names": ["ID_1", "ID_2"], "seed": 3}


def walkers(count, size=32, seed=0):
    """Stripes whose slope tells two persons apart."""
    rng = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[0:size, 0:size]
    images, labels = [], []
    for i in range(count):
        wave = numpy.sin((x + (y if i % 2 else -y)) * 0.4 + rng.uniform(0, 6)) * 100 + 128
        images.append(numpy.repeat(wave[:, :, None], 3, 2).astype(numpy.uint8))
        labels.append(f"ID_{1 + i % 2}")
    return images, labels


# The machine may be shared: two threads that wait for each other take long. Results do not depend on it.
mdldm.Context(threads=1).__enter__()
