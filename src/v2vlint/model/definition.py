"""A virtual machine's definition, as OVF, VMX, libvirt XML and others state it: the hardware the guest had on its source.

Devices and values know where they are written, so that findings can point there; places take no part in comparisons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from v2vlint.model.errors import NotApplicable
from v2vlint.model.place import Where, WholeFile

_NOWHERE = WholeFile("")


@dataclass(frozen=True, slots=True)
class DiskDevice:
    """One disk of a definition. ``path`` is as written there; ``bus`` is ``ide``, ``sata``, ``scsi``, ``virtio``, ``nvme``, ``xen``…

    ``model`` is the controller model as written (``lsilogic``, ``pvscsi``…), ``format`` the image format if the definition states one,
    ``target`` its slot or device name there. ``mode`` is ``independent-persistent``, ``independent-nonpersistent``, ``transient`` or empty.
    ``mapped`` is how a device of the host stands in for an image (``rawDisk``, ``lun``…) or empty. ``capacity`` is in bytes, -1 when not
    stated; ``chunk`` the size of the pieces that the file is cut into, 0 when it is whole. ``backing`` says what kind of source it is when
    it is no file (``network rbd``). ``blank`` says that it needs none, as it starts empty; ``missing`` that its file is not there.
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
    where: Where = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class ControllerDevice:
    """A controller of disks: its ``bus`` (as of a disk), ``model`` as written, and ``target``, its name or number there."""

    bus: str
    model: str = ""
    target: str = ""
    where: Where = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Topology:
    """How the virtual processors are laid out; 0 is not stated."""

    sockets: int = 0
    cores: int = 0
    threads: int = 0


@dataclass(frozen=True, slots=True)
class NicDevice:
    """One network card: ``mac`` in lower case with colons (maybe empty), ``model`` and ``network`` as written.

    ``kind`` is how it is attached: libvirt's interface type (``network``, ``bridge``, ``direct``, ``hostdev``…) or VMX's connection type.
    ``fixed`` says that the address was set by hand.
    """

    mac: str = ""
    model: str = ""
    network: str = ""
    kind: str = ""
    fixed: bool = False
    where: Where = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Medium:
    """A drive for removable media: ``kind`` is ``cdrom`` or ``floppy``; ``path`` is what is inserted, empty when it is empty."""

    kind: str
    path: str = ""
    bus: str = ""
    where: Where = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Feature:
    """Something else that a definition has: ``kind`` is one of the words in ``docs/definitions.md``, ``value`` what it says."""

    kind: str
    value: str = ""
    where: Where = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Definition:
    """A machine definition. ``source`` is its kind (``ovf``, ``vmx``…), empty when there is none; ``where`` the file it came from.

    ``path`` is what findings call that file: as the user named it, without the folder of an absolute path; it never starts with a slash,
    as paths in the guest do. ``firmware`` is ``bios``, ``uefi`` or empty when not stated. ``memory_mib`` and ``cpus`` are 0 when not
    stated. ``cpu_mode`` is libvirt's (``custom``, ``host-model``, ``host-passthrough``…). ``product`` is who wrote it: ``vmware``,
    ``virtualbox``, ``ovirt``, ``xen``, ``libvirt``… or empty. ``uuid`` and ``genid`` (VM generation ID) are in lower case with hyphens.
    ``arch`` is the processor's when stated (``x86_64``, ``aarch64``…). ``configuration`` is the one of ``configurations`` that was read,
    of a definition that offers several. ``passthrough`` are devices of the host, ``snapshots`` those of the machine,
    ``features`` further settings. ``running`` is the state of a live domain that is not shut off. ``notes`` are remarks on what was not
    understood. ``places`` has the place of the single values by field name, ``content`` the text.
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
    path: str = field(default="", compare=False)
    places: Mapping[str, Where] = field(default_factory=dict, compare=False, repr=False)
    content: str = field(default="", compare=False, repr=False)

    def at(self, name: str) -> Where:
        """Where the field ``name`` is written; the whole file when that is not known."""
        return self.places.get(name, WholeFile(self.path))

    def require(self) -> None:
        """NotApplicable when the guest came without a definition."""
        if not self.source:
            raise NotApplicable("no machine definition was given")

    @property
    def macs(self) -> tuple[str, ...]:
        """The known addresses of its cards, in order."""
        return tuple(nic.mac for nic in self.nics if nic.mac)


def place_name(where: str) -> str:
    """What findings call the definition at ``where``: as named, but the last part of an absolute path."""
    return where.rsplit("/", 1)[-1] if where.startswith("/") else where
