# SPDX-License-Identifier: MIT
"""Finds and loads the C library."""
from __future__ import annotations

import ctypes
import os
import sys
from typing import List, Optional, Union

from ._prototypes import declare

#: What this package was written for; the library keeps the ABI within one soname.
SONAME = "libmdldm.so.0"


def candidates() -> List[str]:
    """Where the library may be, best first: the one named, the tree this file lies in, what is installed,
    the tree that the package was installed from."""
    named = os.environ.get("MDLDM_LIBRARY")
    if named:
        return [named]
    here = os.path.dirname(os.path.abspath(__file__))
    found = [os.path.join(here, SONAME), os.path.normpath(os.path.join(here, "..", "..", "..", "lib", SONAME)), SONAME]
    folders = [os.path.join(sys.prefix, "lib"), os.path.expanduser("~/.local/lib"), "/usr/local/lib", "/usr/lib"]
    try:
        with open(os.path.join(here, "source_tree"), encoding="utf-8") as file:  # setup.py writes it
            folders.append(os.path.join(file.read(), "lib"))
    except OSError:
        pass
    return found + [os.path.join(folder, SONAME) for folder in folders]


def load() -> ctypes.CDLL:
    """The first one that has all functions."""
    tried = []
    for path in candidates():
        if os.path.isabs(path) and not os.path.exists(path):
            tried.append(f"{path}: no such file")
            continue
        try:
            library = ctypes.CDLL(path)
            declare(library)
            return library
        except (OSError, AttributeError) as error:
            tried.append(f"{path}: {error}")
    raise ImportError("cannot load libmdldm; build it (make), install it (make install), or set MDLDM_LIBRARY to the "
                      f"path of {SONAME}. Tried:\n  " + "\n  ".join(tried))


lib = load()


def text(value: Optional[bytes]) -> Optional[str]:
    """A C string as str; None stays None."""
    return None if value is None else value.decode("utf-8", "replace")


def encode_path(path: Union[str, bytes, "os.PathLike[str]"]) -> bytes:
    """A path for C, as the file system spells it."""
    value = os.fsencode(path)
    if b"\0" in value:
        raise ValueError(f"a path cannot hold a NUL byte: {path!r}")
    return value


def version() -> str:
    """The library's version."""
    return text(lib.mdldm_version()) or ""
