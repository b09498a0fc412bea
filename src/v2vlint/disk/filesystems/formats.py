"""Every kind of content that is recognised on a block device: one row each, with its probe and, where there is one, its reader.

A new filesystem is a module beside this one and a row here. Rows name functions as ``module:function`` of this package, so that a
reader is imported only when a guest has such a filesystem.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

from v2vlint.model.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class NamesAt:
    """Where a superblock keeps its UUID and label: offsets in bytes from the start of the device, -1 when it has none."""

    uuid: int = -1
    label: int = -1
    label_size: int = 0
    is_utf16: bool = False


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of content.

    ``types`` are blkid's words for it, ``title`` is what people call it. It is recognised by one of ``magics`` (offset in bytes from the
    start), and then named by ``identity``, or by ``probe``. ``reader`` opens it: a function of a Content and a sequence of Streams; without
    one it is named, and where ``is_layer`` is true something else opens what is below. ``roots`` are the systems that can be installed on
    it. ``mounted_as`` are mount(8)'s words besides ``types``. ``clean`` is the detail of one that was unmounted cleanly, ``dirty`` those
    of one that was not. ``modules`` are the sets of kernel modules that mount it, any one of which is enough; empty means one module of the
    type's name.
    """

    types: tuple[str, ...]
    title: str
    probe: str = ""
    magics: tuple[tuple[int, bytes], ...] = ()
    identity: NamesAt = NamesAt()
    reader: str = ""
    is_layer: bool = False
    roots: tuple[str, ...] = ()
    mounted_as: tuple[str, ...] = ()
    caseless: bool = False
    clean: str = ""
    dirty: tuple[str, ...] = ()
    modules: tuple[tuple[str, ...], ...] = ()


_FIRMWARE_RAID = tuple(
    f"{name}_raid_member"
    for name in ("ddf", "lsi_mega", "via", "silicon_medley", "nvidia", "promise_fasttrack", "hpt45x", "adaptec", "jmicron")
)
_LINUX = ("linux",)
_WINDOWS = ("windows",)

