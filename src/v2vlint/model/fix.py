"""Fixes as data. A fix is a titled group of edits, applied as a whole or not at all."""

from __future__ import annotations

import enum

from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span
from v2vlint.model.registry import RegistryData


class Applicability(enum.IntEnum):
    """How far a fix can be trusted: MANUAL is only printed, UNSAFE changes behaviour or loses identity, SAFE does neither."""

    MANUAL = 0
    UNSAFE = 1
    SAFE = 2


@dataclass(frozen=True, slots=True)
class ReplaceText:
    """Replace ``where`` with ``text`` if it still reads ``expect``. An empty span inserts, an empty text deletes."""

    where: Span
    expect: str
    text: str


@dataclass(frozen=True, slots=True)
class WriteFile:
    """Create the file ``path``, which must not exist; ``mode`` holds permission bits."""

    path: str
    text: str
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class WriteData:
    """Write the binary file ``path``. ``expect`` is the SHA-256 (hexadecimal) of the file it replaces, empty for a new file."""

    path: str
    data: bytes
    expect: str = ""
    mode: int = 0o644

    @property
    def digest(self) -> str:
        """SHA-256 of the new content, in hexadecimal."""
        import hashlib

        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove the file ``path``."""

    path: str


@dataclass(frozen=True, slots=True)
class CopyFile:
    """Copy one guest file to another guest path, which must not exist."""

    source: str
    path: str


@dataclass(frozen=True, slots=True)
class AppendInitramfs:
    """Append a cpio segment to the initramfs ``path`` of kernel ``version`` that adds ``modules`` and loads them."""

    path: str
    version: str
    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Have the guest's own generator rebuild ``artefact`` (``initramfs:VERSION``, ``grub.cfg``), which is never edited by hand."""

    artefact: str


@dataclass(frozen=True, slots=True)
class RegistrySet:
    """Set the registry value ``name`` (empty: the default value) of a key to ``value``, creating missing keys.

    ``hive`` is the guest path of the hive, ``key`` a backslash-separated path in it (``CurrentControlSet`` is resolved through the hive's
    ``Select`` key). ``expect`` is the value's present content; None when the value must not exist.
    """

    hive: str
    key: str
    name: str
    value: RegistryData
    expect: RegistryData | None


@dataclass(frozen=True, slots=True)
class RegistryDeleteKey:
    """Delete a key that has no subkeys and exactly the values ``expect`` (names and contents, in any order)."""

    hive: str
    key: str
    expect: tuple[tuple[str, RegistryData], ...]


RegistryEdit = RegistrySet | RegistryDeleteKey
Edit = ReplaceText | WriteFile | WriteData | Delete | CopyFile | AppendInitramfs | Rebuild | RegistrySet | RegistryDeleteKey


@dataclass(frozen=True, slots=True)
class Fix:
    """One repair: ``title`` in the imperative, how safe it is, and its edits."""

    title: str
    applicability: Applicability
    edits: tuple[Edit, ...] = ()
