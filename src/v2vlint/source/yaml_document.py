"""YAML definitions: nodes with places, never objects. Bounded by size, number of nodes visited and depth; an alias is visited like any
node.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from v2vlint.model.errors import ImageError
from v2vlint.model.place import Span

MAX_YAML = 1 << 20
MAX_NODES = 20_000
MAX_DEPTH = 60


class DocumentNode:
    """A node of a document. :meth:`get` and :meth:`items` access its content; what does not exist is an empty node."""

    def __init__(self, path: str, node: Any, budget: list[int]) -> None:
        self._path, self._node, self._budget = path, node, budget

    def __bool__(self) -> bool:
        return self._node is not None

    @property
    def text(self) -> str:
        """The text of a scalar, else empty."""
        from yaml import ScalarNode

        return str(self._node.value) if isinstance(self._node, ScalarNode) and self._node.tag != "tag:yaml.org,2002:null" else ""

    @property
    def true(self) -> bool:
        """Whether it is a true boolean."""
        return self.text.lower() in ("true", "yes", "on")

    @property
    def where(self) -> Span:
        """Its place."""
        mark, end = self._node.start_mark, self._node.end_mark
        return Span(self._path, mark.index, end.index, mark.line + 1, mark.column + 1)

    def get(self, *keys: str) -> DocumentNode:
        """The node that a path of keys leads to."""
        node = self
        for key in keys:
            node = next((value for name, value in node.pairs() if name == key), DocumentNode(self._path, None, self._budget))
        return node

    def pairs(self) -> Iterator[tuple[str, DocumentNode]]:
        """The keys and values of a map."""
        from yaml import MappingNode, ScalarNode

        if isinstance(self._node, MappingNode):
            for key, value in self._node.value:
                self._spend()
                if isinstance(key, ScalarNode):
                    yield str(key.value), DocumentNode(self._path, value, self._budget)

    def items(self) -> Iterator[DocumentNode]:
        """The elements of a list."""
        from yaml import SequenceNode

        if isinstance(self._node, SequenceNode):
            for item in self._node.value:
                self._spend()
                yield DocumentNode(self._path, item, self._budget)

    def _spend(self) -> None:
        self._budget[0] -= 1
        if self._budget[0] < 0:
            raise ImageError(f"{self._path}: YAML of more than {MAX_NODES} nodes")


def read_yaml(path: str, text: str) -> list[DocumentNode]:
    """The documents in ``text``; ImageError when it is not YAML, or too large."""
    import yaml

    if len(text) > MAX_YAML:
        raise ImageError(f"{path}: YAML of more than {MAX_YAML} bytes")
    depth = count = 0
    try:
        # Events are made one at a time; compose_all recurses, and builds everything before it returns.
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            count += 1
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH or count > 4 * MAX_NODES:
                raise ImageError(f"{path}: YAML that is nested too deeply, or has too many nodes")
        budget = [MAX_NODES]
        return [DocumentNode(path, node, budget) for node in yaml.compose_all(text, Loader=yaml.SafeLoader) if node is not None]
    except (yaml.YAMLError, ValueError) as error:
        raise ImageError(f"{path}: not valid YAML: {str(error).splitlines()[0]}") from error
