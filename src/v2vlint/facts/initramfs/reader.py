"""Stream initramfs images: concatenated archives, compressed or not, and filesystem images inside them.

The kernel's rules apply (``init/initramfs.c``): segments follow one another, zero bytes between them are ignored, later files replace
earlier ones. Nothing is unpacked. Exceeding any limit makes the image unknowable, with the limit as its reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field
from types import MappingProxyType

from v2vlint.disk.filesystems import nested_image
from v2vlint.facts.initramfs.content import Initramfs, Segment, modules_in
from v2vlint.facts.initramfs.cpio import KINDS, CpioMember, Input, PieceInput, SourceInput, members
from v2vlint.facts.initramfs.decompress import CompressedStream, Damaged, Junk, Source, compression_of
from v2vlint.facts.initramfs.layout import generator_of
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.place import WholeFile

MAX_UNPACKED = 1 << 30
# Small images may legitimately unpack to many times their size: padding packs to next to nothing.
MAX_RATIO, RATIO_FREE = 200, 64 << 20
MAX_MEMBERS = 200_000
MAX_NAMES = 32 << 20
MAX_SEGMENTS = 64
MAX_KEPT, MAX_KEPT_ALL = 4 << 20, 24 << 20
MAX_NESTED = 128 << 20

_KEPT = re.compile(
    r"""
    conf/.+ | init | linuxrc | buildconfig | config | VERSION | hooks/.+ | \.profile
    | (?:usr/)?lib/modules/[^/]+/modules\.(?:dep|builtin|softdep)
    | (?:usr/)?lib/dracut/[^/]*\.txt | (?:usr/)?lib/dracut/hostonly-files
    | (?:(?:usr|var)/)?lib/dracut/hooks/pre-pivot/50-mount-usr\.sh
    | (?:usr/)?(?:lib|etc)/(?:modprobe\.d|modules-load\.d)/[^/]+ | run/modprobe\.d/[^/]+
    | etc/(?:crypttab|fstab(?:\.empty)?|cmdline(?:\.d/[^/]+)?|mdadm(?:/mdadm)?\.conf|mdadm\.conf\.d/[^/]+|modules|modprobe\.conf
         |multipath\.conf|booster[^/]*|initrd-release|initrd\.defaults|hostname|machine-id|resume)
    | etc/lvm/(?:lvm|lvmlocal)\.conf | etc/lvm/devices/[^/]+ | cryptroot/crypttab | etc/crypttab\.initramfs
    | nix/store/[^/]+-initrd-(?:fsinfo|fstab)
    | etc/conf\.d/[^/]+ | mkinitrd\.config | boot/[^/]+\.sh | run_all\.sh | etc/systemd/network/[^/]+
    """,
    re.VERBOSE,
)
# What dracut's modules squash, squash-squashfs and squash-erofs write.
_NESTED = re.compile(r"(?:squash/)?(?:squash(?:fs)?|erofs)-?(?:root)?\.(?:img|squashfs|erofs)")
# Among what identify_ramdisk_image() of init/do_mounts_rd.c recognises.
_OLD = ((1080, b"\x53\xef", "an ext2 filesystem"), (0, b"\x45\x3d\xcd\x28", "a cramfs filesystem"), (0, b"-rom1fs-", "a romfs filesystem"))

_ALIGNED = 4
_MISPLACED = "has an archive at byte {}, which the kernel does not unpack because it is no multiple of four"


@dataclass
class _Tally:
    where: WholeFile
    lacks: frozenset[str] = frozenset()
    unpacked: int = 0
    members: int = 0
    names: int = 0
    kept: int = 0
    files: dict[str, bytes | None] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    segments: list[Segment] = field(default_factory=list)
    nested: list[tuple[str, bytes]] = field(default_factory=list)

    def fail(self, reason: str) -> FactUnavailable:
        return FactUnavailable(self.where, reason)


def read_initramfs(source: Source, where: WholeFile, lacks: frozenset[str] = frozenset()) -> Initramfs:
    """List the image in ``source``, as a kernel finds it that does not unpack the compressions ``lacks``. FactUnavailable when a limit is
    reached or it is an old filesystem image instead of an archive.
    """
    tally = _Tally(where, lacks)
    damage, remark = "is empty" if not source.size else "", ""
    try:
        _segments(source, tally)
    except Junk as error:
        # Without an init so far, the junk may be all that is left of the archive that has it.
        damage, remark = ("", str(error)) if "init" in tally.files or "init" in tally.links else (str(error), "")
    except Damaged as error:
        damage = str(error)
    for path, data in tally.nested:
        _inner(path, data, tally)
    files = frozenset(tally.files) | frozenset(tally.links)
    contents = MappingProxyType({path: data for path, data in tally.files.items() if data is not None})
    modules, versions = modules_in(files)
    return Initramfs(
        where=where,
        size=source.size,
        segments=tuple(tally.segments),
        files=files,
        contents=contents,
        links=MappingProxyType(tally.links),
        damage=damage,
        remark=remark,
        generator=generator_of(files, contents),
        modules=modules,
        versions=versions,
    )


def _segments(source: Source, tally: _Tally) -> None:
    source = _without_bootconfig(source)
    cursor, packed = SourceInput(source, 0), True
    while cursor.skip_zeros():
        if len(tally.segments) >= MAX_SEGMENTS:
            raise tally.fail(f"more than {MAX_SEGMENTS} segments")
        start, before = cursor.position, tally.members
        head = source.at(start, 8)
        compression = compression_of(head)
        # do_reset() and unpack_to_rootfs() of init/initramfs.c: only behind a compressed stream, another one may start anywhere.
        if start % _ALIGNED and not (packed and compression):
            raise Junk(_MISPLACED.format(start))
        if head[:6] not in KINDS and not compression:
            _reject(source, start, tally)
        if compression in tally.lacks:
            place = f" from byte {start} on" if start else ""
            option = f"CONFIG_RD_{compression.upper()}"
            raise Junk(f"is compressed with {compression}{place}, which its kernel does not unpack ({option} is not set)")
        end, unpacked = source.size, 0
        try:
            end, unpacked = _compressed(source, start, compression, tally) if compression else (_plain(cursor, tally), 0)
        finally:
            # Also when it is damaged: what precedes the damage is in the kernel's root filesystem.
            tally.segments.append(Segment(compression or "none", start, end - start, tally.members - before, unpacked))
        cursor.position, packed = end, bool(compression)
    if not tally.segments and source.size:
        raise Damaged("contains only zero bytes")


def _reject(source: Source, start: int, tally: _Tally) -> None:
    for offset, magic, what in _OLD if start == 0 else ():
        if source.at(offset, len(magic)) == magic:
            raise tally.fail(f"is {what}, an initrd of the old kind")
    raise Junk(f"contains data at byte {start} that the kernel cannot unpack")


def _without_bootconfig(source: Source) -> Source:
    """The kernel's boot configuration may trail the image: data, size, checksum, magic (bootconfig.rst)."""
    tail = source.at(source.size - 20, 20) if source.size >= 20 else b""
    if not tail.endswith(b"#BOOTCONFIG\n"):
        return source
    size = int.from_bytes(tail[:4], "little") + 20
    return Source(source.stream, source.base, max(source.size - size, 0))


