# SPDX-License-Identifier: MIT
"""A handle of the library as a Python object."""
from __future__ import annotations

import contextlib
import os
import threading
import weakref
from typing import Any, Callable, ClassVar, Iterator, TypeVar

from ._library import lib

_Self = TypeVar("_Self", bound="Handle")


def _free_here(process: int, free: Callable[[int], None], pointer: int) -> None:
    """A forked child must not touch the library: its copy goes with the process."""
    if os.getpid() == process:
        free(pointer)


class Handle:
    """Owns a handle: freed by close(), at the end of a with block, or with the object. A call under way on
    another thread is finished first."""

    _free: ClassVar[Callable[[int], None]]  # the library's function

    def __init__(self, pointer: int) -> None:
        self._pointer = pointer
        self._lock = threading.Lock()
        self._users = 0  # calls under way
        self._closing = False
        self._finalizer = weakref.finalize(self, _free_here, os.getpid(), type(self)._free, pointer)

    @contextlib.contextmanager
    def _held(self) -> Iterator[int]:
        """The pointer, which stays valid in the block."""
        with self._lock:
            if self.closed:
                raise ValueError(f"this {type(self).__name__} is closed")
            self._users += 1
        try:
            yield self._pointer
        finally:
            with self._lock:
                self._users -= 1
                last = self._closing and self._users == 0
            if last:
                self._finalizer()

    def _ask(self, name: str, *arguments: Any) -> Any:
        """``mdldm_<name>(handle, arguments...)``, of those that cannot fail."""
        with self._held() as pointer:
            return getattr(lib, "mdldm_" + name)(pointer, *arguments)

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return self._closing

    def close(self) -> None:
        """Frees the handle now. A second time does nothing."""
        with self._lock:
            self._closing = True
            busy = self._users > 0
        if not busy:
            self._finalizer()

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
