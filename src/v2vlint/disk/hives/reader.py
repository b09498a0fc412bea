"""Windows registry hives through dissect.regf, read cell by cell on demand, within the caps below.

Damaged data raises whatever the library raises; :mod:`v2vlint.facts.windows.registry` turns that into outcomes.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, cast

from v2vlint.disk.hives.log import SECTOR, BaseBlock, ReplayedHive, replay
from v2vlint.model.dataclass import dataclass

MAX_DATA = 1 << 20
MAX_CHILDREN = 20_000
_BUFFER = 64 << 10
_DWORD, _QWORD = 4, 11
_NUMBERS = (_DWORD, 5, _QWORD)
_TEXTS = (1, 2)
_MULTI = 7


@dataclass(frozen=True, slots=True)
class HiveValue:
    """A value: its name (empty for the default value), its type in Windows' numbering (1 REG_SZ, 4 REG_DWORD…) and its bytes."""

    name: str
    type: int
    data: bytes

    @property
    def number(self) -> int | None:
        """The number in a DWORD or QWORD; None for other types."""
        if self.type not in _NUMBERS or len(self.data) < 4:
            return None
        # Type 5 is REG_DWORD_BIG_ENDIAN.
        return int.from_bytes(self.data[:8] if self.type == _QWORD else self.data[:4], "big" if self.type == 5 else "little")

    @property
    def text(self) -> str:
        """The text of a REG_SZ or REG_EXPAND_SZ, or the first one of a REG_MULTI_SZ; empty for other types."""
        return next(iter(self.texts), "")

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of a REG_MULTI_SZ, or the single one of another text type."""
        if self.type not in (*_TEXTS, _MULTI):
            return ()
        parts = self.data.decode("utf-16-le", "replace").split("\0")
        return tuple(part for part in (parts if self.type == _MULTI else parts[:1]) if part)


class HiveKey:
    """A key of an opened hive."""

    def __init__(self, node: Any) -> None:
        self._node = node
        self.name = str(node.name)

    def children(self) -> Iterator[HiveKey]:
        """The direct subkeys, at most :data:`MAX_CHILDREN`."""
        for count, node in enumerate(self._node.subkeys()):
            if count >= MAX_CHILDREN:
                return
            yield HiveKey(node)

    def key(self, path: str) -> HiveKey | None:
        """The key at a path below this one, ignoring case; None when it does not exist."""
        here: HiveKey | None = self
        for part in path.strip("\\").split("\\") if path.strip("\\") else ():
            here = None if here is None else here._child(part)
        return here

    def _child(self, name: str) -> HiveKey | None:
        from dissect.regf.exceptions import RegistryKeyNotFoundError

        try:
            return HiveKey(self._node.subkey(name))
        except RegistryKeyNotFoundError:
            return self._search(name) if self._old_leaf() else None
        except UnicodeDecodeError:
            return self._search(name)

    def _search(self, name: str) -> HiveKey | None:
        """Search the keys one by one: the library is case-sensitive in the index leaves of old hives, and assumes that name hints are
        ASCII.
        """
        folded = name.lower()
        return next((key for key in self.children() if key.name.lower() == folded), None)

    def _old_leaf(self) -> bool:
        leaf = self._node._subkey_list
        if type(leaf).__name__ == "IndexRoot" and len(leaf.cell.List):
            leaf = leaf.hive.cell(leaf.cell.List[0])
        return type(leaf).__name__ == "IndexLeaf"

    def values(self) -> Iterator[HiveValue]:
        """All values with at most :data:`MAX_DATA` bytes each, at most :data:`MAX_CHILDREN`."""
        for count, value in enumerate(self._node.values()):
            if count >= MAX_CHILDREN:
                return
            # dissect calls the default value "(Default)", which another value may be called as well.
            name = "" if value.cell.NameLength == 0 else str(value.name)
            yield HiveValue(name, int(value.type), bytes(value.data) if value.size <= MAX_DATA else b"")


class HiveFile:
    """An opened hive. ``in_transaction`` means that its last changes are only in its log files, ``replayed`` that those are included.

    ``logs`` supplies the content of the log files when needed.
    """

    def __init__(self, stream: BinaryIO, logs: Callable[[], Sequence[bytes]] = tuple) -> None:
        from dissect.regf import RegistryHive

        stream.seek(0)
        head = BaseBlock(stream.read(SECTOR))
        self.in_transaction = head.raw[:4] == b"regf" and not head.closed
        changed = replay(head.raw, logs()) if self.in_transaction else None
        self.replayed = changed is not None
        stream.seek(0)
        base: Any = ReplayedHive(stream, *changed) if changed else stream
        buffered = base if isinstance(base, io.BytesIO) else io.BufferedReader(base, _BUFFER)
        self.root = HiveKey(RegistryHive(cast(BinaryIO, buffered)).root())
