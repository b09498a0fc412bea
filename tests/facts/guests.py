"""Facts of a guest given as a few literals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from v2vlint.facts.registry import FactStore
from v2vlint.guest.text import GuestText
from v2vlint.model.blocks import BlockTable
from v2vlint.model.finding import Mover
from v2vlint.model.fix import Delete, ReplaceText
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import Span, Token
from v2vlint.model.rewrite import rewrite
from v2vlint.model.rule import Link
from v2vlint.samples.memory import memory_guest
from v2vlint.target import load

T = TypeVar("T")
Files = Mapping[str, str | bytes | Link]
DEBIAN = OsInfo("linux", "debian", "debian", "Debian GNU/Linux", "12", "x86_64")
HOSTILE = (
    "",
    "\x00\xff\udcff\n=\n[\n]\n[]\n",
    "[" * 3000,
    '"' * 3000,
    "a=" * 3000,
    "\\\n" * 500,
    "iface\nauto\nmapping\nsource\nsource /etc/network/*\n",
    "A{" * 2000 + 'NAME="x"',
    "\r\r\n\r",
    "x" * 100_000,
    'Section\nSection "\nEndSection\nDriver\n',
)


def fact(kind: type[T], files: Files, *given: object) -> T:
    """The fact of a Debian guest with these files."""
    return FactStore((memory_guest(files), BlockTable(), DEBIAN, load("kvm"), Mover.RAW, *given)).get(kind)


def at(place: object) -> str:
    """``value@line:column`` of a token, ``line:column`` of a span, ``-`` for none."""
    if isinstance(place, Token):
        return f"{place.value}@{place.where.line}:{place.where.column}"
    return f"{place.line}:{place.column}" if isinstance(place, Span) else "-" if place is None else str(place)


def tokens_fit(files: Files, *tokens: Token) -> bool:
    """Whether the file really reads each token at its place."""
    guest = memory_guest(files)
    texts = {path: guest.text(path) or GuestText(path, "") for path in {token.where.path for token in tokens}}
    return all(texts[token.where.path].content[token.where.start : token.where.end] == token.value for token in tokens)


def edited(files: Files, edits: tuple[ReplaceText | Delete, ...], path: str) -> str | None:
    """The text of ``path`` after the edits."""
    guest = memory_guest(files)

    def read(name: str) -> str | None:
        text = guest.text(name)
        return None if text is None else text.content

    return rewrite(edits, read)[path][1]
