"""The initramfs inside a kernel's own file, which the kernel unpacks before the one that the loader brings (``do_populate_rootfs()`` of
init/initramfs.c).

Every kernel that reads initramfs has one; with an empty ``CONFIG_INITRAMFS_SOURCE`` it holds /dev and /root only (usr/default_cpio_list).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import field

from v2vlint.facts.initramfs.content import Initramfs
from v2vlint.facts.initramfs.cpio import HEADER, KINDS, SourceInput, members
from v2vlint.facts.initramfs.decompress import MAGICS, CompressedStream, Damaged, Source, compression_of
from v2vlint.facts.initramfs.reader import MAX_MEMBERS, MAX_UNPACKED, read_initramfs
from v2vlint.facts.kernel.config import KernelConfig, config_from
from v2vlint.facts.kernel.kernels import Kernel
from v2vlint.facts.kernel.payload import read_vmlinux
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable, ImageError
from v2vlint.model.place import WholeFile

# 1f 8b alone is too short to look for: everything is packed with deflate. lzma(1) leaves the size open.
_STARTS = (*KINDS, *(b"\x1f\x8b\x08" if name == "gzip" else magic for magic, name in MAGICS))
_LZMA, _OPEN = b"\x5d\x00\x00", b"\xff" * 8
_MAX_TRIED = 10_000
_MAX_SEGMENTS = 8


def has_none(config: KernelConfig | None) -> bool | None:
    """Whether the configuration says that the kernel's own initramfs is the empty one; None when it does not tell."""
    source = config.options.get("INITRAMFS_SOURCE") if config else None
    if source is None:
        return True if config and config.options.get("BLK_DEV_INITRD") == "n" else None
    return source.strip('"').strip() == ""


def compiled_in(kernel: Kernel) -> Initramfs | None:
    """The initramfs in the kernel's file; None when it is the empty one. FactUnavailable when that cannot be told."""
    none, where = has_none(kernel.known_config), WholeFile(kernel.image)
    found = kernel.fs.as_it_lies().stat(kernel.image) if kernel.fs and kernel.image else None
    stream = kernel.fs.as_it_lies().open(kernel.image) if kernel.fs and found else None
    if none or found is None or stream is None or kernel.content.problem:
        return None
    try:
        vmlinux = read_vmlinux(stream, found.size)
    except ImageError as error:
        raise FactUnavailable(where, f"cannot be read: {error}") from error
    if not vmlinux.data and (vmlinux.problem or none is False):
        raise FactUnavailable(where, f"whether an initramfs is compiled into it cannot be told: it {vmlinux.problem or 'is not whole'}")
    carried = vmlinux.config if none is None else None
    if carried is not None and has_none(config_from(GuestText(kernel.image, carried))):
        return None
    piece = next(_pieces(vmlinux.data, _Spent(where)), None)
    if piece is None and none is False:
        raise FactUnavailable(where, "has an initramfs compiled into it, which was not found in it")
    image = read_initramfs(piece, where) if piece is not None else None
    return image if image is not None and image.files - {"dev/console"} else None


@dataclass
class _Spent:
    """What a search has cost so far, all starts together, and the first walk that came by each header."""

    where: WholeFile
    steps: int = 0
    unpacked: int = 0
    headers: dict[int, _Walk] = field(default_factory=dict)

    def step(self) -> None:
        self.steps += 1
        self._check()

    def unpack(self, size: int) -> None:
        self.unpacked += size
        self._check()

    def _check(self) -> None:
        # A member takes two steps, header and name.
        if self.steps > 2 * MAX_MEMBERS or self.unpacked > MAX_UNPACKED:
            raise FactUnavailable(self.where, "holds too much that looks like an initramfs")


class _Walk(SourceInput):
    """An archive that is only walked through, up to a header where an earlier walk came by: it ends like that one.

    ``end`` is where, counted like the positions of the underlying stream, or None.
    """

    def __init__(self, source: Source, position: int, spent: _Spent) -> None:
        super().__init__(source, position)
        self._base, self._spent = source.base, spent
        self.end: int | None = None

    def take(self, count: int) -> bytes:
        self._spent.step()
        at = self._base + self.position
        if count == HEADER and self._spent.headers.setdefault(at, self) is not self:
            raise _Known(self._spent.headers[at].end)
        return super().take(count)

    def walk(self) -> int:
        """The end, as a position in the source. Damaged when there is none."""
        try:
            for _member in members(self, lambda path, mode, size: False):
                pass
            self.end = self._base + self.position
        except _Known as known:
            self.end = known.end
        if self.end is None:
            raise Damaged("has no end")
        return self.end - self._base


class _Known(Exception):
    def __init__(self, end: int | None) -> None:
        super().__init__()
        self.end = end


def _pieces(data: bytes, spent: _Spent) -> Iterator[Source]:
    """Where an initramfs lies in an unpacked kernel. Its size is known by the word behind it (usr/initramfs_data.S)."""
    stream = io.BytesIO(data)
    for start in _places(data):
        if size := _size(Source(stream, start, len(data) - start), spent):
            yield Source(stream, start, size)


def _places(data: bytes) -> Iterator[int]:
    """Where an archive or a compressed stream may start: at multiples of four (``INIT_RAM_FS`` of vmlinux.lds.h)."""
    for magic in _STARTS:
        at, tried = data.find(magic), 0
        while at >= 0 and tried < _MAX_TRIED:
            if at % 4 == 0 and (magic != _LZMA or data[at + 5 : at + 13] == _OPEN):
                yield at
                tried += 1
            at = data.find(magic, at + 1)


def _size(rest: Source, spent: _Spent) -> int:
    """The size of the initramfs at the start of ``rest``; 0 when it is none."""
    cursor = SourceInput(rest, 0)
    for _ in range(_MAX_SEGMENTS):
        try:
            cursor.position = _end(rest, cursor.position, spent)
        except Damaged:
            return 0
        # Old kernels have the unpacked size in four bytes behind the compressed data (size_append).
        for end in (cursor.position, cursor.position + 4):
            if size := _told(rest, end):
                return size
        if not cursor.skip_zeros():
            return 0
        if size := _told(rest, cursor.position & ~7):
            return size
    return 0


def _told(rest: Source, end: int) -> int:
    """The size in the word at or after ``end``, if it is the distance from the start to about there."""
    at = end + -(rest.base + end) % 8
    size = int.from_bytes(rest.at(at, 4), "little")
    return size if at - 8 < size <= at else 0


def _end(rest: Source, start: int, spent: _Spent) -> int:
    """The end of the archive or compressed stream at ``start``. Damaged when there is none."""
    packing = compression_of(rest.at(start, 8))
    if not packing:
        return _Walk(rest, start, spent).walk()
    stream = CompressedStream(rest, start, packing)
    is_archive = False
    try:
        for piece in stream:
            spent.unpack(len(piece))
            is_archive = is_archive or piece.startswith(KINDS)
            if not is_archive:
                raise Damaged("holds no archive")
    except Damaged:
        # A stream of lz4 has no end of its own, and the size behind it looks like more.
        if packing != "lz4" or not is_archive:
            raise
    return stream.end
