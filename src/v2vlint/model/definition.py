"""A virtual machine's definition, as OVF, VMX, libvirt XML and other formats state it: the hardware of the guest on its source.

Devices and values record where they are written, so that findings can point there; comparisons ignore those places.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import NotApplicable
from v2vlint.model.place import Where, WholeFile

_NOWHERE = WholeFile("")


@dataclass(frozen=True, slots=True)
class DiskDevice:
    """One disk of a definition. ``path`` is as written; ``bus`` is ``ide``, ``sata``, ``scsi``, ``virtio``, ``nvme``, ``xen``…

    ``model`` is the controller model as written (``lsilogic``, ``pvscsi``…), ``format`` the image format if stated, ``target`` its slot or
    device name there. ``mode`` is ``independent-persistent``, ``independent-nonpersistent``, ``transient`` or empty. ``mapped`` tells how a
    host device is used in place of an image (``rawDisk``, ``lun``…), or is empty. ``capacity`` is in bytes, -1 when not stated; ``chunk``
    is the size in bytes of the pieces that the file is split into, 0 when it is not split. ``backing`` describes a source that is not a
    file (``network rbd``). ``blank`` marks a disk that starts empty and so needs no file; ``missing`` one whose file does not exist.
    ``sector`` is the size of logical sectors that the disk is given, 0 when nothing is said.
    """

    path: str
    bus: str = ""
    model: str = ""
    format: str = ""
    target: str = ""
    shared: bool = False
    mode: str = ""
    mapped: str = ""
    capacity: int = -1
    chunk: int = 0
    backing: str = ""
    blank: bool = False
    missing: bool = False
    sector: int = 0
    where: Where = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class ControllerDevice:
    """A disk controller: its ``bus`` (as for disks), ``model`` as written, and ``target``, its name or number in the definition."""

    bus: str
    model: str = ""
    target: str = ""
    where: Where = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Topology:
    """How the virtual processors are arranged; 0 means not stated."""

    sockets: int = 0
    cores: int = 0
    threads: int = 0


@dataclass(frozen=True, slots=True)
class NicDevice:
    """One network card: ``mac`` in lower case with colons, or empty; ``model`` and ``network`` as written.

    ``kind`` is the type of attachment: libvirt's interface type (``network``, ``bridge``, ``direct``, ``hostdev``…) or VMX's connection
    type. ``fixed`` says that the address was set by hand.
    """

    mac: str = ""
    model: str = ""
    network: str = ""
    kind: str = ""
    fixed: bool = False
    where: Where = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Medium:
    """A drive for removable media: ``kind`` is ``cdrom`` or ``floppy``, ``path`` the inserted image, empty when there is none."""

    kind: str
    path: str = ""
    bus: str = ""
    where: Where = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Feature:
    """Any other setting of a definition: ``kind`` is one of the words in ``docs/definitions.md``, ``value`` its content."""

    kind: str
    value: str = ""
    where: Where = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Definition:
    """A machine definition. ``source`` is its format (``ovf``, ``vmx``…), empty when there is none; ``where`` is the file it came from.

    ``path`` is the name of that file in findings: as the user gave it, or the last part of an absolute path; it never starts with a slash,
    unlike paths in the guest. ``firmware`` is ``bios``, ``uefi`` or empty when not stated. ``memory_mib`` and ``cpus`` are 0 when not
    stated. ``cpu_mode`` is libvirt's (``custom``, ``host-model``, ``host-passthrough``…). ``product`` is the software that wrote it:
    ``vmware``, ``virtualbox``, ``ovirt``, ``xen``, ``libvirt``… or empty. ``uuid`` and ``genid`` (VM generation ID) are in lower case with
    hyphens. ``arch`` is the processor architecture if stated (``x86_64``, ``aarch64``…). Where a definition offers several
    ``configurations``, ``configuration`` is the one that was read. ``passthrough`` lists host devices, ``snapshots`` the machine's
    snapshots, ``features`` further settings. ``kernel`` is the release of the kernel that a running machine has booted, ``running`` the
    state of a live domain that is not shut off. ``notes`` are remarks on what was not understood. ``places`` maps field names to where
    their values are written, ``content`` is the text.
    """

    source: str
    where: str
    name: str = ""
    firmware: str = ""
    disks: tuple[DiskDevice, ...] = ()
    nics: tuple[NicDevice, ...] = ()
    secure_boot: bool = False
    tpm: bool = False
    memory_mib: int = 0
    cpus: int = 0
    os_hint: str = ""
    notes: tuple[str, ...] = ()
    machine: str = ""
    cpu_mode: str = ""
    cpu_model: str = ""
    video: tuple[str, ...] = ()
    media: tuple[Medium, ...] = ()
    passthrough: tuple[Feature, ...] = ()
    snapshots: tuple[Feature, ...] = ()
    features: tuple[Feature, ...] = ()
    product: str = ""
    uuid: str = ""
    genid: str = ""
    arch: str = ""
    topology: Topology = Topology()
    controllers: tuple[ControllerDevice, ...] = ()
    configuration: str = ""
    configurations: tuple[str, ...] = ()
    encrypted: bool = False
    running: str = ""
    kernel: str = ""
    path: str = field(default="", compare=False)
    places: Mapping[str, Where] = field(default_factory=dict, compare=False, repr=False)
    content: str = field(default="", compare=False, repr=False)

    def at(self, name: str) -> Where:
        """Where the field ``name`` is written, or the whole file when that is not known."""
        return self.places.get(name, WholeFile(self.path))

    def require(self) -> None:
        """Raise NotApplicable when the guest came without a definition."""
        if not self.source:
            raise NotApplicable("no machine definition was given")

    @property
    def macs(self) -> tuple[str, ...]:
        """The known MAC addresses of its cards, in order."""
        return tuple(nic.mac for nic in self.nics if nic.mac)

    @property
    def all_macs(self) -> tuple[str, ...]:
        """The MAC addresses of all its cards; empty when one is not stated, or not its own (the ports of a bond share one)."""
        return self.macs if len(set(self.macs)) == len(self.nics) else ()


def place_name(where: str) -> str:
    """The name of the definition at ``where`` in findings: as given, or the last part of an absolute path."""
    return where.rsplit("/", 1)[-1] if where.startswith("/") else where
