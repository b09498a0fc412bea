"""The superblocks of read-only images: squashfs and ISO 9660."""

from __future__ import annotations

from v2vlint.disk.fields import Fields
from v2vlint.disk.filesystems.content import BLANKS, Content, details
from v2vlint.disk.filesystems.superblocks import SQUASHFS
from v2vlint.disk.stream import Stream

MAX_DESCRIPTORS = 16  # ISO_VD_MAX of libblkid's iso9660.c
_SQUASHFS_SIZE = 96
# ECMA-119, 8.4 and 8.5: volume descriptors, in sectors of 2,048 bytes from the 17th on.
_SECTOR, _DESCRIPTORS = 2048, 16 * 2048
_PRIMARY, _SUPPLEMENTARY, _TERMINATOR = 1, 2, 255
_STANDARD_IDENTIFIER, _VOLUME_IDENTIFIER, _ESCAPE_SEQUENCES = slice(1, 6), slice(40, 72), slice(88, 91)
_CREATION_DATE, _MODIFICATION_DATE = slice(813, 830), slice(830, 847)
# ECMA-167, 3/7.2 and 3/10: descriptor tags, the anchor, and the fields used of other descriptors.
_TAG = Fields("<", tag_identifier=(0, "H"), tag_location=(12, "I"))
_ANCHOR = Fields("<", main_extent_length=(16, "I"), main_extent_location=(20, "I"))
_PRIMARY_VOLUME, _ANCHOR_POINTER, _LOGICAL_VOLUME = 1, 2, 6
_VOLUME_SET_IDENTIFIER, _LOGICAL_VOLUME_IDENTIFIER = slice(72, 200), slice(84, 212)
# struct ubi_ec_hdr (drivers/mtd/ubi/ubi-media.h).
_UBI, _UBI_SIZE = Fields(">", image_seq=(24, "I")), 28


def squashfs(base: Stream) -> Content | None:
    """``squashfs`` 4 (``struct squashfs_super_block``, fs/squashfs/squashfs_fs.h)."""
    head = base.read_at(0, _SQUASHFS_SIZE)
    if head[:4] != b"hsqs" or len(head) < _SQUASHFS_SIZE or (found := SQUASHFS.read(head))["s_major"] < 4:
        return None
    return Content("squashfs", details=details(block_size=found["block_size"], fs_size=found["bytes_used"]))


def squashfs3(base: Stream) -> Content | None:
    """``squashfs3``: versions 1 to 3, in either byte order, which Linux no longer mounts. ``s_major`` is where it is in version 4."""
    head = base.read_at(0, 32)
    if head[:4] not in (b"sqsh", b"hsqs"):
        return None
    major = Fields(">" if head[:4] == b"sqsh" else "<", s_major=(28, "H")).read(head)["s_major"]
    return Content("squashfs3") if major < 4 else None


def iso(base: Stream) -> Content | None:
    """``iso9660`` (ECMA-119, 8.4: primary volume descriptor). Its UUID is the modification date, or else the creation date."""
    found: dict[int, bytes] = {}
    for number in range(MAX_DESCRIPTORS):
        block = base.read_at(_DESCRIPTORS + number * _SECTOR, _SECTOR)
        if block[_STANDARD_IDENTIFIER] != b"CD001" or block[0] == _TERMINATOR:
            break
        # Only the escape sequences of UCS-2 (levels 1 to 3) make a supplementary descriptor one of Joliet.
        if block[0] != _SUPPLEMENTARY or block[_ESCAPE_SEQUENCES] in (b"%/@", b"%/C", b"%/E"):
            found.setdefault(block[0], block)
    if _PRIMARY not in found:
        return None
    primary, joliet = found[_PRIMARY], found.get(_SUPPLEMENTARY)
    plain = primary[_VOLUME_IDENTIFIER].decode("utf-8", "surrogateescape")
    label = _joliet(joliet[_VOLUME_IDENTIFIER].decode("utf-16-be", "replace"), plain) if joliet else plain
    uuid = _date(primary[_MODIFICATION_DATE]) or _date(primary[_CREATION_DATE])
    return Content("iso9660", uuid, label.split("\0", 1)[0].rstrip(BLANKS.decode()), details(block_size=_SECTOR))


def _date(stamp: bytes) -> str:
    digits = stamp[:16].decode("ascii", "replace")
    if not digits.isdigit() or not (digits.strip("0") or stamp[16]):
        return ""
    return "-".join((digits[:4], *(digits[at : at + 2] for at in range(4, 16, 2))))


def _joliet(unicode: str, plain: str) -> str:
    """The label in the spelling of the Joliet descriptor as far as the two agree, continued by the rest of a longer plain one."""
    merged = ""
    for wide, narrow in zip(unicode, plain, strict=False):
        if narrow == "_":
            merged += wide
        elif wide == "_":
            merged += narrow
        elif wide.upper() == narrow.upper():
            merged += wide if narrow.isupper() else narrow
        else:
            return unicode
    return merged + plain[len(merged) :]


def udf(base: Stream) -> Content | None:
    """``udf`` (ECMA-167): the label of the logical volume, and the UUID that blkid derives from the name of the volume set."""
    kinds = {base.read_at(_DESCRIPTORS + number * _SECTOR, 6)[_STANDARD_IDENTIFIER] for number in range(MAX_DESCRIPTORS)}
    if not kinds & {b"NSR02", b"NSR03"}:
        return None
    label = uuid = ""
    # The sector size is stated nowhere: it is the one with which sector 256 holds the anchor.
    for size in (512, 1024, 2048, 4096):
        block = base.read_at(256 * size, 24)
        if len(block) < 24 or _TAG.read(block) != {"tag_identifier": _ANCHOR_POINTER, "tag_location": 256}:
            continue
        anchor = _ANCHOR.read(block)
        for number in range(min(anchor["main_extent_length"] // size, 64)):
            block = base.read_at((anchor["main_extent_location"] + number) * size, 512)
            kind = _TAG.read(block)["tag_identifier"]
            if kind == _PRIMARY_VOLUME:
                uuid = _volume_set(_dstring(block[_VOLUME_SET_IDENTIFIER]))
            elif kind == _LOGICAL_VOLUME:
                label = _dstring(block[_LOGICAL_VOLUME_IDENTIFIER]).split("\0", 1)[0].rstrip(BLANKS.decode())
        break
    return Content("udf", uuid, label)


def _dstring(raw: bytes) -> str:
    """A ``dstring`` (ECMA-167, 1/7.2.12): a character set, the characters, and their length in the last byte."""
    data = raw[1 : max(1, raw[-1])]
    return data.decode("utf-16-be" if raw[0] == 16 else "latin-1", "replace").rstrip("\0 ")


def _volume_set(name: str) -> str:
    """The UUID that libblkid derives from the first 16 characters: hexadecimal digits are kept, others are replaced by their code."""
    data = name.encode()[:16]
    if len(data) < 8:
        return ""
    odd = next((at for at, byte in enumerate(data) if chr(byte) not in "0123456789abcdefABCDEF"), 16)
    if odd < 8:
        return data[:8].hex()
    if odd < 16:
        return (data[:8].decode() + data[8:12].hex()).lower()
    return data.decode().lower()


def ubi(base: Stream) -> Content | None:
    """``ubi``: volumes on flash memory; the image number serves as UUID."""
    block = base.read_at(0, _UBI_SIZE)
    return Content("ubi", str(_UBI.read(block)["image_seq"])) if block[:4] == b"UBI#" and len(block) == _UBI_SIZE else None
