# SPDX-License-Identifier: MIT
"""A tqdm bar where tqdm is installed, in a terminal or a notebook; else nothing."""
from __future__ import annotations

from types import TracebackType
from typing import Any, Optional, Type


def say(line: str) -> None:
    """A line on standard output, above the bar where there is one."""
    try:
        from tqdm.auto import tqdm
    except ImportError:
        print(line, flush=True)
    else:
        tqdm.write(line)


class Bar:
    """``Context(progress=Bar())`` shows each stage of each call as a bar. In a ``with`` block it is one bar of
    ``total`` steps, moved by ``move``."""

    def __init__(self, total: int = 0, done: int = 0, stage: str = "") -> None:
        try:
            from tqdm.auto import tqdm
        except ImportError:
            tqdm = None
        self._make: Any = tqdm
        self._bar: Any = None
        self._stage = stage
        if total:
            self._open(stage, total, done)

    def _open(self, stage: str, total: int, done: int) -> None:
        self._stage = stage
        if self._make is not None:
            self._bar = self._make(total=total or None, initial=done, desc=stage)

    def __call__(self, stage: str, done: int, total: int) -> None:
        if self._bar is None or stage != self._stage or done < self._bar.n:
            self.close()
            self._open(stage, total, 0)
        self.move(done)
        if done == total:
            self.close()

    def move(self, done: int, **notes: float) -> None:
        """To done steps in all; notes stand behind the bar."""
        if self._bar is not None:
            if notes:
                self._bar.set_postfix(notes, refresh=False)
            self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Leaves the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()
