"""Values of the Windows registry: typed bytes, and a readable notation based on the syntax of .reg files."""

from __future__ import annotations

from collections.abc import Iterable

from v2vlint.model.dataclass import dataclass

NONE, SZ, EXPAND_SZ, BINARY, DWORD = range(5)
MULTI_SZ = 7
CURRENT = "CurrentControlSet"
"""The first component of a key path that stands for the control set that runs: after a boot, the one in ``Select\\Default``."""


@dataclass(frozen=True, slots=True)
class RegistryData:
    """The type and the bytes of one registry value, exactly as stored in the hive."""

    type: int
    data: bytes

    def __str__(self) -> str:
        """``dword:00000003``, ``"text"``, ``expand:"%SystemRoot%\\\\x"``, ``multi:"a","b"``, ``hex:00,ff`` or ``hex(b):…``."""
        if self.type == DWORD and self.number is not None:
            return f"dword:{self.number:08x}"
        if self.type == MULTI_SZ and self == multi_sz(self.items) and all(map(_plain, self.items)):
            return f"multi:{','.join(map(quoted, self.items))}"
        if self.type in (SZ, EXPAND_SZ) and self.data == _wide(self.text) and _plain(self.text):
            return ("" if self.type == SZ else "expand:") + quoted(self.text)
        prefix = "hex" if self.type == BINARY else f"hex({self.type:x})"
        return f"{prefix}:{','.join(f'{byte:02x}' for byte in self.data)}"

    @property
    def number(self) -> int | None:
        """The number in a REG_DWORD; None for other types."""
        return int.from_bytes(self.data, "little") if self.type == DWORD and len(self.data) == 4 else None

    @property
    def text(self) -> str:
        """The text up to the first NUL."""
        return self.data.decode("utf-16-le", "surrogatepass" if len(self.data) % 2 == 0 else "replace").partition("\0")[0]

    @property
    def items(self) -> tuple[str, ...]:
        """The strings of a REG_MULTI_SZ."""
        text = self.data.decode("utf-16-le", "surrogatepass" if len(self.data) % 2 == 0 else "replace")
        return tuple(item for item in text.split("\0") if item)


def _plain(text: str) -> bool:
    return text.isprintable()


def quoted(text: str) -> str:
    """``text`` in quotation marks, escaped as in a .reg file."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _wide(text: str) -> bytes:
    return f"{text}\0".encode("utf-16-le", "surrogatepass")


def dword(number: int) -> RegistryData:
    """REG_DWORD."""
    return RegistryData(DWORD, number.to_bytes(4, "little"))


def sz(text: str) -> RegistryData:
    """REG_SZ."""
    return RegistryData(SZ, _wide(text))


def expand_sz(text: str) -> RegistryData:
    """REG_EXPAND_SZ: text with ``%VARIABLES%``."""
    return RegistryData(EXPAND_SZ, _wide(text))


def multi_sz(items: Iterable[str]) -> RegistryData:
    """REG_MULTI_SZ: a list of texts."""
    return RegistryData(MULTI_SZ, b"".join(map(_wide, items)) + b"\0\0")


def binary(data: bytes) -> RegistryData:
    """REG_BINARY."""
    return RegistryData(BINARY, data)
