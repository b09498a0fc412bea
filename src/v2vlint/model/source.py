"""Where a guest comes from: what the user named, and the disk files behind it. Parent and child exchange both."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field

from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.dataclass import dataclass
from v2vlint.model.definition import Definition


@dataclass(frozen=True, slots=True)
class GuestRef:
    """One guest as the user named it. ``kind`` is ``disks``, a definition format, or ``definition`` when the file's content decides.

    ``paths`` are host paths: the disks in order, or the one definition file. ``text`` holds a definition that is not a file (the XML of
    ``domain:NAME``); ``state`` is then the state of the live domain when it is not shut off (``running``…), ``saved`` says that libvirt
    has saved its memory, ``snapshots`` names its snapshots, and ``volumes`` maps a disk's target to its path for disks in storage pools.
    ``verify`` requests the checksums of all files that a manifest lists, not only of the descriptor. ``problem`` says why there is nothing
    to read (no such file, no such domain) and ``hint`` the remedy; they concern this guest only.

    ``named`` are further host files that count as named by the operator: the disks of a libvirt domain with their backing chains.
    ``allowed`` are folders that the operator allows as well. ``folder`` is set when the guest was found in a folder: the operator then
    named the folder and not ``paths``. ``hashed`` requests the digests of all files that are opened.
    ``configuration`` selects one of several configurations in an OVF package, or of several images in a container archive.
    ``below`` gives, for disks that are overlays made by v2vlint, the path and format of the image each one is based on.
    ``trees`` are folders that are read whole, as root filesystems. ``unwritable`` is advice on what to do instead of fixing the guest,
    which cannot be written here; empty for disks. ``queries`` pairs those of ``paths`` that are URLs with the query that opens them, which
    may be a signature and is shown nowhere.
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
    trees: tuple[str, ...] = ()
    unwritable: str = ""
    queries: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class NotJudged:
    """Something that was found while looking for guests but is not a guest of this run, and the reason."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class HostFileInfo:
    """A host file that was opened for a guest: its path, and its size in bytes.

    ``before`` and ``after`` are its SHA-256 in hexadecimal at opening and at the end; empty unless requested. ``state`` is what a server
    said at opening that tells this version of the file from others (a tag, a time); empty for files of this host.
    """

    path: str
    size: int
    before: str = ""
    after: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class DiskFile:
    """A disk image: a host file, or ``length`` bytes of one starting at ``offset`` (a member of an OVA; -1: up to the end of the file).

    ``name`` identifies it in messages, ``format`` is the stated image format (``raw``, ``qcow2``…), empty to detect it by magic.
    ``siblings`` maps the names that the image may refer to (extents of a VMDK inside an OVA) to their locations. ``chunks`` are the pieces,
    in order, of a file that was split for an OVF envelope. ``member`` is the folder of a disk in a XenServer archive, or
    its name in the layer of a container image (``format`` ``layer``). ``below`` is the path
    and format of the base image of an overlay made by v2vlint. ``sector`` is the size of logical sectors that a definition gives it, or 0.
    ``digest`` is the hash that a layer of a container image must have, ``ALGORITHM:HEX``, if its index says so.
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
    sector: int = 0
    digest: str = ""


@dataclass(frozen=True, slots=True)
class ImageExtent:
    """A line of a VMDK descriptor: ``size`` bytes from byte ``start`` of ``node`` (none: zeros), of VMware's type ``kind`` (``FLAT``…)."""

    kind: str
    size: int
    node: ImageNode | None = None
    start: int = 0


@dataclass(frozen=True, slots=True)
class ImageNode:
    """A disk image with all files it refers to, as opened: it can be opened again without reading names from headers.

    ``path`` is resolved; ``offset`` and ``length`` are those of a member of an archive. ``backing`` is the parent of a qcow2 or VMDK,
    ``stated`` says whether the child states its format, ``data`` is the external data file of a qcow2. ``extents``, ``kind`` (its type) and
    ``ids`` (its own content id and its parent's) belong to a VMDK descriptor.
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
        """The host files it consists of, its own first."""
        below = [self.backing, self.data, *(extent.node for extent in self.extents)]
        found = (self.path, *(path for node in below if node for path in node.paths))
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class RootTree:
    """A root filesystem that is not on a disk.

    ``folder`` is its place on this host, or ``sftp://host`` on another. Otherwise it is in ``archives``, tar files that are merged in that
    order, with the whiteouts of container images when they are ``layers``.
    """

    folder: str = ""
    archives: tuple[DiskFile, ...] = ()
    layers: bool = False


@dataclass(frozen=True, slots=True)
class GuestSource:
    """The disks of one guest, in order, and its definition if there is one. ``remarks`` list what of the definition was ignored.

    ``tree`` is its root filesystem when it is not on a disk; there are no disks then.
    """

    name: str
    disks: tuple[DiskFile, ...]
    definition: Definition | None = None
    remarks: tuple[str, ...] = ()
    tree: RootTree | None = None


KEY_OPTION = "--key-file"


@dataclass(frozen=True, slots=True)
class Key:
    """The passphrase or key file for ``device``: v2vlint's name (``disk1p2``), the guest's (``/dev/sda2``), a UUID or a label.

    Empty means every device.
    """

    secret: bytes = field(repr=False)
    device: str = ""


@dataclass(frozen=True, slots=True)
class Keys:
    """All keys of a run."""

    keys: tuple[Key, ...] = ()

    def opening(self, device: BlockDevice, blocks: BlockTable, *names: str) -> tuple[bytes, ...]:
        """The secrets to try on ``device``, also known as ``names``: its own first, then those for every device."""
        own = tuple(key.secret for key in self.keys if key.device and _means(key.device, device, blocks, names))
        return own + tuple(key.secret for key in self.keys if not key.device)

    def unused(self, devices: Iterable[tuple[BlockDevice, tuple[str, ...]]], blocks: BlockTable) -> tuple[str, ...]:
        """The device names given with keys that match none of ``devices``."""
        known = tuple(devices)
        named = dict.fromkeys(key.device for key in self.keys if key.device)
        return tuple(name for name in named if not any(_means(name, device, blocks, others) for device, others in known))


def _means(given: str, device: BlockDevice, blocks: BlockTable, names: tuple[str, ...]) -> bool:
    """Whether ``given`` refers to ``device``: by v2vlint's name, a tag, or any path the guest has for it."""
    known = (device.name, device.uuid, device.label, device.part_uuid, device.part_label, *names)
    if given.lower().removeprefix("/dev/").removeprefix("mapper/") in {name.lower() for name in known if name}:
        return True
    return any(device in blocks.candidates(spec) for spec in (given, f"/dev/{given}", f"/dev/mapper/{given}"))
