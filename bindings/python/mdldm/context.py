# SPDX-License-Identifier: MIT
"""The context: backend, threads, precision, callbacks."""
from __future__ import annotations

import contextlib
import ctypes
import threading
import weakref
from typing import Any, Callable, Iterator, List, Optional, Tuple, Type, Union

from . import _errors
from ._constants import Status
from ._handle import Handle
from ._interrupt import cancel_on_interrupt
from ._library import lib, text
from ._progress import Bar
from ._prototypes import LOG, PROGRESS

Progress = Callable[[str, int, int], object]
Log = Callable[[int, str], object]

_local = threading.local()


class Context(Handle):
    """Where calls run. A context does one call at a time; make one for each thread. Models, data sets and
    trainers may outlive it.

    ``threads``: compute threads, 0 for one a processor. ``backend``: "auto", "reference", "cpu", "cuda", ...
    ``precision`` of inference: "f32", "tf32" or "bf16". ``winograd=False``: direct convolutions only.
    ``progress(stage, done, total)`` and ``log(level, line)`` may raise: the call under way stops and the
    exception comes out of it; what they return is ignored. ``progress=True`` shows tqdm bars.

    ``with Context(...):`` makes it the current one of the thread inside the block; it is not closed at the end,
    since trainers made there keep using it."""

    _free = lib.mdldm_context_free

    def __init__(self, threads: int = 0, backend: Optional[str] = None, precision: Optional[str] = None,
                 winograd: bool = True, progress: Union[Progress, bool, None] = None,
                 log: Optional[Log] = None) -> None:
        pointer = ctypes.c_void_p()
        status = lib.mdldm_context_create(ctypes.byref(pointer))
        if status != 0 or pointer.value is None:
            raise _errors.BY_STATUS[status](text(lib.mdldm_context_error(None)))
        super().__init__(pointer.value)
        self._working = threading.Lock()
        self._raised: Optional[BaseException] = None
        self._stop_pending = self._stopping = False
        self._before: List[Optional[Context]] = []
        self.progress: Optional[Progress] = Bar() if progress is True else progress or None
        self.log = log
        # The callbacks must not keep the object alive, so they go through a weak reference.
        self._callbacks = _callbacks(self)
        lib.mdldm_context_set_progress(pointer, self._callbacks[0], None)
        lib.mdldm_context_set_log(pointer, self._callbacks[1], None)
        if threads:
            self.set_threads(threads)
        if precision is not None:
            self.set_precision(precision)
        if not winograd:
            self.set_winograd(False)
        if backend is not None:
            self.use_backend(backend)

    def call(self, name: str, *arguments: Any) -> None:
        """Runs ``mdldm_<name>(context, arguments...)`` and turns its status into an exception. Handles are
        kept from being closed meanwhile."""
        function = getattr(lib, "mdldm_" + name)
        if not self._working.acquire(blocking=False):
            raise RuntimeError("this context is at work in another call; use one context for each thread")
        try:
            with contextlib.ExitStack() as held:
                values = [held.enter_context(one._held()) if isinstance(one, Handle) else one
                          for one in (self, *arguments)]
                self._run(function, values)
        finally:
            self._working.release()

    def _run(self, function: Callable[..., int], values: List[Any]) -> None:
        with cancel_on_interrupt(self._stop):
            self._raised, self._stopping = None, False
            status = function(*values)
            if status == Status.ERROR_CANCELLED and self._stop_pending and not self._stopping:
                # A request that came when the call it was meant for was already done.
                self._stop_pending = False
                status = function(*values)
            if status == Status.ERROR_CANCELLED:
                self._stop_pending = False
            raised, self._raised = self._raised, None
            if raised is not None:
                raise raised
            if status != 0:
                message = text(lib.mdldm_context_error(values[0]))
                raise _errors.BY_STATUS.get(status, _errors.MdldmError)(message)

    def make(self, kind: Type[Handle], name: str, *arguments: Any) -> int:
        """A call that makes a handle: its pointer comes last and is returned. When a callback raised although
        the call itself had gone well, the handle is freed."""
        out = ctypes.c_void_p()
        try:
            self.call(name, *arguments, ctypes.byref(out))
        except BaseException:
            if out.value is not None:
                kind._free(out.value)
            raise
        if out.value is None:
            raise _errors.InternalError(f"mdldm_{name} succeeded and gave nothing")
        return out.value

    def _stop(self) -> None:
        """For an interrupt or a callback that raised: a request that must not meet a later call."""
        self._stop_pending = self._stopping = True
        lib.mdldm_context_cancel(self._pointer)

    def cancel(self) -> None:
        """Stops the call that runs on this context, from any thread; it raises Cancelled."""
        self._stopping = True
        self._ask("context_cancel")

    @property
    def backend(self) -> str:
        """Name of the backend in use, "" before the first."""
        return text(self._ask("context_backend")) or ""

    def use_backend(self, name: str) -> None:
        """Opens another backend; one asked for by name never falls back."""
        self.call("context_use_backend", name.encode())

    def set_threads(self, count: int) -> None:
        """Compute threads; 0: one a processor."""
        self.call("context_set_threads", count)

    def set_precision(self, name: str) -> None:
        """Arithmetic of inference: "f32", "tf32" (f32 but for a GPU's products) or "bf16"."""
        self.call("context_set_precision", name.encode())

    def set_winograd(self, enabled: bool) -> None:
        """Whether 3x3 convolutions may be computed by Winograd's method, where that is faster."""
        self.call("context_set_winograd", int(bool(enabled)))

    def backends(self) -> List[Tuple[str, str, Optional[str]]]:
        """A list of (name, description, reason): reason is None for those that can be used here."""
        return [(text(self._ask("backend_name", i)) or "", text(self._ask("backend_description", i)) or "",
                 text(self._ask("backend_reason", i))) for i in range(self._ask("backend_count"))]

    @contextlib.contextmanager
    def reporting(self, progress: Optional[Progress]) -> Iterator[None]:
        """Another progress callback inside the block; None leaves the one that is set."""
        before = self.progress
        if progress is not None:
            self.progress = progress
        try:
            yield
        finally:
            self.progress = before

    def __enter__(self) -> "Context":
        self._before.append(getattr(_local, "context", None))
        _local.context = self
        return self

    def __exit__(self, *_: object) -> None:
        _local.context = self._before.pop()


def _callbacks(context: Context) -> Tuple[Any, Any]:
    reference = weakref.ref(context)

    def progress(_user: Any, stage: bytes, done: int, total: int) -> int:
        self = reference()
        if self is None:
            return 0
        try:
            if self.progress is not None:
                self.progress(stage.decode(), done, total)
        except BaseException as error:  # goes on in call(), on the Python side
            self._raised = error
        return 0 if self._raised is None else 1

    def log(_user: Any, level: int, line: bytes) -> None:
        self = reference()
        try:
            if self is not None and self.log is not None:
                self.log(level, line.decode("utf-8", "replace"))
        except BaseException as error:
            if self is not None:
                self._raised = error
                self._stop()

    return PROGRESS(progress), LOG(log)


def current() -> Context:
    """The context of this thread: that of the innermost with block, else one made on first use."""
    context: Optional[Context] = getattr(_local, "context", None)
    return context if context is not None else _own("default")


def for_facts() -> Context:
    """One that only reads facts, which a callback may do while the current one is at work."""
    return _own("facts")


def _own(name: str) -> Context:
    context: Optional[Context] = getattr(_local, name, None)
    if context is None:
        context = Context()
        setattr(_local, name, context)
    return context