# RAID members and encrypted volumes come first, as with blkid: what they contain may look like something else.
FORMATS: tuple[Format, ...] = (
    Format(("linux_raid_member",), "Linux RAID", "probe_layers:raid", is_layer=True),
    Format(("LVM2_member",), "LVM", "probe_layers:lvm", is_layer=True),
    Format(("crypto_LUKS",), "LUKS", "probe_layers:luks", is_layer=True),
    Format(("BitLocker",), "BitLocker", "probe_layers:bitlocker", is_layer=True),
    Format(("xfs",), "XFS", "probe_unix:xfs", reader="xfs:open_xfs", roots=_LINUX, dirty=("dirty_log",)),
    Format(("btrfs",), "Btrfs", "probe_unix:btrfs", reader="btrfs:open_btrfs", roots=_LINUX, dirty=("dirty_log",)),
    Format(
        ("ext4", "ext3", "ext2"),
        "ext2, ext3 or ext4",
        "probe_unix:ext",
        reader="ext:open_ext",
        roots=_LINUX,
        clean="clean",
        dirty=("needs_recovery",),
        # ext4 mounts the other two as well (CONFIG_EXT4_USE_FOR_EXT2).
        modules=(("ext4",), ("{type}",)),
    ),
    Format(("squashfs",), "SquashFS", "probe_images:squashfs", reader="squashfs:open_squashfs"),
    Format(
        ("ntfs",),
        "NTFS",
        "probe_fat:probe_ntfs",
        reader="ntfs:open_ntfs",
        roots=_WINDOWS,
        mounted_as=("ntfs3", "ntfs-3g", "fuseblk"),
        caseless=True,
        dirty=("dirty",),
    ),
    Format(("exfat",), "exFAT", "probe_fat:probe_exfat", caseless=True),
    Format(
        ("vfat",),
        "FAT",
        "probe_fat:probe_fat",
        reader="fat:open_fat",
        roots=_WINDOWS,
        mounted_as=("msdos", "fat"),
        caseless=True,
        dirty=("dirty",),
    ),
    Format(("swap", "swsuspend"), "swap space", "probe_unix:swap", is_layer=True),
    Format(("iso9660",), "ISO 9660", "probe_images:iso", reader="iso:open_iso"),
    Format(("udf",), "UDF", "probe_images:udf"),
    Format(("squashfs3",), "SquashFS 3", "probe_images:squashfs3"),
    Format(("bcache",), "bcache", "probe_layers:bcache"),
    Format(("bcachefs",), "bcachefs", "probe_layers:bcachefs", roots=_LINUX),
    Format(("stratis",), "Stratis", magics=((512 + 4, b"!Stra0tis\x86\xff\x02^\x41rh"),)),
    Format(("vdo",), "VDO", magics=((0, b"dmvdo001"),), identity=NamesAt(uuid=40)),
    Format(("DM_integrity",), "dm-integrity", magics=((0, b"integrt\0"),)),
    Format(("DM_verity_hash",), "dm-verity hashes", magics=((0, b"verity\0\0"),), is_layer=True, identity=NamesAt(uuid=16)),
    Format(
        ("f2fs",),
        "F2FS",
        magics=((1024, b"\x10\x20\xf5\xf2"),),
        roots=_LINUX,
        identity=NamesAt(1024 + 108, 1024 + 124, 1024, is_utf16=True),
    ),
    Format(
        ("erofs",),
        "EROFS",
        magics=((1024, b"\xe2\xe1\xf5\xe0"),),
        identity=NamesAt(1024 + 48, 1024 + 64, 16),
        reader="erofs:open_erofs",
        roots=_LINUX,
    ),
    Format(("nilfs2",), "NILFS2", magics=((1024 + 6, b"\x34\x34"),), roots=_LINUX, identity=NamesAt(1024 + 152, 1024 + 168, 80)),
    Format(("jfs",), "JFS", magics=((32768, b"JFS1"),), roots=_LINUX, identity=NamesAt(32768 + 136, 32768 + 152, 16)),
    Format(
        ("reiserfs",),
        "ReiserFS",
        magics=tuple((65536 + 52, b"ReIsEr%sFs" % kind) for kind in (b"2", b"3")),
        roots=_LINUX,
        identity=NamesAt(65536 + 84, 65536 + 100, 16),
    ),
    # Version 3.5 has neither UUID nor label.
    Format(("reiserfs",), "ReiserFS", magics=((65536 + 52, b"ReIsErFs"), (8192 + 52, b"ReIsErFs"), (8192 + 20, b"ReIsErFs")), roots=_LINUX),
    Format(("reiser4",), "Reiser4", magics=((65536, b"ReIsEr4"),), roots=_LINUX, identity=NamesAt(65536 + 20, 65536 + 36, 16)),
    Format(("apfs",), "APFS", magics=((32, b"NXSB"),), identity=NamesAt(uuid=72)),
    Format(("hfsplus",), "HFS+", magics=((1024, b"H+\0\4"), (1024, b"HX\0\5"))),
    Format(("ReFS",), "ReFS", magics=((0, b"\0\0\0ReFS\0"),), roots=_WINDOWS),
    Format(("ufs",), "UFS", "probe_unix:ufs"),
    Format(
        ("gfs",),
        "GFS",
        # GFS2 has the same magic number, so its predecessor comes first, with its format (GFS_FORMAT_FS, 1309).
        magics=((65536, b"\x01\x16\x19\x70" + bytes(20) + b"\0\0\x05\x1d"),),
        identity=NamesAt(65536 + 256, 65536 + 160, 64),
    ),
    Format(("gfs2",), "GFS2", magics=((65536, b"\x01\x16\x19\x70"),), identity=NamesAt(65536 + 256, 65536 + 160, 64)),
    *(
        Format(("ocfs2",), "OCFS2", magics=((block, b"OCFSV2"),), identity=NamesAt(block + 336, block + 272, 64))
        for block in (1024, 2048, 4096, 8192)
    ),
    Format(("oracleasm",), "Oracle ASM", magics=((32, b"ORCLDISK"),), identity=NamesAt(label=40, label_size=24)),
    Format(("drbd",), "DRBD", "probe_layers:drbd"),
    Format(("VMFS_volume_member",), "VMFS", "probe_layers:vmfs_volume"),
    Format(("ldm_member",), "Windows dynamic disk", magics=((6 << 9, b"PRIVHEAD"),)),
    Format(("VMFS",), "VMFS", "probe_layers:vmfs"),
    Format(("nss",), "Novell Storage Services", magics=((4096, b"SPB5"),), identity=NamesAt(uuid=4096 + 348)),
    Format(("vxfs",), "VxFS", magics=((1024, b"\xf5\xfc\x01\xa5"), (8192, b"\xa5\x01\xfc\xf5"))),
    Format(("hpfs",), "HPFS", "probe_fat:probe_hpfs"),
    Format(("hfs",), "HFS", "probe_unix:hfs"),
    Format(("befs",), "BFS of BeOS", magics=((512 + 32, b"1SFB"), (512 + 32, b"BFS1")), identity=NamesAt(label=512, label_size=32)),
    Format(("bfs",), "BFS of SCO", magics=((0, b"\xce\xfa\xad\x1b"),)),
    Format(
        ("cramfs",),
        "cramfs",
        magics=((0, b"\x45\x3d\xcd\x28"), (0, b"\x28\xcd\x3d\x45")),
        identity=NamesAt(label=48, label_size=16),
    ),
    Format(("romfs",), "romfs", magics=((0, b"-rom1fs-"),), identity=NamesAt(label=16, label_size=16)),
    Format(("ubi",), "UBI", "probe_images:ubi"),
    Format(("ubifs",), "UBIFS", magics=((0, b"\x31\x18\x10\x06"),), identity=NamesAt(uuid=108)),
    Format(("ceph_bluestore",), "Ceph BlueStore", magics=((0, b"bluestore block device"),)),
    Format(("scoutfs_meta", "scoutfs_data"), "ScoutFS", "probe_layers:scoutfs"),
    Format(("mpool",), "mpool", magics=((0, b"mpoolDev"),), identity=NamesAt(40, 8, 32)),
    Format(("zonefs",), "zonefs", magics=((0, b"SFOZ"),)),
    Format(("xfs_external_log",), "external log of XFS", magics=((0, b"\xfe\xed\xba\xbe"),)),
    Format(("minix",), "Minix", "probe_unix:minix"),
    Format(("zfs_member",), "ZFS", "probe_layers:zfs", roots=_LINUX, modules=(("zfs",),)),
    Format(("isw_raid_member", *_FIRMWARE_RAID), "firmware RAID", "probe_raid:firmware_raid"),
    Format(("hpt37x_raid_member",), "firmware RAID", magics=((4608 + 32, b"\xf0\x16\x78\x5a"), (4608 + 32, b"\xfd\x16\x78\x5a"))),
)

