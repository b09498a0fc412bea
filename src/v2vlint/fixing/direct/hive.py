"""Edits a copy of a registry hive through libhivex."""

from __future__ import annotations

import base64
import ctypes
import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_void_p
from pathlib import Path
from typing import Any

from v2vlint.fixing.direct.terms import Declined, Mismatch
from v2vlint.fixing.orders import KeyDeleting, ValueData, ValueSetting

SONAME = "libhivex.so.0"
# HIVEX_OPEN_WRITE (hivex.h).
_WRITE = 4


class _Value(ctypes.Structure):
    _fields_ = (("key", c_char_p), ("type", c_int), ("length", c_size_t), ("value", c_void_p))


_PROTOTYPES: dict[str, tuple[object, tuple[object, ...]]] = {
    "hivex_open": (c_void_p, (c_char_p, c_int)),
    "hivex_close": (c_int, (c_void_p,)),
    "hivex_root": (c_size_t, (c_void_p,)),
    "hivex_node_get_child": (c_size_t, (c_void_p, c_size_t, c_char_p)),
    "hivex_node_add_child": (c_size_t, (c_void_p, c_size_t, c_char_p)),
    "hivex_node_get_value": (c_size_t, (c_void_p, c_size_t, c_char_p)),
    "hivex_node_values": (POINTER(c_size_t), (c_void_p, c_size_t)),
    "hivex_node_nr_children": (c_size_t, (c_void_p, c_size_t)),
    "hivex_value_key": (c_void_p, (c_void_p, c_size_t)),
    "hivex_value_value": (c_void_p, (c_void_p, c_size_t, POINTER(c_int), POINTER(c_size_t))),
    "hivex_node_set_value": (c_int, (c_void_p, c_size_t, POINTER(_Value), c_int)),
    "hivex_node_delete_child": (c_int, (c_void_p, c_size_t)),
    "hivex_commit": (c_int, (c_void_p, c_char_p, c_int)),
}


@functools.cache
def library() -> ctypes.CDLL:
    """The library. Declined when it is not installed."""
    try:
        found = ctypes.CDLL(SONAME, use_errno=True)
        for name, (kind, arguments) in _PROTOTYPES.items():
            function = getattr(found, name)
            function.restype, function.argtypes = kind, arguments
    except (OSError, AttributeError) as error:
        raise Declined(f"{SONAME} is not installed (apt install libhivex0)") from error
    return found


def edited(data: bytes, path: str, edits: Sequence[ValueSetting | KeyDeleting], folder: Path) -> bytes:
    """The hive ``data`` of the guest file ``path`` after ``edits``, made in a copy in ``folder``. Mismatch when an edit expects another
    state.
    """
    if data[:4] != b"regf":
        raise Mismatch(f"{path} is not a registry hive")
    if data[4:8] != data[8:12]:
        raise Mismatch(f"{path} was not written out by Windows: changes to it are still in its log files")
    place = folder / "hive"
    place.write_bytes(data)
    with _opened(place, path) as hive:
        for edit in edits:
            hive.delete_key(edit) if "delete" in edit else hive.set_value(edit)
        hive.commit()
    return place.read_bytes()


@contextmanager
def _opened(place: Path, path: str) -> Iterator[_Hive]:
    handle = library().hivex_open(str(place).encode(), _WRITE)
    if not handle:
        raise Declined(f"hivex cannot open {path}")
    try:
        yield _Hive(handle, path)
    finally:
        library().hivex_close(handle)


class _Hive:
    def __init__(self, handle: int, path: str) -> None:
        self._handle, self._path = handle, path

    def set_value(self, edit: ValueSetting) -> None:
        """Set a value, creating missing keys."""
        node = self._call("hivex_root")
        for part in edit["key"]:
            name = _text(part)
            node = self._call("hivex_node_get_child", node, name) or self._need("hivex_node_add_child", node, name)
        value = self._call("hivex_node_get_value", node, _text(edit["name"]))
        self._expect(self._shown(value) if value else None, edit["expect"], f"{self._words(edit)}\\{edit['name']}")
        data = base64.b64decode(edit["data"])
        held = ctypes.create_string_buffer(data, len(data) or 1)
        # The spelling stays: hivex finds the value whatever the case, but would rename it.
        name = self._name(value) if value else _text(edit["name"])
        new = _Value(name, edit["type"], len(data), ctypes.addressof(held))
        if self._call("hivex_node_set_value", node, byref(new), 0):
            raise Declined(f"hivex cannot write {self._path}")

    def delete_key(self, edit: KeyDeleting) -> None:
        """Delete a key that has no subkeys and exactly the expected values."""
        node = self._call("hivex_root")
        for part in edit["key"]:
            node = node and self._call("hivex_node_get_child", node, _text(part))
        if not node:
            raise Mismatch(f"{self._path}: {self._words(edit)} does not exist")
        found = {self._name(value).decode("utf-8", "replace").lower(): self._shown(value) for value in self._values(node)}
        wanted = {str(value["name"]).lower(): {"type": value["type"], "data": value["data"]} for value in edit["expect"]}
        if self._call("hivex_node_nr_children", node):
            raise Mismatch(f"{self._path}: {self._words(edit)} has subkeys")
        self._expect(found, wanted, self._words(edit))
        if self._call("hivex_node_delete_child", node):
            raise Declined(f"hivex cannot write {self._path}")

    def commit(self) -> None:
        """Write the copy."""
        if self._call("hivex_commit", None, 0):
            raise Declined(f"hivex cannot write {self._path}")

    def _call(self, name: str, *arguments: Any) -> int:
        return int(getattr(library(), name)(self._handle, *arguments))

    def _need(self, name: str, *arguments: Any) -> int:
        if not (node := self._call(name, *arguments)):
            raise Declined(f"hivex cannot write {self._path}")
        return node

    def _values(self, node: int) -> Iterator[int]:
        found = library().hivex_node_values(self._handle, node)
        if not found:
            raise Declined(f"hivex cannot read {self._path}")
        for value in found:
            if not value:
                break
            yield value
        _free(found)

    def _name(self, value: int) -> bytes:
        if not (text := library().hivex_value_key(self._handle, value)):
            raise Declined(f"hivex cannot read {self._path}")
        name = ctypes.string_at(text)
        _free(text)
        return name

    def _shown(self, value: int) -> ValueData:
        kind, length = c_int(), c_size_t()
        data = library().hivex_value_value(self._handle, value, byref(kind), byref(length))
        if not data:
            raise Declined(f"hivex cannot read {self._path}")
        content = ctypes.string_at(data, length.value)
        _free(data)
        return {"type": kind.value, "data": base64.b64encode(content).decode()}

    def _expect(self, found: Any, wanted: Any, place: str) -> None:
        if found != wanted:
            raise Mismatch(f"{self._path}: {place} is not what was checked")

    @staticmethod
    def _words(edit: ValueSetting | KeyDeleting) -> str:
        return "\\".join(edit["key"])


def _text(name: str) -> bytes:
    # Names in a hive are UTF-16, which may have lone surrogates.
    return name.encode("utf-8", "surrogatepass")


def _free(pointer: Any) -> None:
    # What hivex returns is from malloc, and the caller's to free (hivex(3)).
    libc = ctypes.CDLL(None)
    libc.free.argtypes = (c_void_p,)
    libc.free(pointer)
