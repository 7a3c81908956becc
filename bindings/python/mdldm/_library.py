# SPDX-License-Identifier: MIT
"""Finds and loads the C library."""
import ctypes
import ctypes.util
import os

from ._prototypes import declare

#: What this package was written for; the library keeps the ABI within one soname.
SONAME = "libmdldm.so.0"


def candidates():
    """Where the library may be, best first."""
    named = os.environ.get("MDLDM_LIBRARY")
    if named:
        return [named]
    here = os.path.dirname(os.path.abspath(__file__))
    tree = os.path.join(here, "..", "..", "..", "lib", SONAME)
    found = [os.path.join(here, SONAME), os.path.normpath(tree), SONAME]
    found += [os.path.join(folder, SONAME) for folder in ("/usr/local/lib", "/usr/lib")]
    return found


def load():
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
    raise ImportError("cannot load libmdldm; install it (make install), or set MDLDM_LIBRARY to the path of "
                      f"{SONAME}. Tried:\n  " + "\n  ".join(tried))


lib = load()


def text(value):
    """A C string as str; None stays None."""
    return None if value is None else value.decode("utf-8", "replace")


def encode_path(path):
    """A path for C, as the file system spells it."""
    value = os.fsencode(path)
    if b"\0" in value:
        raise ValueError(f"a path cannot hold a NUL byte: {path!r}")
    return value


def version():
    return text(lib.mdldm_version())
