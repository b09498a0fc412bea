r"""Registry hives written from text, for rule examples and sample guests. The text is that of a ``.reg`` file.

``[Key\Path]`` lines, then ``"name"=…`` (``@=…`` is the default value): ``"text"``, ``dword:1f``, ``qword:1f``, ``hex:01,02``,
``hex(7):…`` with the type in hexadecimal, and for readability ``expand:"%SystemRoot%\\x"`` and ``multi:"one","two"``. ``"name"=-`` and
``[-Key\Path]`` remove what earlier lines created. Intermediate keys are created. The file is a clean hive of version 1.5 in one bin, as
hivex and Windows read it.
"""

from __future__ import annotations

import re
import struct
from dataclasses import field

from v2vlint.disk.hives.log import checksum
from v2vlint.model.dataclass import dataclass

_NONE = 0xFFFFFFFF
_BASE = 4096
# Longer data would need a big-data record (db).
_MAX_CELL = 16344
# Always the same, so that the same text makes the same bytes.
_TIME = 0x01DA000000000000
_SZ, _EXPAND, _BINARY, _DWORD, _MULTI, _QWORD = 1, 2, 3, 4, 7, 11
_LINE = re.compile(r'(?:@|"((?:[^"\\]|\\.)*)")\s*=\s*(.*)')
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
# Owner and group are Administrators, with full control.
_ADMINS = struct.pack("<BB6sII", 1, 2, b"\0\0\0\0\0\5", 32, 544)
# One ACE: allow KEY_ALL_ACCESS, inherited by subkeys.
_ACL = struct.pack("<BBHHHBBHI", 2, 0, 8 + 8 + len(_ADMINS), 1, 0, 0, 2, 8 + len(_ADMINS), 0xF003F) + _ADMINS
# A self-relative security descriptor with a DACL ([MS-DTYP] 2.4.6).
_SECURITY = struct.pack("<BBHIIII", 1, 0, 0x8004, 20, 20 + len(_ADMINS), 0, 20 + 2 * len(_ADMINS)) + 2 * _ADMINS + _ACL


@dataclass(slots=True)
class _Key:
    name: str
    keys: dict[str, _Key] = field(default_factory=dict)
    values: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    def sub(self, name: str) -> _Key:
        return self.keys.setdefault(name.upper(), _Key(name))


def make_hive(text: str, name: str = "") -> bytes:
    """The hive described by ``text``. ValueError with the line that is not understood."""
    cells = _Cells()
    security = cells.add(b"sk\0\0" + struct.pack("<IIII", 0, 0, 1, len(_SECURITY)) + _SECURITY)
    cells.patch(security + 4, struct.pack("<II", security, security))
    root = _write_key(cells, _parse(text), _NONE, security)
    return _file(cells.data, root, name)


def _parse(text: str) -> _Key:
    root = here = _Key("ROOT")
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith((";", "Windows Registry Editor")):
            continue
        if line.startswith("[") and line.endswith("]"):
            here = _key(root, line[1:-1])
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"not a line of a .reg file: {line!r}")
        name = _plain(match[1] or "")
        if match[2] == "-":
            here.values.pop(name, None)
        else:
            here.values[name] = _value(match[2])
    return root


def _key(root: _Key, path: str) -> _Key:
    """The key of a ``[…]`` line, created if missing; for one that starts with ``-``, it is removed and its parent returned."""
    *above, last = path.removeprefix("-").strip("\\").split("\\")
    here = root
    for part in above:
        here = here.sub(part)
    if path.startswith("-"):
        here.keys.pop(last.upper(), None)
        return here
    return here.sub(last)


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _wide(text: str) -> bytes:
    return f"{text}\0".encode("utf-16-le")


def _value(text: str) -> tuple[int, bytes]:
    kind, colon, rest = text.partition(":")
    if text.startswith('"'):
        return _SZ, _wide(_plain(text[1:-1]))
    if kind in ("expand", "multi"):
        texts = [_plain(found) for found in _TEXT.findall(rest)]
        return (_EXPAND, _wide(texts[0])) if kind == "expand" else (_MULTI, b"".join(map(_wide, texts)) + b"\0\0")
    if kind in ("dword", "qword"):
        return (_DWORD, struct.pack("<I", int(rest, 16))) if kind == "dword" else (_QWORD, struct.pack("<Q", int(rest, 16)))
    match = re.fullmatch(r"hex(?:\(([0-9a-fA-F]+)\))?", kind)
    if not colon or match is None:
        raise ValueError(f"not a value of a .reg file: {text!r}")
    return int(match[1] or "3", 16), bytes.fromhex(rest.replace(",", " "))