_BY_TYPE = {kind: one for one in FORMATS for kind in one.types}


def format_of(kind: str) -> Format | None:
    """The row of blkid's type ``kind``."""
    return _BY_TYPE.get(kind)


def is_caseless(kind: str) -> bool:
    """Whether names on a filesystem of type ``kind`` are found without regard to case."""
    return kind in _BY_TYPE and _BY_TYPE[kind].caseless


def holds_roots_of(kind: str, system: str) -> bool:
    """Whether ``system`` (``linux``, ``windows``) can be installed on a filesystem of type ``kind``."""
    return kind in _BY_TYPE and system in _BY_TYPE[kind].roots


def same_format(kind: str, mounted_as: str) -> bool:
    """Whether mount(8)'s type ``mounted_as`` mounts what blkid calls ``kind``."""
    one = _BY_TYPE.get(kind)
    return mounted_as == kind or (one is not None and mounted_as in (*one.types, *one.mounted_as))


def mounting_modules(kind: str) -> tuple[tuple[str, ...], ...]:
    """The sets of kernel modules that mount a filesystem of type ``kind``, any one of which is enough."""
    one = _BY_TYPE.get(kind)
    if one is None or not one.modules:
        return ((kind,),)
    return tuple(dict.fromkeys(tuple(name.format(type=kind) for name in names) for names in one.modules))


@functools.cache
def function(name: str) -> Callable[..., Any]:
    """The function behind ``module:function``."""
    module, _, attribute = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(f"{__package__}.{module}"), attribute)
    return found
