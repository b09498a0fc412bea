"""What blkid knows and v2vlint has no reader for: named by its magic number, with UUID and label from their places, among noise.

The places are those of the formats' own headers, by way of libblkid's superblocks/*.c.
"""

from __future__ import annotations

import random
import struct

import pytest

from v2vlint.disk.filesystems.content import Content, details, standard_uuid, text
from v2vlint.disk.filesystems.formats import format_of, holds_roots_of, is_caseless, mounting_modules, same_format
from v2vlint.disk.filesystems.opening import is_readable, open_filesystem
from v2vlint.disk.filesystems.probe import probe
from v2vlint.disk.stream import MemoryStream, Stream
from v2vlint.model.errors import ImageError, Unsupported

SIZE = 3 << 20
BCACHE, BCACHEFS = bytes.fromhex("c68573f64e1a45ca8265f57f48ba6d81"), bytes.fromhex("c68573f666ce90a9d96a60cf803df7ef")
NOISE = bytes(random.Random(5).choices(range(0x30, 0x7A), k=SIZE))
"""Letters: no superblock is in it, and no label ends in it by itself."""
RAW = bytes(range(16, 32))
PV = "012345-6789-abcd-efgh-ijkl-mnop-qrstuv"
UUID = "10111213-1415-1617-1819-1a1b1c1d1e1f"
NAME = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-=*" * 2


def written(*parts: tuple[int, bytes], size: int = SIZE) -> MemoryStream:
    """Noise with some bytes at their places; negative ones count from the end."""
    data = bytearray(NOISE[:size])
    for at, part in parts:
        at += size if at < 0 else 0
        data[at : at + len(part)] = part
    return MemoryStream(bytes(data))


# type, magic and its place, place of the UUID, place and size of the label
ROWS = [
    ("stratis", (516, b"!Stra0tis\x86\xff\x02^\x41rh"), None, None),
    ("vdo", (0, b"dmvdo001"), 40, None),
    ("DM_integrity", (0, b"integrt\0"), None, None),
    ("DM_verity_hash", (0, b"verity\0\0"), 16, None),
    ("f2fs", (1024, b"\x10\x20\xf5\xf2"), 1132, (1148, -512)),
    ("erofs", (1024, b"\xe2\xe1\xf5\xe0"), 1072, (1088, 16)),
    ("nilfs2", (1030, b"\x34\x34"), 1176, (1192, 80)),
    ("jfs", (32768, b"JFS1"), 32904, (32920, 16)),
    ("reiserfs", (65588, b"ReIsEr2Fs"), 65620, (65636, 16)),
    ("reiserfs", (65588, b"ReIsEr3Fs"), 65620, (65636, 16)),
    ("reiserfs", (65588, b"ReIsErFs"), None, None),
    ("reiserfs", (8244, b"ReIsErFs"), None, None),
    ("reiserfs", (8212, b"ReIsErFs"), None, None),
    ("reiser4", (65536, b"ReIsEr4"), 65556, (65572, 16)),
    ("apfs", (32, b"NXSB"), 72, None),
    ("hfsplus", (1024, b"H+\0\4"), None, None),
    ("hfsplus", (1024, b"HX\0\5"), None, None),
    ("ReFS", (0, b"\0\0\0ReFS\0"), None, None),
    ("gfs", (65536, b"\x01\x16\x19\x70" + bytes(20) + b"\0\0\x05\x1d"), 65792, (65696, 64)),
    ("gfs2", (65536, b"\x01\x16\x19\x70" + bytes(20) + b"\0\0\x07\x09"), 65792, (65696, 64)),
    *(("ocfs2", (block, b"OCFSV2"), block + 336, (block + 272, 64)) for block in (1024, 2048, 4096, 8192)),
    ("oracleasm", (32, b"ORCLDISK"), None, (40, 24)),
    ("ldm_member", (3072, b"PRIVHEAD"), None, None),
    ("nss", (4096, b"SPB5"), 4444, None),
    ("vxfs", (1024, b"\xf5\xfc\x01\xa5"), None, None),
    ("vxfs", (8192, b"\xa5\x01\xfc\xf5"), None, None),
    ("befs", (544, b"1SFB"), None, (512, 32)),
    ("befs", (544, b"BFS1"), None, (512, 32)),
    ("bfs", (0, b"\xce\xfa\xad\x1b"), None, None),
    ("cramfs", (0, b"\x45\x3d\xcd\x28"), None, (48, 16)),
    ("cramfs", (0, b"\x28\xcd\x3d\x45"), None, (48, 16)),
    ("romfs", (0, b"-rom1fs-"), None, (16, 16)),
    ("ubifs", (0, b"\x31\x18\x10\x06"), 108, None),
    ("ceph_bluestore", (0, b"bluestore block device"), None, None),
    ("mpool", (0, b"mpoolDev"), 40, (8, 32)),
    ("zonefs", (0, b"SFOZ"), None, None),
    ("xfs_external_log", (0, b"\xfe\xed\xba\xbe"), None, None),
    ("hpt37x_raid_member", (4640, b"\xf0\x16\x78\x5a"), None, None),
    ("hpt37x_raid_member", (4640, b"\xfd\x16\x78\x5a"), None, None),
]


