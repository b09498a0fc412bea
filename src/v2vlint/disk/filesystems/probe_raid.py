"""Members of firmware RAID ("fake RAID"): metadata that a BIOS or controller left near the end of a disk (libblkid's superblocks/*_raid.c).

Signatures of two or four bytes count only with their checksum.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from v2vlint.disk.fields import Fields
from v2vlint.disk.filesystems.content import Content
from v2vlint.disk.stream import Stream

SECTOR = 512
_PROMISE = (63, 255, 256, 16, 399, 591, 675, 735, 911, 974, 991, 951, 3087)

# libblkid: struct via_metadata, struct silicon_metadata, struct nv_metadata (its size is in words), struct jm_metadata.
_VIA_VERSION, _VIA_CHECKSUM = 2, 50
_SILICON_DISK_NUMBER, _SILICON = 0x116, Fields("<", checksum1=(0x13E, "H"))
_NVIDIA, _NVIDIA_SIZE = Fields("<", size=(8, "I")), 30
_JMICRON_MODE = 0x30


def firmware_raid(base: Stream) -> Content | None:
    """The member of a firmware RAID, as named by blkid; or None."""
    sectors = base.size // SECTOR
    if sectors < 128:
        return None
    for kind, is_member in _MEMBERS:
        if is_member(lambda back: base.read_at((sectors - back) * SECTOR, SECTOR) if back <= sectors else b""):
            return Content(kind)
    return None


Read = Callable[[int], bytes]
"""The sector that lies so many sectors before the end."""


def _intel(read: Read) -> bool:
    return read(2).startswith(b"Intel Raid ISM Cfg Sig. ")


def _ddf(read: Read) -> bool:
    # Some controllers leave it 256 sectors earlier (libblkid's ddf_raid.c).
    return any(read(back).startswith(b"\xde\x11\xde\x11") for back in (1, 257))


def _lsi(read: Read) -> bool:
    return read(1).startswith(b"$XIDE$")


def _via(read: Read) -> bool:
    last = read(1)
    return last[:2] == b"\x55\xaa" and last[_VIA_VERSION] <= 2 and sum(last[:_VIA_CHECKSUM]) & 0xFF == last[_VIA_CHECKSUM]


def _silicon(read: Read) -> bool:
    last = read(1)
    if last[0x60:0x64] != b"\0\0\0\x2f" or last[_SILICON_DISK_NUMBER] >= 8:
        return False
    words = struct.unpack_from("<159H", last)
    return bool(-sum(words) & 0xFFFF == _SILICON.read(last)["checksum1"])


def _nvidia(read: Read) -> bool:
    sector = read(2)
    if not sector.startswith(b"NVIDIA  ") or _NVIDIA.read(sector)["size"] != _NVIDIA_SIZE:
        return False
    # All words add up to zero: the sum is stored negated.
    return bool(sum(struct.unpack_from(f"<{_NVIDIA_SIZE}I", sector)) & 0xFFFFFFFF == 0)


def _promise(read: Read) -> bool:
    return any(read(back).startswith(b"Promise Technology, Inc.") for back in _PROMISE)


def _highpoint_45(read: Read) -> bool:
    return read(11)[:4] in (b"\xf3\x16\x78\x5a", b"\xfd\x16\x78\x5a")


def _adaptec(read: Read) -> bool:
    last = read(1)
    return last[:4] == b"\x37\xfc\x4d\x1e" and last[256:260] == b"DPTM"


def _jmicron(read: Read) -> bool:
    last = read(1)
    return last[:2] == b"JM" and last[_JMICRON_MODE] <= 5 and sum(struct.unpack_from("<64H", last)) & 0xFFFF in (0, 1)


_MEMBERS: tuple[tuple[str, Callable[[Read], bool]], ...] = (
    ("ddf_raid_member", _ddf),
    ("isw_raid_member", _intel),
    ("lsi_mega_raid_member", _lsi),
    ("via_raid_member", _via),
    ("silicon_medley_raid_member", _silicon),
    ("nvidia_raid_member", _nvidia),
    ("promise_fasttrack_raid_member", _promise),
    ("hpt45x_raid_member", _highpoint_45),
    ("adaptec_raid_member", _adaptec),
    ("jmicron_raid_member", _jmicron),
)
