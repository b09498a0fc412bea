"""Where a guest comes from: what the user named, and the disk files behind it. Both travel between parent and child."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.definition import Definition


@dataclass(frozen=True, slots=True)
class GuestRef:
    """One guest as the user named it. ``kind`` is ``disks``, a kind of definition, or ``definition`` where the content of the file decides.

    ``paths`` are host paths: the disks in order, or the one definition file. ``text`` holds a definition that is no file (the XML that
    libvirt gave for ``domain:NAME``); then ``state`` is that of the live domain when it is not shut off (``running``…), ``saved`` tells
    that libvirt has saved its memory, ``snapshots`` are the names of its snapshots, and ``volumes`` pairs of a disk's target and its path,
    for disks in storage pools. ``verify`` asks for the checksums of all files that a manifest names, not only of the descriptor.
    ``problem`` says why there is nothing to read (no such file, no such domain) and ``hint`` what can be done: it is told of this guest,
    and the others go on.

    ``named`` are further host files that count as named by the operator: the disks of a domain that libvirt describes, with the chains that
    it lists. ``allowed`` are folders that the operator allows besides. ``folder`` is set when the guest was found in a folder: then not
    ``paths`` were named, but it. ``hashed`` asks for the digests of all files that are opened.
    ``configuration`` is the one wanted of an OVF package that offers several.
    ``below`` are, for disks that are overlays of v2vlint's, the path and format of the image that each is a change of.
    """

    name: str
    kind: str
    paths: tuple[str, ...]
    text: str = ""
    state: str = ""
    snapshots: tuple[str, ...] = ()
    volumes: tuple[tuple[str, str], ...] = ()
    verify: bool = False
    problem: str = ""
    hint: str = ""
    named: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    folder: str = ""
    hashed: bool = False
    below: tuple[tuple[str, str], ...] = ()
    configuration: str = ""
    saved: bool = False


@dataclass(frozen=True, slots=True)
class HostFileInfo:
    """A host file that was opened for a guest: where it is, and its size in bytes.

    ``before`` and ``after`` are its SHA-256 when it was opened and when all was done, in hex; empty unless they were asked for.
    """

    path: str
    size: int
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class DiskFile:
    """A disk image: a host file, or ``length`` bytes of one from ``offset`` on (a member of an OVA; -1 is up to the end).

    ``name`` is what messages call it, ``format`` the stated image format (``raw``, ``qcow2``…) or empty to go by its magic.
    ``siblings`` maps names that the image may refer to (extents of a VMDK inside an OVA) to where they are. ``chunks`` are the pieces, in
    order, of a file that an OVF envelope cut up. ``member`` is the folder of a disk in an archive of XenServer's. ``below`` is the path and
    format of what an overlay of v2vlint's is a change of.
    """

    path: str
    name: str
    offset: int = 0
    length: int = -1
    format: str = ""
    siblings: tuple[DiskFile, ...] = ()
    chunks: tuple[DiskFile, ...] = ()
    member: str = ""
    below: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class ImageExtent:
    """A line of a VMDK descriptor: ``size`` bytes from byte ``start`` of ``node`` (none: zeros), of VMware's type ``kind`` (``FLAT``…)."""

    kind: str
    size: int
    node: ImageNode | None = None
    start: int = 0


@dataclass(frozen=True, slots=True)
class ImageNode:
    """A disk image with everything that it refers to, as it was opened: it can be opened again without reading names from headers.

    ``path`` is resolved; ``offset`` and ``length`` are those of a member of an archive. ``backing`` is what a qcow2 or VMDK is a change of,
    ``stated`` whether its format is written in the one above it, ``data`` the external data file of a qcow2. ``extents`` are those of a
    VMDK descriptor, with ``kind``, its type, and ``ids``, its own and its parent's content id.
    """

    path: str
    format: str
    offset: int = 0
    length: int = -1
    backing: ImageNode | None = None
    stated: bool = True
    data: ImageNode | None = None
    extents: tuple[ImageExtent, ...] = ()
    kind: str = ""
    ids: tuple[str, str] = ("", "")

    @property
    def paths(self) -> tuple[str, ...]:
        """The host files that it is made of, its own first."""
        below = [self.backing, self.data, *(extent.node for extent in self.extents)]
        found = (self.path, *(path for node in below if node for path in node.paths))
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class GuestSource:
    """The disks of one guest, in order, and its definition if there is one. ``remarks`` say what of the definition was left out."""

    name: str
    disks: tuple[DiskFile, ...]
    definition: Definition | None = None
    remarks: tuple[str, ...] = ()


KEY_OPTION = "--key-file"


@dataclass(frozen=True, slots=True)
class Key:
    """The passphrase or key file of an encrypted device ``device``: ours (``disk1p2``), the guest's (``/dev/sda2``), a UUID or label.

    Empty means every one.
    """

    secret: bytes = field(repr=False)
    device: str = ""


@dataclass(frozen=True, slots=True)
class Keys:
    """All keys of a run."""

    keys: tuple[Key, ...] = ()

    def opening(self, device: BlockDevice, blocks: BlockTable, *names: str) -> tuple[bytes, ...]:
        """Secrets to try on ``device``, also called ``names``: its own first, then those for every device."""
        own = tuple(key.secret for key in self.keys if key.device and _means(key.device, device, blocks, names))
        return own + tuple(key.secret for key in self.keys if not key.device)

    def unused(self, devices: Iterable[tuple[BlockDevice, tuple[str, ...]]], blocks: BlockTable) -> tuple[str, ...]:
        """Names given with keys that mean none of ``devices``."""
        known = tuple(devices)
        named = dict.fromkeys(key.device for key in self.keys if key.device)
        return tuple(name for name in named if not any(_means(name, device, blocks, others) for device, others in known))


def _means(given: str, device: BlockDevice, blocks: BlockTable, names: tuple[str, ...]) -> bool:
    """Whether somebody who says ``given`` means ``device``: our names, its tags, and every path that the guest has for it."""
    known = (device.name, device.uuid, device.label, device.part_uuid, device.part_label, *names)
    if given.lower().removeprefix("/dev/").removeprefix("mapper/") in {name.lower() for name in known if name}:
        return True
    return any(device in blocks.candidates(spec) for spec in (given, f"/dev/{given}", f"/dev/mapper/{given}"))
