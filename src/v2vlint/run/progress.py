"""The progress of a run: on a terminal, one line on stderr that is redrawn; elsewhere, a line now and then.

isatty(3) decides whether it is a terminal.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

from v2vlint.report.escape import visible

_SPIN = "|/-\\"
_BAR = 20
PERIOD = 30.0
"""Seconds between two lines where there is no terminal."""


class ProgressLine:
    """Draws and clears the line; does nothing when off. Use it as a context manager."""

    def __init__(self, total: int, enabled: bool, warm: Callable[[], object] | None = None) -> None:
        self._drawn = enabled and sys.stderr.isatty()
        self._told = enabled and not self._drawn and total > 1
        self._total = total
        self._warm = warm
        self._started = self._last = time.monotonic()
        self._known: int | None = None
        self._beat = 0

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._drawn and self._beat:
            self._write("")

    def update(self, running: Sequence[str], done: int) -> None:
        """Show the guests in progress. The first call also runs ``warm``, while the children are busy."""
        if self._warm:
            self._warm()
            self._warm = None
        if self._known is None:
            self._known = done
        now = time.monotonic()
        if self._drawn:
            self._beat += 1
            names = ", ".join(map(visible, running))
            self._write(f"{_SPIN[self._beat % 4]} {self._bar(done)}{names} · {now - self._started:.0f} s")
        elif self._told and now - self._last >= PERIOD:
            self._last = now
            sys.stderr.write(f"v2vlint: {done} of {self._total} guests{self._pace(done)}\n")
            sys.stderr.flush()

    def _bar(self, done: int) -> str:
        """The guests done so far, as a bar, a count, a rate and an estimate; empty for a single guest."""
        if self._total < 2:
            return ""
        full = _BAR * done // self._total
        return f"[{'#' * full}{'.' * (_BAR - full)}] {done}/{self._total}{self._pace(done)} · "

    def _pace(self, done: int) -> str:
        """Guests per second or minute, and the estimated time left; empty until both are known.

        Guests that were known at the start do not count.
        """
        judged, seconds = done - (self._known or 0), time.monotonic() - self._started
        if judged < 2 or seconds <= 0:
            return ""
        left = (self._total - done) * seconds / judged
        rate = f"{judged / seconds:.1f}/s" if judged >= seconds else f"{60 * judged / seconds:.0f}/min"
        rest = f"{left / 3600:.1f} h" if left >= 5400 else f"{left / 60:.0f} min" if left >= 90 else f"{left:.0f} s"
        return f" · {rate} · about {rest} left"

    def _write(self, text: str) -> None:
        import shutil

        width = shutil.get_terminal_size().columns - 1
        # Back to the start of the line, which is cleared (ECMA-48, EL).
        sys.stderr.write(f"\r\x1b[K{text[:width]}")
        sys.stderr.flush()
