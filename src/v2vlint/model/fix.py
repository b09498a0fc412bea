"""Edits are data. A fix is a titled group of edits that applies whole or not at all."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from v2vlint.model.place import Span


class Applicability(enum.IntEnum):
    """How far a fix may be trusted: MANUAL is only printed, UNSAFE changes behaviour or loses identity, SAFE does neither."""

    MANUAL = 0
    UNSAFE = 1
    SAFE = 2


@dataclass(frozen=True, slots=True)
class ReplaceText:
    """Replace ``where`` by ``text`` if it still reads ``expect``; an empty span inserts, an empty text deletes."""

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
    """Append a cpio segment to the initramfs ``path`` of kernel ``version`` that brings and loads ``modules``."""

    path: str
    version: str
    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Ask the guest's own generator to make ``artefact`` (``initramfs:VERSION``, ``grub.cfg``) again; never hand-edited."""

    artefact: str


Edit = ReplaceText | WriteFile | Delete | CopyFile | AppendInitramfs | Rebuild


@dataclass(frozen=True, slots=True)
class Fix:
    """One repair: ``title`` in the imperative, how safe it is, and its edits (all or nothing)."""

    title: str
    applicability: Applicability
    edits: tuple[Edit, ...] = ()
