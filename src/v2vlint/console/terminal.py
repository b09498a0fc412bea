"""Extracts lines of text from a terminal stream: escape sequences are removed, cursor jumps to another row end a line. Hostile input."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

MAX_LINE = 2000
MAX_SEQUENCE = 256
_TOKEN = re.compile(
    r"\x1b\[([0-9;?<=>!]*)[ -/]*([@-~])"  # CSI
    r"|\x1b\[[0-9;?]*(?=[^\x00-\x7f])"  # cut short by systemd's ellipsis
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC, DCS, SOS, PM, APC
    r"|\x1b[ -/]*[0-OQ-WYZ\\\\`-~]"  # two characters, but not the starts of the strings above
    r"|[\r\n\f\v\b]"
    r"|[^\x1b\r\n\f\v\b]+"
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")


class Terminal:
    """Turns the bytes of a serial line into lines. It never raises, and its memory is bounded."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pending = ""
        self._line = ""
        self._row: int | None = None

    @property
    def partial(self) -> str:
        """The unfinished line, such as a prompt."""
        return self._line

    def feed(self, data: bytes) -> Iterator[str]:
        """The lines completed by ``data``, without control characters."""
        text = self._pending + self._decoder.decode(data)
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                # The rest of a sequence may be in the next bytes; a longer one is none.
                if len(text) - position < MAX_SEQUENCE:
                    break
                position += 1
                continue
            position = match.end()
            yield from self._take(match)
        self._pending = text[position:]

    def _take(self, match: re.Match[str]) -> Iterator[str]:
        token = match[0]
        if match[2]:
            if self._jumps(match[1], match[2]):
                yield from self._flush()
        elif token == "\b":
            self._line = self._line[:-1]
        elif token in "\r\n\f\v":
            self._row = self._row + 1 if self._row is not None and token == "\n" else self._row
            yield from self._flush()
        elif not token.startswith("\x1b"):
            self._line += _CONTROL.sub("", token)
            while len(self._line) > MAX_LINE:
                line, self._line = self._line[:MAX_LINE], self._line[MAX_LINE:]
                yield line

    def _jumps(self, parameters: str, final: str) -> bool:
        """Whether a CSI sequence leaves the row. Firmware repositions the cursor in the middle of words."""
        if final in "Hf":
            head = parameters.split(";")[0]
            row = int(head) if head.isdecimal() and len(head) < 6 else 1
            stays, self._row = row == self._row, row
            return not stays
        # CUU, CUD, CNL, CPL, ED, VPA (ECMA-48).
        return final in "ABEFJd"

    def _flush(self) -> Iterator[str]:
        line, self._line = self._line.rstrip(), ""
        if line:
            yield line
