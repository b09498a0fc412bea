"""XML whose elements know their position in the file. No document type or entities; size, depth and number of elements are limited."""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Iterator
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from v2vlint.model.errors import ImageError
from v2vlint.model.place import Span

MAX_XML = 8 << 20
MAX_ELEMENTS = 100_000
MAX_DEPTH = 200
_LINE_END = re.compile(r"\r\n|\n|\r")
_DECLARED = re.compile(rb"""<\?xml[^>]*encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_TAG = re.compile(r"""<(?:[^>"']|"[^"]*"|'[^']*')*>""")


class Document:
    """A parsed document: ``root``, the ``text`` it was parsed from, and the place of every element in ``path``."""

    def __init__(self, path: str, text: str) -> None:
        """Parse ``text``. ValueError says why it is not acceptable."""
        self.path, self.text = path, text
        self._starts = line_starts(text)
        self._raw = text.encode("utf-8", "surrogatepass")
        self._offsets: dict[Element, int] = {}
        self.root = self._parse()
        self._characters = self._in_characters()

    def at(self, element: Element, attribute: str = "") -> Span:
        """The start tag of ``element``, or the value of its ``attribute`` (by local name) when it has one there."""
        start = self._characters[element]
        match = _TAG.match(self.text, start)
        end = match.end() if match else start
        if attribute and (
            found := re.compile(rf"""[\s:]{re.escape(attribute)}\s*=\s*(["'])(.*?)\1""", re.DOTALL).search(self.text, start, end)
        ):
            start, end = found.span(2)
        return span_of(self.path, self._starts, start, end)

    def _in_characters(self) -> dict[Element, int]:
        """The offset of every element in ``text``, in one pass: expat counts bytes, and elements appear in document order."""
        found: dict[Element, int] = {}
        before = characters = 0
        for element, offset in self._offsets.items():
            characters += len(self._raw[before:offset].decode("utf-8", "surrogatepass"))
            found[element], before = characters, offset
        return found

    def _parse(self) -> Element:
        builder, depth = TreeBuilder(), 0
        # Always UTF-8, whatever the document declares: offsets are then those of self._raw.
        parser = expat.ParserCreate("utf-8", "}")
        parser.buffer_text = True

        def start(tag: str, attributes: dict[str, str]) -> None:
            nonlocal depth
            depth += 1
            if depth > MAX_DEPTH or len(self._offsets) >= MAX_ELEMENTS:
                raise ValueError("nested too deeply" if depth > MAX_DEPTH else "too many elements")
            named = {_full(name): value for name, value in attributes.items()}
            self._offsets[builder.start(_full(tag), named)] = parser.CurrentByteIndex

        def end(tag: str) -> None:
            nonlocal depth
            depth -= 1
            builder.end(_full(tag))

        parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, builder.data
        # Without a document type there are no entities, which could grow without limit or name other files.
        parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = _refuse
        try:
            parser.Parse(self._raw, True)
        except expat.ExpatError as error:
            raise ValueError(str(error)) from error
        root: Element = builder.close()
        return root


def _full(name: str) -> str:
    return f"{{{name}" if "}" in name else name


def _refuse(*_arguments: object) -> NoReturn:
    raise ValueError("document types are not allowed")


def read_document(path: str, data: bytes | str, problem: Callable[[str], Exception] = ImageError) -> Document:
    """The document in ``data``. Raises ``problem(reason)`` when it is not XML, is too large or has a document type.

    ``path`` is the file name in its places.
    """
    if len(data) > MAX_XML:
        raise problem(f"{path}: XML of more than {MAX_XML} bytes")
    try:
        return Document(path, data if isinstance(data, str) else _decoded(data))
    except (ValueError, LookupError, AssertionError) as error:
        raise problem(f"{path}: not valid XML: {error}") from error


def _decoded(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16")
    declared = _DECLARED.match(data.removeprefix(b"\xef\xbb\xbf"))
    return data.decode(declared[1].decode() if declared else "utf-8").removeprefix("\ufeff")


def line_starts(text: str) -> list[int]:
    """The offset of each line."""
    return [0, *(match.end() for match in _LINE_END.finditer(text))]


def span_of(path: str, starts: list[int], start: int, end: int) -> Span:
    """Characters ``start``..``end`` of a text whose lines begin at ``starts``."""
    line = bisect.bisect_right(starts, start)
    return Span(path, start, end, line, start - starts[line - 1] + 1)


def local(element: Element) -> str:
    """The name of an element, without namespace."""
    return element.tag.rpartition("}")[2]


def everywhere(element: Element, name: str) -> Iterator[Element]:
    """All elements called ``name`` at or below ``element``, in any namespace."""
    return (one for one in element.iter() if local(one) == name)


def child(element: Element | None, name: str) -> Element | None:
    """The first child called ``name``."""
    return None if element is None else next((one for one in element if local(one) == name), None)


def text_of(element: Element | None, name: str) -> str:
    """The text of the first child called ``name``, stripped; empty when there is none."""
    found = child(element, name)
    return "" if found is None else (found.text or "").strip()


def attribute(element: Element | None, name: str) -> str:
    """The attribute called ``name`` in any namespace; empty when there is none."""
    return "" if element is None else next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), "")