@pytest.mark.parametrize(("kind", "magic", "uuid", "label"), ROWS, ids=[f"{row[0]} at {row[1][0]}" for row in ROWS])
def test_a_magic_number_and_names(kind: str, magic: tuple[int, bytes], uuid: int | None, label: tuple[int, int] | None) -> None:
    parts, name = [magic], ""
    if uuid is not None:
        parts.append((uuid, RAW))
    if label is not None:
        place, size = label
        raw = NAME.encode("utf-16-le" if size < 0 else "ascii")[: abs(size)]
        parts.insert(0, (place, raw + (b"\0\0" if size < 0 else b"")))
        name = NAME[: abs(size) // 2 if size < 0 else size]
        name = NAME if size < 0 else name
    found = probe(written(*parts))
    assert (found.type, found.uuid, found.label) == (kind, UUID if uuid is not None else "", name)
    assert probe(written((magic[0] + 1, magic[1]))).type != kind or magic[1].startswith(b"\0")
    short = written((label[0], b"short \0"), *parts[1:]) if label and label[1] > 0 else None
    assert short is None or probe(short).label == "short"


# type, UUID and label of what a probe of its own names
OWN = [
    ("LVM2_member", PV, "", [(512, b"LABELONE"), (532, b"\x20\0\0\0LVM2 001"), (544, NAME.encode())]),
    ("LVM2_member", PV, "", [(1536, b"LABELONE"), (1556, b"\x20\0\0\0LVM2 001"), (1568, NAME.encode())]),
    ("VMFS", "13121110-17161514-1918-1a1b1c1d1e1f", "label", [(2 << 20, b"\x5e\xf1\xab\x2f"), ((2 << 20) + 9, RAW + b"0000label\0")]),
    ("VMFS_volume_member", "13121110-17161514-1918-1a1b1c1d1e1f", "", [(1 << 20, b"\x0d\xd0\x01\xc0"), ((1 << 20) + 596, RAW)]),
    ("scoutfs_meta", UUID, "", [(65540, b"\x8b\x42\x3c\x10"), (65584, b"\1"), (65592, RAW)]),
    ("scoutfs_data", UUID, "", [(65540, b"\x8b\x42\x3c\x10"), (65584, b"\2"), (65592, RAW)]),
    ("bcache", UUID, "label", [(4120, BCACHE + RAW), (4104, b"\x08" + bytes(7)), (4168, b"label\0")]),
    ("bcachefs", UUID, "label", [(4120, BCACHE), (4104, b"\x09" + bytes(7)), (4152, RAW), (4168, b"label\0")]),
    ("bcachefs", UUID, "label", [(4120, BCACHEFS), (4152, RAW), (4168, b"label\0")]),
    *(("drbd", "1011121314151617", "", [(-4096 + 60, b"\x83\x74\x02" + kind), (-4096 + at, RAW[:8])])
      for at, kind in ((40, b"\x6b"), (40, b"\x6c"), (48, b"\x6d"))),
    *(("zfs_member", "", "", [((128 << 10) + slot, magic)]) for slot in (0, 16 << 10, 112 << 10)
      for magic in (b"\x0c\xb1\xba\0\0\0\0\0", b"\0\0\0\0\0\xba\xb1\x0c")),
    ("ubi", "305419896", "", [(0, b"UBI#"), (24, b"\x12\x34\x56\x78")]),
    ("squashfs3", "", "", [(0, b"sqsh"), (28, b"\0\3")]),
    ("squashfs3", "", "", [(0, b"hsqs"), (28, b"\3\0")]),
    ("squashfs", "", "", [(0, b"hsqs"), (28, b"\4\0")]),
    ("hfs", "", "Disk", [(1024, b"BD"), (1060, b"\4Disk"), (1148, b"xx")]),
    ("hfsplus", "", "Disk", [(1024, b"BD"), (1060, b"\4Disk"), (1148, b"HX")]),
    *(("ufs", "1312111017161514", "", [(place + 1372, magic), (place + 144, RAW)])
      for place in (8192, 65536, 0, 256 << 10) for magic in (b"\x19\x01\x54\x19", b"\x54\x19\x01\x00")),
    *(("ufs", "1011121314151617", "", [(place + 1372, magic), (place + 144, RAW)])
      for place in (8192, 65536, 0, 256 << 10) for magic in (b"\x19\x54\x01\x19", b"\x00\x01\x19\x54")),
    ("jbd", UUID, "", [(1080, b"\x53\xef"), (1120, b"\x08\0\0\0"), (1128, RAW)]),
    *(("swap", UUID, "label", [(page - 10, magic), (1036, RAW + b"label\0")])
      for page in (4096, 8192, 16384, 65536) for magic in (b"SWAPSPACE2", b"SWAP-SPACE")),
    *(("swsuspend", UUID, "label", [(4086, magic), (1036, RAW + b"label\0")])
      for magic in (b"S1SUSPEND\0", b"S2SUSPEND\0", b"ULSUSPEND\0", b"LINHIB0001")),
    ("hpfs", "1312-1110", "label", [(8192, b"\x49\xe8\x95\xf9\xc5\xe9\x53\xfa"), (8704, b"\x49\x18\x91\xf9"),
                                    (510, b"\x55\xaa"), (38, b"\x28" + RAW[:4] + b"label      ")]),
    ("hpfs", "", "", [(8704, b"\x49\x18\x91\xf9"), (510, b"\x55\xab"), (8192, b"\x49\xe8\x95\xf9\xc5\xe9\x53\xfa")]),
    *(("crypto_LUKS", NAME[:36], "", [(at, b"SKUL\xba\xbe\0\2"), (at + 24, bytes(48)), (at + 168, NAME[:36].encode() + bytes(4)),
                                            (at + 256, at.to_bytes(8, "big"))])
      for at in (1 << 14, 1 << 17, 2 << 20)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "uuid", "label", "parts"), OWN)
def test_probes_of_their_own(kind: str, uuid: str, label: str, parts: list[tuple[int, bytes]]) -> None:
    """The first part is the magic number."""
    found = probe(written(*parts))
    assert (found.type, found.uuid, found.label) == (kind, uuid, label)
    at, magic = parts[0]
    assert probe(written(*parts, (at, bytes(len(magic))))).type != kind


def test_drbd_lies_in_the_last_whole_block() -> None:
    data = written((-4096 + 40, RAW), (-4096 + 60, b"\x83\x74\x02\x6b")).read_at(0, SIZE)
    assert probe(MemoryStream(data + bytes(range(48, 48 + 77)) * 8 + b"x")).uuid == "1011121314151617"
    assert probe(MemoryStream(data[-8192:])).type == "drbd"
    assert probe(MemoryStream(data[-8191:])).type == ""


class Broken(Stream):
    """A disk that cannot be read behind its first bytes."""

    def __init__(self, head: bytes) -> None:
        super().__init__(SIZE)
        self._head = head

    def read_at(self, offset: int, length: int) -> bytes:
        if offset + length > len(self._head):
            raise ImageError(f"cannot read {offset}")
        return self._head[offset : offset + length]


def test_a_place_that_cannot_be_read_is_an_error_unless_something_is_found() -> None:
    with pytest.raises(ImageError, match="cannot read"):
        probe(Broken(NOISE[:64]))
    assert probe(Broken(b"dmvdo001" + bytes(600))).type == "vdo"
    assert probe(MemoryStream(NOISE)) == Content()


def test_words_about_contents() -> None:
    assert (text(b" name \0more"), text(b"\xff"), text(b"")) == (" name", "\udcff", "")
    assert (standard_uuid(RAW + b"x"), standard_uuid(bytes(15) + b"\1"), standard_uuid(bytes(17))) == (
        UUID, "00000000-0000-0000-0000-000000000001", "",
    )  # fmt: skip
    assert details(a=1, b=0, c="", d=None, e=False, f=True, g="x") == (("a", "1"), ("b", "0"), ("f", "yes"), ("g", "x"))


def test_words_about_formats() -> None:
    assert format_of("none") is None
    assert [is_caseless(kind) for kind in ("ntfs", "vfat", "exfat", "ext4", "none")] == [True, True, True, False, False]
    assert [holds_roots_of(*pair) for pair in (("ext2", "linux"), ("ntfs", "linux"), ("ntfs", "windows"), ("none", "linux"))] == [
        True, False, True, False,
    ]  # fmt: skip
    pairs = (("ntfs", "ntfs3"), ("ntfs", "vfat"), ("ext3", "ext4"), ("ext3", "ext3"), ("none", "none"), ("none", "ext4"), ("vfat", "msdos"))
    assert [same_format(*pair) for pair in pairs] == [True, False, True, True, True, False, True]
    assert [mounting_modules(kind) for kind in ("ext3", "ext4", "xfs", "none", "zfs_member")] == [
        (("ext4",), ("ext3",)), (("ext4",),), (("xfs",),), (("none",),), (("zfs",),),
    ]  # fmt: skip
    assert [is_readable(kind) for kind in ("xfs", "f2fs", "none")] == [True, False, False]


@pytest.mark.parametrize(
    ("kind", "data", "error", "words"),
    [("f2fs", b"", Unsupported, "f2fs is not supported"), ("none", b"", Unsupported, "none is not supported"),
     ("ext4", b"", ImageError, "^no ext superblock$"), ("xfs", b"", ImageError, "^damaged xfs: unpack_from requires"),
     ("ntfs", bytes(5000), ImageError, "^damaged ntfs: .")],
)  # fmt: skip
def test_what_cannot_be_opened_says_why(kind: str, data: bytes, error: type[ImageError], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        open_filesystem(Content(kind), [MemoryStream(data)])
    assert type(caught.value) is error


def test_no_memory_is_no_fault_of_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_offset: int, _length: int) -> bytes:
        raise MemoryError

    stream = MemoryStream(b"")
    monkeypatch.setattr(stream, "read_at", full)
    with pytest.raises(MemoryError):
        open_filesystem(Content("ext4"), [stream])


SECTORS = SIZE // 512


def member(back: int, sector: bytes, sectors: int = SECTORS) -> str:
    """What a disk is whose sector ``back`` from the end begins with these bytes."""
    return probe(written((-512 * back, sector), size=sectors * 512)).type


def summed(letter: str, count: int, sector: bytearray, at: int, extra: int = 0) -> bytes:
    """The sector with the word at ``at`` that makes the sum of its first words ``extra``."""
    width = struct.calcsize(letter)
    sector[at : at + width] = bytes(width)
    total = sum(struct.unpack_from(f"<{count}{letter}", sector))
    struct.pack_into(f"<{letter}", sector, at, extra - total & (1 << 8 * width) - 1)
    return bytes(sector)


def test_where_controllers_leave_their_metadata() -> None:
    """Intel, LSI, Promise, DDF, HighPoint, Adaptec: a signature at some sectors from the end."""
    for back in (63, 255, 256, 16, 399, 591, 675, 735, 911, 974, 991, 951, 3087):
        assert member(back, b"Promise Technology, Inc.") == "promise_fasttrack_raid_member", back
    for back in (1, 257):
        assert member(back, b"\xde\x11\xde\x11") == "ddf_raid_member"
    for magic in (b"\xf3\x16\x78\x5a", b"\xfd\x16\x78\x5a"):
        assert member(11, magic) == "hpt45x_raid_member"
    assert member(2, b"Intel Raid ISM Cfg Sig. 1") == "isw_raid_member"
    assert member(1, b"$XIDE$") == "lsi_mega_raid_member"
    adaptec = b"\x37\xfc\x4d\x1e" + bytes(252) + b"DPTM"
    assert [member(1, data) for data in (adaptec, adaptec[:-1] + b"X", b"X" + adaptec[1:])] == ["adaptec_raid_member", "", ""]
    for back, sector in ((1, b"$XIDE$"), (2, b"Intel Raid ISM Cfg Sig. 1")):
        assert member(back + 1, sector) == ""
        assert member(back, sector, 127) == ""
        assert member(back, sector, 128) != ""
    assert member(128, b"Promise Technology, Inc.", 128) == ""
    assert probe(MemoryStream(bytes(63 * 512) + b"Promise Technology, Inc.".ljust(512) * 65)).type == "promise_fasttrack_raid_member"


@pytest.mark.parametrize(("generation", "wanted"), [(0, "via_raid_member"), (2, "via_raid_member"), (3, "")])
def test_via(generation: int, wanted: str) -> None:
    sector = bytearray(b"\x55\xaa" + bytes([generation]) + NOISE[3:50])
    assert member(1, bytes([*sector, sum(sector) & 0xFF])) == wanted
    assert member(1, bytes([*sector, sum(sector) + 1 & 0xFF])) == ""
    assert member(1, bytes([0x55, 0xAB, *sector[2:], sum(sector) + 1 & 0xFF])) == ""


@pytest.mark.parametrize(("kind", "wanted"), [(0, "silicon_medley_raid_member"), (7, "silicon_medley_raid_member"), (8, "")])
def test_silicon_image(kind: int, wanted: str) -> None:
    sector = bytearray(NOISE[:512])
    sector[0x60:0x64], sector[0x116] = b"\0\0\0\x2f", kind
    assert member(1, summed("H", 160, sector, 0x13E)) == wanted
    assert member(1, summed("H", 160, sector, 0x13E, 1)) == ""
    sector[0x63] = 0x2E
    assert member(1, summed("H", 160, sector, 0x13E)) == ""


@pytest.mark.parametrize(("size", "wanted"), [(30, "nvidia_raid_member"), (31, ""), (29, "")])
def test_nvidia(size: int, wanted: str) -> None:
    sector = bytearray(b"NVIDIA  " + struct.pack("<II", size, 0) + NOISE[16:512])
    assert member(2, summed("I", 30, sector, 12)) == wanted
    assert member(2, summed("I", 30, sector, 12, 1)) == ""


@pytest.mark.parametrize(("mode", "wanted"), [(0, "jmicron_raid_member"), (5, "jmicron_raid_member"), (6, "")])
def test_jmicron(mode: int, wanted: str) -> None:
    sector = bytearray(b"JM" + NOISE[2:512])
    sector[0x30] = mode
    assert [member(1, summed("H", 64, sector, 4, extra)) for extra in (0, 1, 2)] == [wanted, wanted, ""]
    assert member(1, b"JX" + summed("H", 64, sector, 4)[2:]) == ""


# place of a field, its value, and whether that is still Minix of version 1
FIELDS = [(18, 1, True), (18, 3, True), (18, 4, False), (0, 0, False), (0, 8191, True), (0, 8192, False), (4, 0, False), (6, 0, False),
          (10, 1, False), (8, 2880, True), (8, 2881, False), (2, 8209, True), (2, 8210, False), (16, 0x138F, True),
          (16, 0x137E, False)]  # fmt: skip


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("place", "value", "is_minix"), FIELDS)
def test_minix_is_checked_like_its_fsck_does(order: str, place: int, value: int, is_minix: bool) -> None:
    """inodes, zones, maps of inodes and of zones, first data zone, zone size, largest file, magic, state."""
    block = bytearray(struct.pack(f"{order}HHHHHHIHH", 960, 2880, 1, 1, 18, 0, 0x10081C00, 0x137F, 1))
    struct.pack_into(f"{order}H", block, place, value)
    assert (probe(written((1024, bytes(block)))).type == "minix") is is_minix