def _plain(cursor: SourceInput, tally: _Tally) -> int:
    _archive(cursor, tally)
    return cursor.position


def _compressed(source: Source, start: int, compression: str, tally: _Tally) -> tuple[int, int]:
    """The end of the stream, and the size of what is in it."""
    stream = CompressedStream(source, start, compression)
    data = PieceInput(_counted(stream, source.size - start, tally))
    # One stream may hold several archives, padded like those that are not compressed.
    while _goes_on(stream, data, compression):
        if data.position % _ALIGNED:
            raise Junk(_MISPLACED.format(data.position) + ", counted in what it unpacks to")
        _archive(data, tally)
    return stream.end, data.position


def _goes_on(stream: CompressedStream, data: PieceInput, compression: str) -> bool:
    """Whether another archive follows in the stream. Behind a whole one, what is no block of lz4 is something else that was appended."""
    try:
        return data.skip_zeros()
    except Damaged as error:
        if compression != "lz4" or not data.position:
            raise
        raise Junk(f"has something at byte {stream.end} that the kernel takes for more lz4 ({error})") from error


def _counted(stream: CompressedStream, packed: int, tally: _Tally) -> Iterator[bytes]:
    here = 0
    for piece in stream:
        here += len(piece)
        tally.unpacked += len(piece)
        if tally.unpacked > MAX_UNPACKED:
            raise tally.fail(f"unpacks to more than {MAX_UNPACKED >> 20} MiB")
        if here > RATIO_FREE and here > MAX_RATIO * packed:
            raise tally.fail(f"unpacks to more than {MAX_RATIO} times its size")
        yield piece


def _archive(data: Input, tally: _Tally) -> None:
    for member in members(data, lambda path, mode, size: _wanted(path, mode, size, tally)):
        tally.members += 1
        tally.names += len(member.name)
        if tally.members > MAX_MEMBERS or tally.names > MAX_NAMES:
            raise tally.fail(f"more than {MAX_MEMBERS} members, or names of more than {MAX_NAMES >> 20} MiB")
        _keep(member, tally)


def _wanted(path: str, mode: int, size: int, tally: _Tally) -> bool:
    kind = mode & 0o170000
    if kind == 0o120000:
        return True
    if kind != 0o100000 or not size:
        return False
    if _NESTED.fullmatch(path):
        return size <= MAX_NESTED - sum(len(data) for _, data in tally.nested)
    return size <= MAX_KEPT and tally.kept + size <= MAX_KEPT_ALL and _KEPT.fullmatch(path) is not None


def _keep(member: CpioMember, tally: _Tally) -> None:
    tally.links.pop(member.name, None)
    if member.is_dir:
        tally.files.pop(member.name, None)
        return
    if member.is_link:
        tally.files.pop(member.name, None)
        tally.links[member.name] = (member.data or b"").decode("utf-8", "surrogateescape")
    elif member.data is not None and _NESTED.fullmatch(member.name):
        tally.files[member.name] = None
        tally.nested.append((member.name, member.data))
    else:
        tally.kept += len(member.data or b"")
        tally.files[member.name] = member.data


def _inner(path: str, data: bytes, tally: _Tally) -> None:
    """Add the contents of a filesystem image that this image's init mounts as its root (dracut's squash modules)."""
    try:
        kind, entries = nested_image.entries(data, lambda name, size: bool(_KEPT.fullmatch(name)) and size <= MAX_KEPT)
        count = 0
        for entry in entries:
            count += 1
            if count > MAX_MEMBERS:
                raise tally.fail(f"more than {MAX_MEMBERS} files in {path}")
            if entry.link is not None:
                tally.links.setdefault(entry.path, entry.link)
            else:
                tally.files.setdefault(entry.path, entry.data)
        tally.segments.append(Segment(kind, 0, len(data), count))
    except nested_image.NestedImageError as error:
        raise tally.fail(f"{path} inside cannot be read: {error}") from error
