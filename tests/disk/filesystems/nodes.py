"""The node at a path, which has to be there."""

from __future__ import annotations

from v2vlint.disk.filesystems.node import Node


def child(node: Node, *names: str) -> Node:
    """What the names lead to, one after the other."""
    for name in names:
        found = node.child(name)
        assert found is not None, name
        node = found
    return node
