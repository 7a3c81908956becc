# SPDX-License-Identifier: MIT
"""Ctrl-C while C code runs.

Python's handler runs between two bytecodes: after the C call, or in the middle of a callback, even before its
first line, where ctypes would drop the KeyboardInterrupt. So while a call runs on the main thread

* a handler of ours stands in for Python's and only takes note; when the call is over, Python's comes back
  and gets its signal;
* the C-level part of the signal machinery, which writes a byte to the wake-up descriptor at once, finds a pipe
  there. A small thread reads it and asks the context to stop, so the call ends within a kernel or so.

A descriptor that somebody else had set (an event loop, a notebook) gets its bytes passed on and is put back."""
from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import Any, Callable, Iterator, List, Optional, Tuple


class _Watch:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.cancel: Optional[Callable[[], None]] = None  # called on SIGINT
        self.pid: Optional[int] = None
        self.previous = -1

    def start(self) -> None:
        if self.pid == os.getpid():
            return
        self.read, self.write = os.pipe()
        os.set_blocking(self.write, False)
        threading.Thread(target=self.listen, args=(self.read,), name="mdldm-interrupt", daemon=True).start()
        self.pid = os.getpid()

    def listen(self, source: int) -> None:
        while True:
            received = os.read(source, 64)
            if not received:
                return
            with self.lock:
                if self.previous >= 0:
                    with contextlib.suppress(OSError):
                        os.write(self.previous, received)
                if signal.SIGINT in received and self.cancel is not None:
                    self.cancel()


_watch = _Watch()


@contextlib.contextmanager
def cancel_on_interrupt(cancel: Callable[[], None]) -> Iterator[None]:
    """Calls cancel() as soon as SIGINT arrives, and lets SIGINT's own handler have it at the end. Does nothing
    off the main thread, inside another such block, or where SIGINT is not Python's to handle."""
    mine = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT)
    if not mine or not callable(before) or _watch.cancel is not None:
        yield
        return
    _watch.start()
    noted: List[Tuple[int, Any]] = []
    with _watch.lock:
        _watch.cancel = cancel
    _watch.previous = signal.set_wakeup_fd(_watch.write, warn_on_full_buffer=False)
    signal.signal(signal.SIGINT, lambda number, frame: noted.append((number, frame)))
    try:
        yield
    finally:
        signal.set_wakeup_fd(_watch.previous, warn_on_full_buffer=False)
        with _watch.lock:
            _watch.cancel, _watch.previous = None, -1
        signal.signal(signal.SIGINT, before)
        if noted:
            before(*noted[0])
