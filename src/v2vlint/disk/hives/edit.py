"""Check edits of a registry hive, and compute their result, without writing: the dry run of a registry fix.

Keys and names are case-insensitive. Any problem with the hive is an ImageError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, TypeVar

from v2vlint.disk.hives.log import SECTOR, BaseBlock
from v2vlint.disk.hives.reader import HiveFile, HiveKey
from v2vlint.model.errors import ImageError
from v2vlint.model.fix import RegistryDeleteKey, RegistryEdit, RegistrySet
from v2vlint.model.registry import CURRENT, RegistryData, quoted
from v2vlint.model.rewrite import StaleEdit

MAX_KEYS = 100_000
MAX_DEPTH = 512  # Windows' own limit

T = TypeVar("T")
Values = dict[str, RegistryData]


class HiveDraft:
    """An opened hive. ``clean`` is false when its log files contain further changes, so that the hive itself is out of date."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.name = name
        head = self._guarded(lambda: _head(stream))
        if len(head) < SECTOR or head[:4] != b"regf":
            raise ImageError(f"{name}: not a registry hive")
        self.clean = BaseBlock(head).closed
        self._root = self._guarded(lambda: HiveFile(stream).root)

    def values(self, key: str) -> Values | None:
        """The names and values of a key; None when there is no such key."""
        return self._guarded(lambda: _values(node) if (node := self._root.key(key)) is not None else None)

    def value(self, key: str, name: str) -> RegistryData | None:
        """One value; None when the key or the value does not exist."""
        return next((value for found, value in (self.values(key) or {}).items() if found.lower() == name.lower()), None)

    def subkeys(self, key: str) -> tuple[str, ...]:
        """The names of a key's subkeys."""
        return self._guarded(lambda: tuple(child.name for child in node.children()) if (node := self._root.key(key)) is not None else ())

    def resolve(self, key: str) -> str:
        """``key`` with ``CurrentControlSet`` replaced by the control set of the next boot."""
        first, _backslash, rest = key.partition("\\")
        if first.lower() != CURRENT.lower():
            return key
        current = self.value("Select", "Default") or self.value("Select", "Current")
        if current is None or current.number is None:
            raise ImageError(f"{self.name}: does not say which control set is in use")
        return f"ControlSet{current.number:03d}\\{rest}"

    def text(self) -> str:
        """The whole hive as the text of a ``.reg`` file, keys in alphabetical order. Use it only for small ones."""
        return _written(self._guarded(lambda: dict(self._walk())))

    def edited(self, edits: Iterable[RegistryEdit]) -> str:
        """The text after ``edits``. StaleEdit when the hive is not in the state that one of them expects."""
        edits = tuple(edits)
        self.check(edits)
        keys = self._guarded(lambda: dict(self._walk()))
        folded = {key.lower(): key for key in keys}
        for edit in edits:
            key = self.resolve(edit.key)
            # What is there keeps its spelling.
            key = folded.setdefault(key.lower(), key)
            if isinstance(edit, RegistrySet):
                values = keys.setdefault(key, {})
                name = next((known for known in values if known.lower() == edit.name.lower()), edit.name)
                values[name] = edit.value
            else:
                keys.pop(key, None)
        return _written(keys)

    def check(self, edits: Iterable[RegistryEdit]) -> None:
        """Raise StaleEdit when the hive is not in the state that one of ``edits`` expects."""
        for edit in edits:
            key = self.resolve(edit.key)
            if isinstance(edit, RegistrySet):
                self._check_value(edit, key)
            else:
                self._check_key(edit, key)

    def _check_value(self, edit: RegistrySet, key: str) -> None:
        found = self.value(key, edit.name)
        if found != edit.expect:
            shown = "is absent" if found is None else "already exists" if edit.expect is None else f"no longer reads {edit.expect}"
            raise StaleEdit(f"{edit.hive}: {key}\\{edit.name} {shown}")

    def _check_key(self, edit: RegistryDeleteKey, key: str) -> None:
        values = self.values(key)
        if values is None:
            raise StaleEdit(f"{edit.hive}: {key} does not exist")
        if self.subkeys(key) or _folded(values) != _folded(dict(edit.expect)):
            raise StaleEdit(f"{edit.hive}: {key} has changed")

    def _walk(self) -> Iterator[tuple[str, Values]]:
        pending = [("", self._root, 0)]
        for number, (path, node, depth) in enumerate(pending):
            if number > MAX_KEYS or depth > MAX_DEPTH:
                raise ImageError(f"{self.name}: too many keys")
            if path:
                yield path, _values(node)
            pending += [(f"{path}\\{child.name}".lstrip("\\"), child, depth + 1) for child in node.children()]

    def _guarded(self, action: Callable[[], T]) -> T:
        try:
            return action()
        except (ImageError, MemoryError):
            raise
        except Exception as error:
            raise ImageError(f"{self.name}: cannot be read: {str(error).strip() or type(error).__name__}") from error


def _head(stream: BinaryIO) -> bytes:
    stream.seek(0)
    return stream.read(SECTOR)


def _values(key: HiveKey) -> Values:
    return {value.name: RegistryData(value.type, value.data) for value in key.values()}


def _folded(values: Values) -> Values:
    return {name.lower(): value for name, value in values.items()}


def _written(keys: dict[str, Values]) -> str:
    blocks = (f"[{key}]\n{''.join(sorted(map(_line, keys[key].items())))}" for key in sorted(keys, key=str.lower))
    return "\n".join(blocks)


def _line(item: tuple[str, RegistryData]) -> str:
    name, value = item
    return f"{quoted(name) if name else '@'}={value}\n"