@pytest.mark.parametrize("order", "<>")
def test_minix_of_later_versions_has_its_zones_elsewhere(order: str) -> None:
    second = struct.pack(f"{order}HHHHHHIHHI", 960, 0, 1, 1, 18, 0, 0, 0x2468, 1, 2880)
    third = struct.pack(f"{order}I2xHHHH2xIIH", 960, 1, 1, 18, 0, 0, 2880, 0x4D5A)
    for block, zones in ((second, 20), (third, 20)):
        assert probe(written((1024, block))).type == "minix"
        assert probe(written((1024, block), (1024 + zones, struct.pack(f"{order}I", 17)))).type == ""
        assert probe(written((1024, block), (1024 + zones, struct.pack(f"{order}I", 8210)))).type == ""


@pytest.mark.parametrize(("at", "magic"), [(0, b"LUKS\xba\xbe\0\2"), (1 << 15, b"SKUL\xba\xbe\0\2")])
def test_a_luks_header_in_swap_space(at: int, magic: bytes) -> None:
    """A page that was swapped out, as in util-linux' ``swap-luks`` image: the header says that it belongs to another place."""
    parts = [(4086, b"SWAPSPACE2"), (1036, RAW), (at, magic), (at + 256, (1 << 14).to_bytes(8, "big"))]
    assert (probe(written(*parts)).type, probe(written(*parts)).uuid) == ("swap", UUID)
