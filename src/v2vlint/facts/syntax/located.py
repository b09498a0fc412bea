"""Text assembled from guest files (variables expanded, quotes removed) that keeps track of where each character was written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field

from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, Token

MAX_LENGTH = 1 << 16
MAX_RUNS = 512


@dataclass(frozen=True, slots=True)
class LiteralRun:
    """``size`` literal characters starting at ``offset`` of ``source``."""

    source: GuestText
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Located:
    """A string and the runs of file text it consists of, in order; the sizes of ``runs`` add up to its length."""

    text: str = ""
    runs: tuple[LiteralRun, ...] = ()

    def __add__(self, other: Located) -> Located:
        return join((self, other))

    def __bool__(self) -> bool:
        return bool(self.text)

    def part(self, start: int, end: int) -> Located:
        """``text[start:end]`` with its runs."""
        found: list[LiteralRun] = []
        position = 0
        for run in self.runs:
            first, last = max(start - position, 0), min(end - position, run.size)
            if first < last:
                found.append(LiteralRun(run.source, run.offset + first, last - first))
            position += run.size
        return Located(self.text[start:end], tuple(found))

    @property
    def where(self) -> Span:
        """From the first to the last character if they are in one file, else the place of the first run."""
        first, last = self.runs[0], self.runs[-1]
        if first.source is last.source and first.offset <= last.offset:
            return first.source.span(first.offset, last.offset + last.size)
        return first.source.span(first.offset, first.offset + first.size)

    @property
    def token(self) -> Token | None:
        """The text as one editable piece of one file, or None when it is scattered, escaped or expanded."""
        if len(self.runs) != 1 or self.runs[0].size != len(self.text):
            return None
        run = self.runs[0]
        return run.source.token(run.offset, run.offset + run.size)


@dataclass(frozen=True)
class Assembled(GuestText):
    """Assembled text, read like a file. ``whole`` says where its characters were written, ``place`` where it was assembled."""

    whole: Located = field(default_factory=Located)
    place: Span = field(default_factory=lambda: Span("", 0, 0, 1))

    def span(self, start: int, end: int) -> Span:
        """The place in a file."""
        part = self.whole.part(start, end)
        return part.where if part.runs else self.place


def literal(source: GuestText, start: int, end: int) -> Located:
    """``source.content[start:end]``, unchanged."""
    if start >= end:
        return Located()
    if isinstance(source, Assembled):
        return source.whole.part(start, end)
    return Located(source.content[start:end], (LiteralRun(source, start, end - start),))


def join(parts: Iterable[Located]) -> Located:
    """Concatenate; adjacent runs in the same file are merged. Parts beyond 64 KiB or 512 runs are dropped, because ``a=$a$a`` grows."""
    runs: list[LiteralRun] = []
    texts: list[str] = []
    length = 0
    for part in parts:
        length += len(part.text)
        if length > MAX_LENGTH or len(runs) + len(part.runs) > MAX_RUNS:
            break
        texts.append(part.text)
        for run in part.runs:
            last = runs[-1] if runs else None
            if last and last.source is run.source and last.offset + last.size == run.offset:
                runs[-1] = LiteralRun(last.source, last.offset, last.size + run.size)
            else:
                runs.append(run)
    return Located("".join(texts), tuple(runs))
