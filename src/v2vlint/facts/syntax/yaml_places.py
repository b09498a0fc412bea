"""YAML documents with the place of every key and value. No objects are constructed: only the node graph is read.

PyYAML's composer provides the places; it is imported when the first document is read. The pure Python composer is used deliberately:
there, deep nesting ends in a RecursionError rather than a crash. Size, depth and the number of nodes *after* alias expansion are capped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from v2vlint.facts.syntax.edit_lines import newline
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.fix import ReplaceText
from v2vlint.model.place import Span, Token

MAX_CHARS = 128 << 10
MAX_NODES = 20_000
MAX_DEPTH = 40
_TOO_MUCH = "nested too deeply or too large"
_BRACKET = re.compile(r"[\[\]{}]")
_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class YamlNode:
    """One value of a document.

    ``kind`` is ``map``, ``list`` or ``scalar``; ``text`` is a scalar's value as a string. ``where`` ends with the node's last character.
    ``items`` are the pairs of a map (scalar keys only), ``elements`` the members of a list. ``flow`` marks ``{…}`` or ``[…]``.
    """

    kind: str
    where: Span
    text: str = ""
    items: tuple[tuple[YamlNode, YamlNode], ...] = ()
    elements: tuple[YamlNode, ...] = ()
    flow: bool = False
    token: Token | None = None

    def item(self, key: str) -> tuple[YamlNode, YamlNode] | None:
        """The key and the value of the last pair called ``key``."""
        return next((pair for pair in reversed(self.items) if pair[0].text == key), None)

    def get(self, *keys: str) -> YamlNode | None:
        """The node reached through map keys, or None."""
        node: YamlNode | None = self
        for key in keys:
            pair = node.item(key) if node is not None else None
            node = pair[1] if pair else None
        return node

    def scalar(self, *keys: str) -> Token | None:
        """The scalar reached through map keys as a token whose value is the unquoted text."""
        node = self.get(*keys)
        return node.token if node is not None and node.kind == "scalar" and node.text else None

    def scalars(self, *keys: str) -> tuple[Token, ...]:
        """The scalars of the list (or the one scalar) reached through map keys."""
        node = self.get(*keys)
        if node is None:
            return ()
        nodes = node.elements if node.kind == "list" else (node,)
        return tuple(item.token for item in nodes if item.kind == "scalar" and item.token)

    def is_true(self, *keys: str) -> bool:
        """Whether the scalar there is one of YAML 1.1's true values."""
        node = self.get(*keys)
        return node is not None and node.text.lower() in {"true", "yes", "on", "y"}


@dataclass(frozen=True, slots=True)
class YamlProblem:
    """Why a document could not be read, and where."""

    where: Span
    reason: str


def compose(text: GuestText) -> YamlNode | YamlProblem | None:
    """The root of the document; None when it is empty. Anything but a single valid document is a problem, never an exception."""
    import yaml

    whole = text.span(0, len(text.content))
    if len(text.content) > MAX_CHARS:
        return YamlProblem(whole, f"larger than {MAX_CHARS} characters")
    if _brackets(text.content) > MAX_DEPTH:
        return YamlProblem(whole, _TOO_MUCH)
    try:
        # Bytes that are not UTF-8 are surrogates here, which PyYAML refuses; one character for each keeps the places.
        root = yaml.compose(_SURROGATES.sub("?", text.content), Loader=yaml.SafeLoader)
        return None if root is None else _Builder(text).build(root, 0)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = whole if mark is None else text.span(mark.index, mark.index)
        return YamlProblem(where, str(error.problem or error.context or "not YAML"))
    except yaml.YAMLError as error:
        return YamlProblem(whole, " ".join(str(error).split())[:200])
    except (RecursionError, _TooMuchError):
        return YamlProblem(whole, _TOO_MUCH)
    # PyYAML lets these through for some documents: an escape beyond Unicode is a ValueError of chr().
    except (ValueError, IndexError, TypeError) as error:
        return YamlProblem(whole, f"not valid YAML: {error}"[:200])


def _brackets(content: str) -> int:
    """The maximum nesting depth of brackets; PyYAML's effort grows with its square."""
    depth = deepest = 0
    for match in _BRACKET.finditer(content):
        depth = depth + 1 if match[0] in "[{" else max(depth - 1, 0)
        deepest = max(deepest, depth)
    return deepest


