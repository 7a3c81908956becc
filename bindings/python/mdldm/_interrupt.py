# SPDX-License-Identifier: MIT
"""Ctrl-C while C code runs.

Python's own handler runs between two bytecodes, that is after the C call. Its C-level part, though, writes
a byte to the wake-up descriptor at once. So while a call runs on the main thread, that descriptor is a pipe
that a small thread reads; a SIGINT byte makes it ask the context to stop, the call returns within a kernel
or so, and then Python raises KeyboardInterrupt as ever. A descriptor that somebody else had set (an event
loop, a notebook) gets its bytes passed on and is put back."""
import contextlib
import os
import signal
import threading


class _Watch:
    def __init__(self):
        self.lock = threading.Lock()
        self.cancel = None  # called on SIGINT
        self.pid = None
        self.previous = -1

    def start(self):
        if self.pid == os.getpid():
            return
        self.read, self.write = os.pipe()
        os.set_blocking(self.write, False)
        threading.Thread(target=self.listen, args=(self.read,), name="mdldm-interrupt", daemon=True).start()
        self.pid = os.getpid()

    def listen(self, source):
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
def cancel_on_interrupt(cancel):
    """Calls cancel() as soon as SIGINT arrives. Does nothing off the main thread, or where SIGINT is not
    Python's to handle."""
    mine = threading.current_thread() is threading.main_thread()
    if not mine or not callable(signal.getsignal(signal.SIGINT)) or _watch.cancel is not None:
        yield
        return
    _watch.start()
    with _watch.lock:
        _watch.cancel = cancel
    _watch.previous = signal.set_wakeup_fd(_watch.write, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(_watch.previous, warn_on_full_buffer=False)
        with _watch.lock:
            _watch.cancel, _watch.previous = None, -1
