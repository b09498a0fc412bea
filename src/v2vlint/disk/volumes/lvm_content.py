"""The content of an LVM volume according to the types of its segments: stripes, mirrors, RAID, thin pools and caches, which can be
stacked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from v2vlint.disk.fields import Fields
from v2vlint.disk.stream import Joined, Piece, Slice, Stream, Striped
from v2vlint.disk.volumes.exceptions import Snapshot
from v2vlint.disk.volumes.lvm_text import Group, Segment, Value, copies_of, extents_of, kind_of, number, segments_of, words
from v2vlint.disk.volumes.parity import (
    LEFT_ASYMMETRIC,
    LEFT_SYMMETRIC,
    PARITY_FIRST,
    PARITY_LAST,
    RIGHT_ASYMMETRIC,
    RIGHT_SYMMETRIC,
    Parity,
)
from v2vlint.disk.volumes.persistent import LvmCache, Thin
from v2vlint.disk.volumes.raid10 import Raid10
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError, Unsupported

MAX_DEPTH = 8
# struct dm_raid_superblock (drivers/md/dm-raid.c of Linux); its later fields are read from some of the legs only.
_SUPERBLOCK = Fields("<", compat_features=(4, "I"), events=(16, "Q"))
_FAILED = Fields("<", failed_devices=(24, "Q"))
_RECOVERED = Fields("<", disk_recovery_offset=(32, "Q"))
_FLAGS_AT = 60
_ALL = (1 << 64) - 1
_LEVELS = {
    "raid4": (5, PARITY_FIRST), "raid5": (5, LEFT_SYMMETRIC), "raid5_ls": (5, LEFT_SYMMETRIC), "raid5_la": (5, LEFT_ASYMMETRIC),
    "raid5_rs": (5, RIGHT_SYMMETRIC), "raid5_ra": (5, RIGHT_ASYMMETRIC), "raid5_n": (5, PARITY_LAST), "raid6": (6, 8),
    "raid6_zr": (6, 8), "raid6_nr": (6, 9), "raid6_nc": (6, 10), "raid6_la_6": (6, 16), "raid6_ra_6": (6, 17), "raid6_ls_6": (6, 18),
    "raid6_rs_6": (6, 19), "raid6_n_6": (6, PARITY_LAST),
}  # fmt: skip
"""LVM's words (dm-raid.c) with the level and layout of the same array of MD."""


