# SPDX-License-Identifier: MIT
"""A handle of the library as a Python object."""
import ctypes
import weakref


class Handle:
    """Owns a handle: freed by close(), at the end of a with block, or with the object."""

    _free = None  # the library's function

    def __init__(self, pointer):
        self._pointer = pointer
        self._finalizer = weakref.finalize(self, type(self)._free, pointer)

    @property
    def pointer(self):
        if not self._finalizer.alive:
            raise ValueError(f"this {type(self).__name__} is closed")
        return self._pointer

    @property
    def closed(self):
        return not self._finalizer.alive

    def close(self):
        self._finalizer()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def new_pointer():
    return ctypes.c_void_p()