class _Cells:
    def __init__(self) -> None:
        self.data = bytearray(32)

    def add(self, content: bytes) -> int:
        """Allocate a cell; returns its offset from the first bin."""
        if len(content) > _MAX_CELL:
            raise ValueError(f"a cell of {len(content)} bytes")
        offset, size = len(self.data), -(-(len(content) + 4) // 8) * 8
        # A negative size means that the cell is in use.
        self.data += struct.pack("<i", -size) + content.ljust(size - 4, b"\0")
        return offset

    def patch(self, offset: int, content: bytes) -> None:
        """Overwrite bytes of a cell; ``offset`` counts from the cell's start."""
        self.data[offset + 4 : offset + 4 + len(content)] = content


def _name(text: str) -> tuple[bytes, bool]:
    """Name bytes, and whether they are in the short form."""
    try:
        return text.encode("ascii"), True
    except UnicodeEncodeError:
        return text.encode("utf-16-le"), False


def _write_key(cells: _Cells, key: _Key, parent: int, security: int) -> int:
    name, short = _name(key.name)
    # KEY_COMP_NAME; KEY_HIVE_ENTRY and KEY_NO_DELETE of the root.
    flags = (0x20 if short else 0) | (0x0C if parent == _NONE else 0)
    here = cells.add(b"nk" + bytes(74) + name)
    values = [_write_value(cells, *value) for value in key.values.items()]
    value_list = cells.add(struct.pack(f"<{len(values)}I", *values)) if values else _NONE
    children = [(child, _write_key(cells, child, here, security)) for _folded, child in sorted(key.keys.items())]
    # A hash leaf: offset and hash of the name for each subkey, in order.
    leaf = b"lh" + struct.pack("<H", len(children)) + b"".join(struct.pack("<II", at, _hash(child.name)) for child, at in children)
    child_list = cells.add(leaf) if children else _NONE
    longest = [max((2 * len(child) for child in key.keys), default=0), max((2 * len(one) for one in key.values), default=0)]
    data = max((len(content) for _kind, content in key.values.values()), default=0)
    # Key node (nk): stable and volatile subkeys with their lists, values with their list, security, class.
    lists = (len(children), 0, child_list, _NONE, len(values), value_list, security, _NONE)
    node = struct.pack("<HQII8I", flags, _TIME, 0, 0 if parent == _NONE else parent, *lists)
    node += struct.pack("<IIIIIHH", longest[0], 0, longest[1], data, 0, len(name), 0)
    cells.patch(here + 2, node)
    return here


def _write_value(cells: _Cells, name: str, content: tuple[int, bytes]) -> int:
    (kind, data), (encoded, short) = content, _name(name)
    # Up to four bytes are in the place of the offset, which the top bit of the size says.
    if len(data) <= 4:
        size, place = len(data) | 0x80000000, int.from_bytes(data.ljust(4, b"\0"), "little")
    else:
        size, place = len(data), cells.add(data)
    return cells.add(b"vk" + struct.pack("<HIIIHH", len(encoded), size, place, kind, int(short), 0) + encoded)


def _hash(name: str) -> int:
    # The configuration manager's hash of a name, for "lh" lists.
    found = 0
    for char in name.upper():
        found = (found * 37 + ord(char)) & 0xFFFFFFFF
    return found


def _file(data: bytearray, root: int, name: str) -> bytes:
    size = -(-(len(data) + 8) // 4096) * 4096
    data[:32] = b"hbin" + struct.pack("<IIQQI", 0, size, 0, _TIME, 0)
    spare = size - len(data)
    data += struct.pack("<i", spare).ljust(spare, b"\0")
    # The base block: both sequence numbers are 1, so nothing is pending in log files; version 1.5.
    head = b"regf" + struct.pack("<IIQIIIIIII", 1, 1, _TIME, 1, 5, 0, 1, root, size, 1) + name.encode("utf-16-le")[:62]
    head = head.ljust(508, b"\0")
    return (head + struct.pack("<I", checksum(head))).ljust(_BASE, b"\0") + bytes(data)