@dataclass
class LvmContents:
    """Opens volumes of ``group``; ``present`` are the available physical volumes by UUID. ``lost`` counts the missing legs."""

    group: Group
    present: Mapping[str, Stream]
    lost: int = 0
    _open: list[str] = field(default_factory=list)

    def volume(self, name: str) -> Stream:
        """The content of any volume, including hidden ones. ImageError when a part is missing, Unsupported for an unknown segment type."""
        tree = self.group.logical.get(name)
        if tree is None:
            raise ImageError(f"damaged LVM metadata (no volume {name})")
        # Damaged metadata may lead a volume back to itself.
        if len(self._open) > MAX_DEPTH or name in self._open:
            raise ImageError(f"damaged LVM metadata (volume {name} lies on itself)")
        self._open.append(name)
        try:
            parts = [self._segment(segment) for segment in sorted(segments_of(tree), key=lambda one: number(one, "start_extent"))]
            whole = parts[0] if len(parts) == 1 else Joined(Piece(part.size, part) for part in parts)
            store = self.group.merging_stores.get(name)
            return Snapshot(whole, self.volume(store)) if store else whole
        finally:
            self._open.pop()

    def _segment(self, segment: Segment) -> Stream:
        kind = kind_of(segment)
        size = extents_of(segment) * self.group.extent
        if kind in ("striped", "linear"):
            return self._striped(segment)
        if kind == "zero":
            return Joined([Piece(size, None)])
        if kind == "mirror":
            return self._mirror(segment, size)
        if kind == "thin":
            return self._thin(segment, size)
        if kind == "cache":
            return self._cache(segment, size)
        if kind.startswith("raid"):
            return Slice(self._raid(kind, segment), 0, size)
        raise Unsupported(f"LVM {kind} volume is not supported")

    def _striped(self, segment: Segment) -> Stream:
        areas = words(segment, "stripes")
        count = number(segment, "extent_count") * self.group.extent
        chunk = number(segment, "stripe_size") * 512
        width = len(areas) // 2
        if not width or (width > 1 and (chunk <= 0 or count % width)):
            raise ImageError("damaged LVM metadata (stripes)")
        parts = tuple(self._area(areas[at], areas[at + 1], count // width) for at in range(0, width * 2, 2))
        return parts[0] if width == 1 else Striped(parts, chunk)

    def _area(self, name: Value, start: Value, size: int) -> Stream:
        if not isinstance(start, int):
            raise ImageError("damaged LVM metadata (stripes)")
        if name in self.group.physical:
            uuid, first = self.group.physical[str(name)]
            if uuid not in self.present:
                raise ImageError(self.group.absence(uuid))
            return Slice(self.present[uuid], first + start * self.group.extent, size)
        return Slice(self.volume(str(name)), start * self.group.extent, size)

    def _mirror(self, segment: Segment, size: int) -> Stream:
        areas = words(segment, "mirrors")
        if len(areas) < 2:
            raise ImageError("damaged LVM metadata (mirrors)")
        # What is not in sync is copied from the first leg, and read from it until then (dm-raid1.c).
        return self._area(areas[0], areas[1], size)

    def _raid(self, kind: str, segment: Segment) -> Stream:
        chunk = number(segment, "stripe_size") * 512
        if kind in ("raid0", "raid0_meta"):
            pairs = words(segment, "raid0_lvs") or words(segment, "raids")
            # Each image comes after its metadata volume.
            images = pairs if kind == "raid0" else pairs[1::2]
            return Striped(tuple(self.volume(str(name)) for name in images), _checked(chunk))
        legs, disks = self._legs(segment)
        if not legs:
            raise ImageError("every leg of the LVM volume is missing")
        self.lost += disks - len(legs)
        if kind == "raid1":
            return legs[min(legs)]
        size = min(leg.size for leg in legs.values())
        if kind in ("raid10", "raid10_near"):
            # So many near copies and one far copy, in the layout word of MD.
            return Raid10(copies_of(segment) | 1 << 8, disks, _checked(chunk), legs, size)
        if kind not in _LEVELS:
            raise Unsupported(f"LVM {kind} volume is not supported")
        level, layout = _LEVELS[kind]
        return Parity(level, layout, disks, _checked(chunk), legs, size)

    def _legs(self, segment: Segment) -> tuple[dict[int, Stream], int]:
        """The available legs that are in sync, by slot, and how many there should be."""
        names = [str(name) for name in words(segment, "raids")]
        offset = number(segment, "data_offset") * 512
        found: dict[int, tuple[Stream, bytes]] = {}
        for slot in range(len(names) // 2):
            try:
                head, image = self.volume(names[2 * slot]).read_at(0, 512), self.volume(names[2 * slot + 1])
            except Unsupported:
                # This leg is not missing: reading the volume without it would only hide what is not supported.
                raise
            except ImageError:
                # The other legs may be enough.
                continue
            found[slot] = (Slice(image, offset, image.size - offset), head)
        stated = {slot: head for slot, (_image, head) in found.items() if head[:4] == b"DmRd"}
        newest = max(stated.values(), key=lambda head: _SUPERBLOCK.read(head)["events"], default=b"")
        # SB_FLAG_RESHAPE_ACTIVE of ``flags``, which FEATURE_FLAG_SUPPORTS_V190 of ``compat_features`` announces.
        if newest and _SUPERBLOCK.read(newest)["compat_features"] & 1 and newest[_FLAGS_AT] & 1:
            raise Unsupported("LVM RAID volume that is being reshaped is not supported")
        return {slot: image for slot, (image, head) in found.items() if _in_sync(slot, head, newest)}, len(names) // 2

    def _thin(self, segment: Segment, size: int) -> Stream:
        pool = next(iter(segments_of(self.group.logical.get(str(segment.get("thin_pool", "")), {}))), {})
        origin = self.volume(str(segment["external_origin"])) if "external_origin" in segment else None
        metadata, data = self.volume(str(pool.get("metadata", ""))), self.volume(str(pool.get("pool", "")))
        # A snapshot to be merged takes the place of its origin at the next activation (_thin_add_target_line()).
        merging = self.group.merging_thin.get(self._open[-1], segment) if self._open else segment
        return Thin(metadata, data, number(merging, "device_id"), size, origin)

    def _cache(self, segment: Segment, size: int) -> Stream:
        origin, name = self.volume(str(segment.get("origin", ""))), str(segment.get("cache_pool"))
        pool = next(iter(segments_of(self.group.logical.get(name, {}))), {})
        # lvmcache(7): all reads go to the origin.
        if "passthrough" in (segment.get("cache_mode"), pool.get("cache_mode")):
            return origin
        if "metadata_len" not in segment:
            return LvmCache(self.volume(str(pool.get("metadata", ""))), self.volume(str(pool.get("data", ""))), origin, size)
        # A cachevol has metadata and data in one volume.
        whole = self.volume(name)
        metadata, data = (Slice(whole, number(segment, f"{one}_start") * 512, number(segment, f"{one}_len") * 512) for one in _PARTS)
        return LvmCache(metadata, data, origin, size)


_PARTS: Sequence[str] = ("metadata", "data")


def _checked(chunk: int) -> int:
    if chunk <= 0:
        raise ImageError("damaged LVM metadata (stripes)")
    return chunk


def _in_sync(slot: int, head: bytes, newest: bytes) -> bool:
    """Whether a leg is in sync with the volume, according to dm-raid's superblocks; without superblocks, all legs are."""
    if not newest:
        return True
    # The offset is MaxSector in a leg that is complete.
    failed = _FAILED.read(newest)["failed_devices"] >> slot & 1 if slot < 64 else 0
    return not failed and head[:4] == b"DmRd" and _RECOVERED.read(head)["disk_recovery_offset"] == _ALL