class _TooMuchError(Exception):
    pass


class _Builder:
    """Converts PyYAML's nodes to ours; follows aliases, counting what they repeat."""

    def __init__(self, text: GuestText) -> None:
        self.text = text
        self.count = 0

    def build(self, node: Any, depth: int) -> YamlNode:
        """The node and all below it."""
        self.count += 1
        if self.count > MAX_NODES or depth > MAX_DEPTH:
            raise _TooMuchError
        if node.id == "scalar":
            return self._scalar(node)
        flow = bool(node.flow_style)
        start, end = node.start_mark.index, node.end_mark.index
        if node.id == "sequence":
            elements = tuple(self.build(item, depth + 1) for item in node.value)
            return YamlNode("list", self._span(start, end, flow, elements), elements=elements, flow=flow)
        pairs = [(key, value) for key, value in node.value if key.id == "scalar"]
        items = tuple((self.build(key, depth + 1), self.build(value, depth + 1)) for key, value in pairs)
        last = tuple(part for pair in items for part in pair)
        return YamlNode("map", self._span(start, end, flow, last), items=items, flow=flow)

    def _scalar(self, node: Any) -> YamlNode:
        start, end = node.start_mark.index, node.end_mark.index
        # PyYAML ends a block at the next token, behind blank lines and comments.
        if node.style in ("|", ">"):
            end = start + len(self.text.content[start:end].rstrip())
        where = self.text.span(start, end)
        raw = self.text.content[start:end]
        token = None
        if raw == node.value:
            token = Token(raw, where)
        elif raw[1:-1] == node.value and raw[:1] in ('"', "'"):
            token = self.text.token(start + 1, end - 1)
        elif raw:
            token = Token(node.value, where)
        return YamlNode("scalar", where, node.value, token=token)

    def _span(self, start: int, end: int, flow: bool, parts: tuple[YamlNode, ...]) -> Span:
        if not flow:
            # As in _scalar(); an alias has the place of its anchor, outside of this node.
            end = max([start, *(part.where.end for part in parts if start <= part.where.start < end)])
        return self.text.span(start, end)


def drop_item(text: GuestText, parent: YamlNode, key: str) -> ReplaceText | None:
    """The edit that removes ``key`` and its value from a block map, in whole lines; None when it does not have lines of its own."""
    pair = parent.item(key)
    if pair is None or parent.flow or parent.where.path != text.path:
        return None
    content = text.content
    start = content.rfind("\n", 0, pair[0].where.start) + 1
    end = content.find("\n", max(pair[0].where.end, pair[1].where.end))
    end = len(content) if end < 0 else end + 1
    rest = content[max(pair[0].where.end, pair[1].where.end) : end].strip().lstrip(":").strip()
    if content[start : pair[0].where.start].strip() or (rest and not rest.startswith("#")) or len(parent.items) < 2:
        return None
    return ReplaceText(text.span(start, end), content[start:end], "")


def insert_item(text: GuestText, parent: YamlNode, line: str) -> ReplaceText | None:
    """The edit that inserts ``line`` above the first pair of a block map, with its indentation; None for flow maps and empty ones."""
    if parent.flow or not parent.items or parent.where.path != text.path:
        return None
    first = parent.items[0][0].where
    start = text.content.rfind("\n", 0, first.start) + 1
    indent = text.content[start : first.start]
    if indent.strip():
        return None
    return ReplaceText(text.span(start, start), "", f"{indent}{line}{newline(text)}")


def merge(below: YamlNode, above: YamlNode) -> YamlNode:
    """Netplan's merge of two documents: maps are merged, lists concatenated, anything else replaced by ``above``."""
    if below.kind == above.kind == "list":
        return YamlNode("list", above.where, elements=(*below.elements, *above.elements), flow=above.flow)
    if not below.kind == above.kind == "map":
        return above
    return YamlNode("map", below.where, items=tuple(_united(below, above)), flow=below.flow)


def _united(below: YamlNode, above: YamlNode) -> Iterator[tuple[YamlNode, YamlNode]]:
    names = {key.text for key, _value in below.items}
    for key, value in below.items:
        other = above.item(key.text)
        yield (key, value) if other is None else (key, merge(value, other[1]))
    yield from (pair for pair in above.items if pair[0].text not in names)
