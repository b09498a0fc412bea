"""ISO 9660 through pycdlib, with Rock Ridge or Joliet names if the image has them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from pycdlib import PyCdlib

from v2vlint.disk.filesystems.content import Content
from v2vlint.disk.filesystems.node import Kind, Stat
from v2vlint.disk.stream import Stream
from v2vlint.model.errors import ImageError

MAX_FILE = 512 << 20


class IsoFileSystem:
    """An opened ISO 9660 filesystem."""

    type = "iso9660"

    def __init__(self, base: Stream, uuid: str = "", label: str = "") -> None:
        self.uuid, self.label = uuid, label
        self.stale = ""
        self.iso: Any = PyCdlib()
        self.iso.open_fp(base)
        self.kind = "rr_path" if self.iso.has_rock_ridge() else "joliet_path" if self.iso.has_joliet() else "iso_path"

    @property
    def root(self) -> IsoNode:
        """The top directory."""
        return IsoNode(self, "/", self.iso.get_record(**{self.kind: "/"}))


class IsoNode:
    """Implements :class:`~v2vlint.disk.filesystems.node.Node` for a directory record."""

    def __init__(self, fs: IsoFileSystem, path: str, record: Any) -> None:
        self._fs, self._path, self._record = fs, path, record

    def stat(self) -> Stat:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        if self._record.is_dir():
            return Stat(Kind.DIR, 0, 0o755)
        rock_ridge = self._record.rock_ridge
        if rock_ridge is not None and rock_ridge.is_symlink():
            return Stat(Kind.LINK, 0, 0o777)
        return Stat(Kind.FILE, int(self._record.get_data_length()))

    def names(self) -> Iterator[str]:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        return (name for name, _record in self._children())

    def child(self, name: str) -> IsoNode | None:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        found = next((record for other, record in self._children() if other == name), None)
        if found is None:
            return None
        return IsoNode(self._fs, self._fs.iso.full_path_from_dirrecord(found, self._fs.kind == "rr_path"), found)

    def _children(self) -> Iterator[tuple[str, Any]]:
        for record in self._fs.iso.list_children(**{self._fs.kind: self._path}):
            if record is not None and not record.is_dot() and not record.is_dotdot():
                yield self._name(record), record

    def _name(self, record: Any) -> str:
        if self._fs.kind == "rr_path" and record.rock_ridge is not None:
            return str(record.rock_ridge.name().decode("utf-8", "surrogateescape"))
        raw = bytes(record.file_identifier())
        return raw.decode("utf-16-be", "replace") if self._fs.kind == "joliet_path" else _plain(raw)

    def link(self) -> str:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        return str(self._record.rock_ridge.symlink_path().decode("utf-8", "surrogateescape"))

    def open(self) -> BinaryIO:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        if self._record.get_data_length() > MAX_FILE:
            raise ImageError("too large")
        iso, kind = self._fs.iso, self._fs.kind
        # pycdlib copies a file as a whole.
        content = io.BytesIO()
        iso.get_file_from_iso_fp(content, **{kind: iso.full_path_from_dirrecord(self._record, kind == "rr_path")})
        content.seek(0)
        return content


def _plain(raw: bytes) -> str:
    """A bare ISO name as Linux shows it: in lower case, without version or empty extension."""
    return raw.decode("ascii", "replace").split(";")[0].rstrip(".").lower()


def open_iso(content: Content, streams: Sequence[Stream]) -> IsoFileSystem:
    """The reader named in :data:`~v2vlint.disk.filesystems.formats.FORMATS`."""
    return IsoFileSystem(streams[0], content.uuid, content.label)
