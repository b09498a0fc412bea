"""One line on stderr while images are read, only when stderr is a terminal. Whether it is comes from isatty(3), not from a library."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Sequence

from v2vlint.report.escape import visible

_SPIN = "|/-\\"


class ProgressLine:
    """Draws and clears the line; does nothing when off. Use it as a context manager."""

    def __init__(self, total: int, enabled: bool, warm: Callable[[], object] | None = None) -> None:
        self._on = enabled and sys.stderr.isatty()
        self._total = total
        self._warm = warm
        self._started = time.monotonic()
        self._beat = 0

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._on and self._beat:
            self._write("")

    def update(self, running: Sequence[str], done: int) -> None:
        """Show what is under way. The first call also does ``warm``, while the children are busy."""
        if self._warm:
            self._warm()
            self._warm = None
        if not self._on:
            return
        self._beat += 1
        seconds = time.monotonic() - self._started
        counter = f"{done + 1}/{self._total} " if self._total > 1 else ""
        self._write(f"{_SPIN[self._beat % 4]} {counter}{', '.join(map(visible, running))} · {seconds:.0f} s")

    def _write(self, text: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        sys.stderr.write(f"\r\x1b[K{text[:width]}")
        sys.stderr.flush()
