"""LVM2 (lvm(8)): physical volume labels, the text metadata of a volume group, and its volumes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from v2vlint.disk.fields import Fields
from v2vlint.disk.filesystems.content import text
from v2vlint.disk.filesystems.probe_layers import LVM_LABEL, lvm_uuid
from v2vlint.disk.stream import Stream
from v2vlint.disk.volumes.lvm_content import LvmContents
from v2vlint.disk.volumes.lvm_text import Group, Value, extents_of, kind_of, segments_of, words
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError, Unsupported

MAX_METADATA = 8 << 20
_POOLS = frozenset({"thin-pool", "cache-pool", "vdo-pool"})
# lib/format_text/layout.h of LVM2: disk_areas_xl of struct pv_header, struct disk_locn, and the first of mda_header's raw_locns.
_PV_AREAS_AT = 40
_AREA = Fields("<", offset=(0, "Q"), size=(8, "Q"))
_TEXT = Fields("<", offset=(40, "Q"), size=(48, "Q"))


@dataclass(frozen=True, slots=True)
class Physical:
    """A physical volume: its UUID and the newest metadata text found on it (empty when it has none)."""

    uuid: str
    metadata: str = ""


@dataclass(frozen=True, slots=True)
class Logical:
    """A visible logical volume: ``stream`` is its content, or ``problem`` says why it cannot be read.

    ``lost`` is the number of its legs that are missing or out of sync. A ``plain`` volume consists of nothing but parts of physical volumes
    and has no snapshots. ``kinds`` are LVM's names for the types of its segments and of those of the volumes below it.
    """

    group: str
    name: str
    uuid: str
    size: int
    physical: tuple[str, ...]
    stream: Stream | None = None
    problem: str = ""
    lost: int = 0
    plain: bool = False
    kinds: tuple[str, ...] = ()


def read_physical(base: Stream) -> Physical:
    """The label of a physical volume; ImageError when there is none."""
    head = base.read_at(0, 2048)
    label = next((at for at in range(0, 2048, 512) if head[at : at + 8] == b"LABELONE"), None)
    if label is None:
        raise ImageError("no LVM label")
    offset = label + LVM_LABEL.read(head, label)["offset_xl"]
    header = base.read_at(offset, 512)
    # struct pv_header: a UUID, a size, and two lists that end with an empty entry, of data and of metadata areas.
    areas = _areas(header, _PV_AREAS_AT)
    metadata = _areas(header, _PV_AREAS_AT + 16 * (len(areas) + 1))
    # pvcreate(8) makes at most two, one at either end.
    texts = [found for start, size in metadata[:2] if (found := _metadata(base, start, size))]
    return Physical(lvm_uuid(text(header[:32])), max(texts, key=_seqno, default=""))


def _areas(header: bytes, at: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    while at + 16 <= len(header):
        area = _AREA.read(header, at)
        if not area["offset"]:
            break
        found.append((area["offset"], area["size"]))
        at += 16
    return found


def _metadata(base: Stream, start: int, size: int) -> str:
    header = base.read_at(start, 512)
    if header[4:20] != b" LVM2 x[5A%r0N*>" or len(header) < 64:
        return ""
    place = _TEXT.read(header)
    offset, length = place["offset"], place["size"]
    if not 512 <= offset < size or not length <= min(size, MAX_METADATA):
        return ""
    data = base.read_at(start + offset, min(length, size - offset))
    if len(data) < length:
        # The area is a ring after the sector of its header (MDA_HEADER_SIZE).
        data += base.read_at(start + 512, length - len(data))
    return data.split(b"\0", 1)[0].decode("utf-8", "replace")


def _seqno(metadata: str) -> int:
    match = re.search(r"^[ \t]*seqno\s*=\s*(\d{1,18})", metadata, re.MULTILINE)
    return int(match[1]) if match else -1


def volumes(group: Group, present: Mapping[str, Stream]) -> list[Logical]:
    """The visible volumes of ``group``, without pools. ``present`` are the available physical volumes by UUID."""
    snapshots = _snapshots(group)
    return [
        _volume(group, name, tree, present, snapshots)
        for name, tree in group.logical.items()
        # A snapshot has the name of its store of changes; the segment of type snapshot is in a hidden volume.
        if name in snapshots or ("VISIBLE" in words(tree, "status") and not _kinds(tree) & (_POOLS | {"snapshot"}) and not _merges(tree))
    ]


def _merges(tree: Mapping[str, Value]) -> bool:
    """Whether it is a thin snapshot that is to be merged into its origin: it goes at the next activation."""
    return any("merge" in segment for segment in segments_of(tree))


def _kinds(tree: Mapping[str, Value]) -> set[str]:
    return {kind_of(segment) for segment in segments_of(tree)}


def _volume(group: Group, name: str, tree: Mapping[str, Value], present: Mapping[str, Stream], snapshots: set[str]) -> Logical:
    size = sum(extents_of(segment) for segment in segments_of(tree)) * group.extent
    below = _below(group, name)
    uuids = tuple(group.physical[key][0] for key in sorted(_physical(group, below)))
    empty = Logical(group.name, name, str(tree.get("id", "")), size, uuids, kinds=_all_kinds(group, below))
    contents = LvmContents(group, present)
    usable = group.usable(present)
    try:
        if name in snapshots:
            raise Unsupported("LVM snapshot volume is not supported")
        _refused(group, tree, [uuid for uuid in uuids if uuid not in usable])
        stream = contents.volume(name)
    except ImageError as error:
        return replace(empty, problem=str(error))
    return replace(empty, stream=stream, lost=contents.lost, plain=_is_plain(group, name, tree))


def _refused(group: Group, tree: Mapping[str, Value], absent: Sequence[str]) -> None:
    """ImageError for a volume that LVM does not activate without the physical volumes ``absent``.

    In its default mode, ``degraded``, only a RAID volume may lack legs: no mirror, and nothing that lies on RAID volumes (_lv_activate() of
    activate.c). Those that are back, but marked as missing, are legs of a RAID volume all the same, and their superblocks decide.
    """
    kinds = _kinds(tree)
    if absent and not all(kind.startswith("raid") for kind in kinds):
        plain = kinds <= {"striped", "linear"}
        raise ImageError(group.absence(absent[0]) + ("" if plain else ", and LVM activates only RAID volumes without one"))


def _is_plain(group: Group, name: str, tree: Mapping[str, Value]) -> bool:
    parts = segments_of(tree)
    # Each name is followed by a start.
    areas = [area for segment in parts for area in words(segment, "stripes")[::2]]
    watched = {str(segment.get("origin", "")) for segment in group.segments()}
    return _kinds(tree) <= {"striped", "linear"} and all(area in group.physical for area in areas) and name not in watched


def _below(group: Group, name: str) -> list[str]:
    """A volume and the volumes below it: those named by any word of its segments."""
    found = [name]
    for one in found:
        for segment in segments_of(group.logical.get(one, {})):
            named = (word for key, word in _words(segment) if key != "cow_store" and word in group.logical)
            found += [word for word in dict.fromkeys(named) if word not in found]
    return found


def _words(segment: Mapping[str, Value]) -> Iterator[tuple[str, str]]:
    for key, value in segment.items():
        yield from ((key, word) for word in (value if isinstance(value, list) else [value]) if isinstance(word, str))


def _physical(group: Group, volumes: Iterable[str]) -> set[str]:
    """The names of the physical volumes that hold parts of ``volumes``."""
    segments = (segment for name in volumes for segment in segments_of(group.logical.get(name, {})))
    return {word for segment in segments for _key, word in _words(segment) if word in group.physical}


def _all_kinds(group: Group, volumes: Sequence[str]) -> tuple[str, ...]:
    """The types of all segments; ``snapshot`` if one of the volumes has a snapshot of the old kind."""
    kinds = {kind for name in volumes for kind in _kinds(group.logical.get(name, {}))}
    return tuple(sorted(kinds | ({"snapshot"} if _watched(group) & {*volumes} else set())))


def _watched(group: Group) -> set[str]:
    """The origins of snapshots of the old kind."""
    return {
        str(segment["origin"]) for segment in group.segments() if "origin" in segment and segment.keys() & {"cow_store", "merging_store"}
    }


def _snapshots(group: Group) -> set[str]:
    return {str(segment["cow_store"]) for segment in group.segments() if "cow_store" in segment}
