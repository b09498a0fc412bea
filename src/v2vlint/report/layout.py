"""Rows of styled pieces of text: the terminal report before colours are applied."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from v2vlint.model.dataclass import dataclass
from v2vlint.report.escape import visible


@dataclass(frozen=True, slots=True)
class Styled:
    """Text in one style, such as ``title``, ``error``, ``unknown``, ``place``, ``dim``, ``add``; see STYLES in the command line."""

    text: str
    style: str = ""


Row = tuple[Styled, ...]


def plain(rows: Sequence[Row]) -> str:
    """The rows as text, without trailing spaces."""
    return "".join("".join(piece.text for piece in row).rstrip() + "\n" for row in rows)


def paragraph(text: str, width: int, indent: int, style: str = "", lead: Styled | None = None) -> Iterator[Row]:
    """Hostile ``text`` wrapped to ``width`` columns at ``indent``; ``lead`` precedes its first line and shifts it right."""
    start = " " * indent
    hang = indent + (len(lead.text) if lead else 0)
    lines = textwrap.wrap(visible(text), max(20, width - hang), break_long_words=False, break_on_hyphens=False) or [""]
    yield (Styled(start), *((lead,) if lead else ()), Styled(lines[0], style))
    for line in lines[1:]:
        yield (Styled(" " * hang), Styled(line, style))


def flow(pieces: Sequence[Styled], width: int, indent: int, gap: str = "  ") -> Iterator[Row]:
    """Pieces side by side, as many per row as fit."""
    row: list[Styled] = []
    used = indent
    for piece in pieces:
        if row and used + len(gap) + len(piece.text) > width:
            yield (Styled(" " * indent), *row)
            row, used = [], indent
        if row:
            row.append(Styled(gap))
            used += len(gap)
        row.append(piece)
        used += len(piece.text)
    if row:
        yield (Styled(" " * indent), *row)
