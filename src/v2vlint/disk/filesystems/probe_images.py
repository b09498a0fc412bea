"""The superblocks of read-only images: squashfs and ISO 9660."""

from __future__ import annotations

import struct

from v2vlint.disk.filesystems.content import Content, details
from v2vlint.disk.stream import Stream

MAX_DESCRIPTORS = 16  # ISO_VD_MAX of libblkid's iso9660.c


def squashfs(base: Stream) -> Content | None:
    """``squashfs`` 4 (``struct squashfs_super_block``, fs/squashfs/squashfs_fs.h)."""
    head = base.read_at(0, 96)
    more = details(block_size=struct.unpack_from("<I", head, 12)[0], fs_size=struct.unpack_from("<Q", head, 40)[0])
    return Content("squashfs", details=more) if head[:4] == b"hsqs" and struct.unpack_from("<H", head, 28)[0] >= 4 else None


def squashfs3(base: Stream) -> Content | None:
    """``squashfs3``: versions 1 to 3, in either byte order, which Linux no longer mounts."""
    head = base.read_at(0, 32)
    if head[:4] not in (b"sqsh", b"hsqs"):
        return None
    major = struct.unpack_from(">H" if head[:4] == b"sqsh" else "<H", head, 28)[0]
    return Content("squashfs3") if major < 4 else None


def iso(base: Stream) -> Content | None:
    """``iso9660`` (ECMA-119, 8.4: primary volume descriptor). Its UUID is the modification date, or else the creation date."""
    found: dict[int, bytes] = {}
    for number in range(MAX_DESCRIPTORS):
        block = base.read_at(32768 + number * 2048, 2048)
        if block[1:6] != b"CD001" or block[0] == 255:
            break
        # Only the escape sequences of UCS-2 (levels 1 to 3) make a supplementary descriptor one of Joliet.
        if block[0] != 2 or block[88:91] in (b"%/@", b"%/C", b"%/E"):
            found.setdefault(block[0], block)
    if 1 not in found:
        return None
    primary = found[1]
    plain = primary[40:72].decode("ascii", "replace")
    label = _joliet(found[2][40:72].decode("utf-16-be", "replace"), plain) if 2 in found else plain
    uuid = _date(primary[830:847]) or _date(primary[813:830])
    return Content("iso9660", uuid, label.split("\0", 1)[0].rstrip(" "), details(block_size=2048))


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
    kinds = {base.read_at(32768 + number * 2048 + 1, 5) for number in range(MAX_DESCRIPTORS)}
    if not kinds & {b"NSR02", b"NSR03"}:
        return None
    label = uuid = ""
    # The sector size is stated nowhere: it is the one with which sector 256 holds the anchor.
    for size in (512, 1024, 2048, 4096):
        anchor = base.read_at(256 * size, 24)
        if anchor[:2] != b"\x02\0" or struct.unpack_from("<I", anchor, 12)[0] != 256:
            continue
        count, first = struct.unpack_from("<II", anchor, 16)
        for number in range(min(count // size, 64)):
            block = base.read_at((first + number) * size, 512)
            kind = struct.unpack_from("<H", block)[0]
            if kind == 1:
                uuid = _volume_set(_dstring(block[72:200]))
            elif kind == 6:
                label = _dstring(block[84:212])
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
    block = base.read_at(0, 28)
    return Content("ubi", str(int.from_bytes(block[24:28], "big"))) if block[:4] == b"UBI#" and len(block) == 28 else None
