"""``oci:PATH``: a container image on this host, as written by ``skopeo copy``, ``podman save`` and ``docker save``.

A folder in OCI layout, an archive of one, or an archive by Docker, with ``:TAG`` to select one of several images. An image with a root
filesystem (bootc) is a tree; a KubeVirt containerDisk is the disk in it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from v2vlint.files import FileOpener, access
from v2vlint.model.codec import parse
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError
from v2vlint.model.plain import JsonObject
from v2vlint.model.source import DiskFile, GuestRef, GuestSource, RootTree
from v2vlint.source.door import Door
from v2vlint.source.nearby import whole
from v2vlint.source.package import members_of
from v2vlint.source.paths import problem_of

INSTEAD = "an image of a registry is not fixed: put the fix into its Containerfile, or fix the disk before it is put into an image"
MAX_JSON = 4 << 20
MAX_LAYERS = 256
MAX_NESTED = 4
_PREFIXES = ("oci:", "oci-archive:", "docker-archive:")
# Only hexadecimal digits become a path.
_DIGEST = re.compile(r"(sha256|sha512):([0-9a-f]{64,128})")
_BLOB = re.compile(r"blobs/(sha256|sha512)/([0-9a-f]{64,128})")
_REFERENCE = "org.opencontainers.image.ref.name"


def _find(argument: str, _connect: str) -> Iterator[GuestRef]:
    path, tag = argument.partition(":")[2], ""
    if not os.path.exists(path) and ":" in path:  # noqa: PTH110
        path, _, tag = path.rpartition(":")
    where = os.path.join(path, "index.json") if os.path.isdir(path) else path  # noqa: PTH112, PTH118
    yield GuestRef(argument, "oci", (where,), problem=problem_of(where), configuration=tag, unwritable=INSTEAD)


@dataclass(frozen=True, slots=True)
class _Image:
    """The place of an image: in the folder of ``where``, or as ``members`` of the archive there."""

    where: str
    files: FileOpener
    members: Mapping[str, DiskFile] | None

    def blob(self, name: str) -> DiskFile:
        """The file called ``name`` in it."""
        if self.members is None:
            return DiskFile(os.path.join(os.path.dirname(self.where), name), name)  # noqa: PTH118, PTH120
        if name not in self.members:
            raise ImageError(f"{self.where}: {name[:100]} is not in it")
        return self.members[name]

    def json(self, name: str) -> Any:
        """A JSON document in it."""
        try:
            data = whole(self.blob(name), MAX_JSON, self.files)
            algorithm, _, known = _digest_of(name).partition(":")
            if known and hashlib.new(algorithm, data).hexdigest() != known:
                raise ImageError(f"{self.where}: {name} is damaged: its content is not that of its digest")
            return parse(data)
        except (ValueError, RecursionError) as error:
            raise ImageError(f"{self.where}: {name} is damaged: {error}") from error

    def digest(self, descriptor: Any) -> str:
        """The name of the blob that an OCI descriptor refers to."""
        match = _DIGEST.fullmatch(str(descriptor.get("digest", ""))) if isinstance(descriptor, dict) else None
        if match is None:
            raise ImageError(f"{self.where}: damaged (a descriptor without a digest)")
        return f"blobs/{match[1]}/{match[2]}"


def _locate(ref: GuestRef) -> GuestSource:
    where, files = ref.paths[0], access(ref)
    folder = os.path.basename(where) == "index.json"  # noqa: PTH119
    image = _Image(where, files, None if folder else {one.name: one for one in members_of(where, files)})
    docker = image.members is not None and "manifest.json" in image.members
    names = _docker(image, ref.configuration) if docker else _oci(image, ref.configuration)
    if len(names) > MAX_LAYERS:
        raise ImageError(f"{ref.name}: more than {MAX_LAYERS} layers")
    layers = tuple(
        replace(image.blob(name), name=f"{ref.name}: layer {number}", digest="" if docker else _digest_of(name))
        for number, name in enumerate(names, 1)
    )
    return GuestSource(ref.name, (), tree=RootTree(archives=layers, layers=True))


def _digest_of(name: str) -> str:
    """The digest that the name of a blob in an OCI layout states; empty for other files."""
    match = _BLOB.fullmatch(name)
    return f"{match[1]}:{match[2]}" if match else ""


def _docker(image: _Image, tag: str) -> list[str]:
    """The layers according to Docker's manifest.json."""
    offered = _listed(image.json("manifest.json"))
    names = [_texts(one.get("RepoTags")) for one in offered]
    found = [one for one, called in zip(offered, names, strict=True) if not tag or any(_is_called(name, tag) for name in called)]
    if not found:
        raise ImageError(f"{image.where}: there is no image {tag or 'in it'}")
    if not tag:
        _certain(image, [(called[0], (one.get("Config"), one.get("Layers"))) for one, called in zip(offered, names, strict=True) if called])
    return [os.path.normpath(name) for name in _texts(found[0].get("Layers"))]


def _certain(image: _Image, offered: Sequence[tuple[str, Any]]) -> None:
    """ImageError when there are several named images; of them, the names and what tells one from another. One can have several names."""
    known = dict.fromkeys(name for name, _own in offered)
    if len(known) > 1 and len({str(own) for _name, own in offered}) > 1:
        raise ImageError(f"{image.where}: several images: {', '.join(list(known)[:10])[:400]}", hint="name one: oci:PATH:TAG")


def _oci(image: _Image, tag: str) -> list[str]:
    """The layers according to the index of an OCI layout, through indexes of several platforms."""
    manifest = image.json("index.json")
    for level in range(MAX_NESTED):
        if not isinstance(manifest, dict):
            break
        if "layers" in manifest:
            return [image.digest(one) for one in _listed(manifest["layers"])]
        offered = _listed(manifest.get("manifests"))
        if not level and not tag:
            _certain(image, [(name, one.get("digest")) for one in offered if (name := _name(one))])
        chosen = _chosen(offered, tag)
        if chosen is None:
            raise ImageError(f"{image.where}: there is no image {tag or 'in it'}")
        manifest, tag = image.json(image.digest(chosen)), ""
    raise ImageError(f"{image.where}: damaged (no manifest with layers)")


def _chosen(offered: Sequence[JsonObject], tag: str) -> JsonObject | None:
    """The image called ``tag``; of several platforms, Linux on x86-64 first."""
    named = [one for one in offered if not tag or _is_called(_name(one), tag)]
    usual = [one for one in named if _platform(one) == ("linux", "amd64")]
    # BuildKit adds attestations (provenance, SBOM) as images for the platform unknown/unknown.
    real = [one for one in named if _platform(one)[0] != "unknown"]
    return next(iter((*usual, *real)), None)


def _name(descriptor: JsonObject) -> str:
    """The name that an index gives an image; empty when it gives none."""
    notes = descriptor.get("annotations")
    return str(notes.get(_REFERENCE, "")) if isinstance(notes, dict) else ""


def _platform(descriptor: JsonObject) -> tuple[str, str]:
    stated = descriptor.get("platform")
    return (str(stated.get("os")), str(stated.get("architecture"))) if isinstance(stated, dict) else ("", "")


def _is_called(name: str, tag: str) -> bool:
    return name == tag or name.rpartition("/")[2] == tag or name.rpartition(":")[2] == tag


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _listed(value: Any) -> list[JsonObject]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


DOORS = (Door("oci", "an image of a container registry", _PREFIXES, _find, _locate, of_paths=True),)
