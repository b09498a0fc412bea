"""HTML from Python calls. Text is escaped unless it was produced here, so that guest text cannot become markup."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from html import escape

from v2vlint.report.escape import visible

_VOID = frozenset({"meta", "link", "input", "rect", "path", "circle", "use"})


class Safe(str):
    """HTML that is escaped already."""

    __slots__ = ()


Content = str | Iterable["Content"] | None


def tag(element: str, /, *content: Content, **attributes: str | bool | int | None) -> Safe:
    """``<element attributes>content</element>``. ``class_`` gives ``class``, ``data_x`` gives ``data-x``; None and False leave one out."""
    written = "".join(_attribute(key, value) for key, value in attributes.items() if value is not None and value is not False)
    if element in _VOID:
        return Safe(f"<{element}{written}/>")
    return Safe(f"<{element}{written}>{''.join(map(_text, content))}</{element}>")


def _attribute(key: str, value: str | bool | int) -> str:
    key = key.rstrip("_").replace("_", "-")
    return f" {key}" if value is True else f' {key}="{escape(visible(str(value)))}"'


def _text(content: Content) -> str:
    if content is None:
        return ""
    if isinstance(content, Safe):
        return content
    if isinstance(content, str):
        return escape(visible(content, keep="\t"), quote=False)
    return "".join(map(_text, content))


def join(*content: Content) -> Safe:
    """Concatenated pieces."""
    return Safe("".join(map(_text, content)))


def prose(text: str) -> Safe:
    """A rule's documentation: Markdown's ``##`` headings, paragraphs, ``-`` lists and code spans; everything else stays as it is."""
    blocks: list[tuple[str, str]] = []
    for line in text.splitlines():
        kind, words = ("h4", line[3:]) if line.startswith("## ") else ("li", line[2:]) if line.startswith("- ") else ("p", line.strip())
        if kind == "p" and words and blocks and blocks[-1][0] in {"p", "li"}:
            blocks[-1] = (blocks[-1][0], f"{blocks[-1][1]} {words}")
        else:
            blocks.append((kind if words else "", words))
    parts: list[Safe] = []
    for in_list, group in itertools.groupby(blocks, lambda block: block[0] == "li"):
        tags = [tag(kind, _inline(words)) for kind, words in group if kind]
        parts.append(tag("ul", tags) if in_list else join(tags))
    return join(parts)


def _inline(text: str) -> Safe:
    pieces = re.split(r"`([^`]+)`", text)
    return join(tag("code", piece) if number % 2 else piece for number, piece in enumerate(pieces))
