# SPDX-License-Identifier: MIT
"""The context: backend, threads, precision, callbacks."""
import ctypes
import threading

from . import _errors
from ._handle import Handle
from ._interrupt import cancel_on_interrupt
from ._library import lib, text
from ._prototypes import LOG, PROGRESS

_local = threading.local()


class Context(Handle):
    """Where calls run. A context does one call at a time; make one for each thread. Models, data sets and
    trainers may outlive it.

    ``threads``: compute threads, 0 for one a processor. ``backend``: "auto", "reference", "cpu", "cuda", ...
    ``precision`` of inference: "f32" or "bf16". ``winograd=False``: direct convolutions only. ``progress(stage, done, total)`` and ``log(level, line)``
    may raise: the call under way stops and the exception comes out of it. A true result of progress cancels
    the call. Used as ``with Context(...):`` it is the current one of the thread inside the block."""

    _free = lib.mdldm_context_free

    def __init__(self, threads=0, backend=None, precision=None, winograd=True, progress=None, log=None):
        pointer = ctypes.c_void_p()
        status = lib.mdldm_context_create(ctypes.byref(pointer))
        if status != 0:
            raise _errors.BY_STATUS[status](text(lib.mdldm_context_error(None)))
        super().__init__(pointer)
        self._working = threading.Lock()
        self._raised = None
        self._stop_pending = self._stopping = False
        self._before = []
        self.progress, self.log = progress, log
        # The callbacks must not keep the object alive, so they go through a weak reference.
        self._callbacks = _callbacks(self)
        lib.mdldm_context_set_progress(pointer, self._callbacks[0], None)
        lib.mdldm_context_set_log(pointer, self._callbacks[1], None)
        if threads:
            self.call("context_set_threads", threads)
        if precision is not None:
            self.precision = precision
        if not winograd:
            self.winograd = False
        if backend is not None:
            self.backend = backend

    def call(self, name, *arguments):
        """Runs ``mdldm_<name>(context, arguments...)`` and turns its status into an exception."""
        function = getattr(lib, "mdldm_" + name)
        pointer = self.pointer
        if not self._working.acquire(blocking=False):
            raise RuntimeError("this context is at work in another call; use one context for each thread")
        try:
            with cancel_on_interrupt(self._stop):
                self._raised, self._stopping = None, False
                status = function(pointer, *arguments)
                if status == _errors.Cancelled.status and self._stop_pending and not self._stopping:
                    # A request that came when the call it was meant for was already done.
                    self._stop_pending = False
                    status = function(pointer, *arguments)
                if status == _errors.Cancelled.status:
                    self._stop_pending = False
                raised, self._raised = self._raised, None
                if raised is not None:
                    raise raised
                if status != 0:
                    message = text(lib.mdldm_context_error(pointer))
                    raise _errors.BY_STATUS.get(status, _errors.MdldmError)(message)
        finally:
            self._working.release()

    def _stop(self):
        """For an interrupt or a callback that raised: a request that must not meet a later call."""
        self._stop_pending = self._stopping = True
        lib.mdldm_context_cancel(self._pointer)

    def cancel(self):
        """Stops the call that runs on this context, from any thread; it raises Cancelled."""
        self._stopping = True
        lib.mdldm_context_cancel(self.pointer)

    @property
    def backend(self):
        """Name of the backend in use, "" before the first. Setting it opens another one."""
        return text(lib.mdldm_context_backend(self.pointer))

    @backend.setter
    def backend(self, name):
        self.call("context_use_backend", name.encode())

    precision = property(None, lambda self, name: self.call("context_set_precision", name.encode()),
                         doc='Arithmetic of inference: "f32" or "bf16". Can be set only.')
    threads = property(None, lambda self, count: self.call("context_set_threads", count),
                       doc="Compute threads; 0: one a processor. Can be set only.")

    winograd = property(None, lambda self, enabled: self.call("context_set_winograd", int(bool(enabled))),
                        doc="Whether 3x3 convolutions may be computed by Winograd's method. Can be set only.")

    def backends(self):
        """A list of (name, description, reason): reason is None for those that can be used here."""
        p = self.pointer
        return [(text(lib.mdldm_backend_name(p, i)), text(lib.mdldm_backend_description(p, i)),
                 text(lib.mdldm_backend_reason(p, i))) for i in range(lib.mdldm_backend_count(p))]

    def __enter__(self):
        self._before.append(getattr(_local, "context", None))
        _local.context = self
        return self

    def __exit__(self, *_):
        _local.context = self._before.pop()


def _callbacks(context):
    import weakref
    reference = weakref.ref(context)

    def progress(_user, stage, done, total):
        self = reference()
        try:
            stop = self is not None and self.progress is not None and self.progress(stage.decode(), done, total)
            return 1 if stop or (self is not None and self._raised is not None) else 0
        except BaseException as error:  # goes on in call(), on the Python side
            self._raised = error
            return 1

    def log(_user, level, line):
        self = reference()
        try:
            if self is not None and self.log is not None:
                self.log(level, line.decode("utf-8", "replace"))
        except BaseException as error:
            self._raised = error
            self._stop()

    return PROGRESS(progress), LOG(log)


def current():
    """The context of this thread: that of the innermost with block, else one made on first use."""
    context = getattr(_local, "context", None)
    if context is None:
        if getattr(_local, "default", None) is None:
            _local.default = Context()
        context = _local.default
    return context
