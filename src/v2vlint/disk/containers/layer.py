"""Disk images inside the layers of a container image, such as KubeVirt's containerDisks: members of tar archives that may be compressed."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import replace

from v2vlint.disk.containers.gzipped import Gzipped
from v2vlint.disk.filesystems.archive import unpacked
from v2vlint.disk.stream import Cached, HostFile, Slice, Stream
from v2vlint.files import FileOpener, access
from v2vlint.model.errors import ImageError, Unsupported
from v2vlint.model.source import DiskFile

MAX_MEMBERS = 4096
_FOLDER = "disk"
_HEAD = 8
_DAMAGED = (tarfile.TarError, EOFError, OSError, ValueError, RecursionError)


def disks_in(layers: Iterable[DiskFile], files: FileOpener | None = None) -> Iterator[DiskFile]:
    """The images in /disk, where KubeVirt looks, of layers with no other files. ImageError for a layer that cannot be read."""
    for layer in layers:
        base = HostFile(layer.path, layer.offset, layer.length, files or access(None, layer.path))
        try:
            found = _lone_disk(base)
        except _DAMAGED as error:
            raise ImageError(f"{layer.name}: no layer that can be read: {error}") from error
        finally:
            base.close()
        if found:
            yield replace(layer, name=f"{layer.name}: {found}", format="layer", member=found)


def _lone_disk(base: Stream) -> str:
    """The first file of a layer, if it is in /disk and only folders precede it."""
    packed = unpacked(base)
    with tarfile.open(fileobj=packed or base, mode="r|" if packed else "r:", errors="surrogateescape") as archive:
        for count, member in enumerate(archive):
            name = member.name.removeprefix("./").strip("/")
            if name.split("/")[0] not in ("", ".", _FOLDER) or count > _HEAD:
                return ""
            if member.isreg() and not member.name.startswith(".wh."):
                return name
    return ""


def in_layer(name: str, base: Stream, member: str) -> Stream:
    """The file ``member`` of the layer ``base``. ImageError when it does not exist, Unsupported for compression that cannot be read in
    place.
    """
    if base.read_at(0, 4) == b"\x28\xb5\x2f\xfd":
        # zlib's decompressors can be copied, and reading resumes from the copies; zstandard's cannot.
        raise Unsupported(f"{name}: a layer packed with zstd", hint="copy the image with skopeo copy --dest-compress-format gzip")
    plain = Gzipped(name, base) if base.read_at(0, 3) == b"\x1f\x8b\x08" else base
    try:
        with tarfile.open(fileobj=Cached(plain), mode="r:", errors="surrogateescape") as archive:
            for count, found in enumerate(archive):
                if found.name.removeprefix("./").strip("/") == member and found.isreg() and not found.sparse:
                    return Cached(Slice(plain, found.offset_data, found.size))
                if count > MAX_MEMBERS:
                    break
    except _DAMAGED as error:
        raise ImageError(f"{name}: damaged layer: {error}") from error
    raise ImageError(f"{name}: {member} is not in the layer, or in a way that is not read")
