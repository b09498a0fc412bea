"""The request to the child that reads the guest, and the machine it proposes: plain data."""

from __future__ import annotations

from v2vlint.model.dataclass import dataclass
from v2vlint.model.definition import Topology
from v2vlint.model.source import GuestRef, Keys
from v2vlint.model.target import Firmware, Target

PREPARE = "v2vlint.defining.prepare:prepare"


@dataclass(frozen=True, slots=True)
class DefineAsk:
    """Propose a machine on ``target`` for one guest; on ``arm``, if given, for a guest for 64-bit ARM."""

    guest: GuestRef
    target: Target
    keys: Keys = Keys()
    arm: Target | None = None


@dataclass(frozen=True, slots=True)
class ProposedDisk:
    """A disk: host path, QEMU's name of its format, and libvirt's bus (``virtio``, ``scsi``, ``sata``, ``ide``).

    ``sector`` is the size of its logical sectors in bytes.
    """

    path: str
    format: str
    bus: str
    sector: int = 512


@dataclass(frozen=True, slots=True)
class ProposedCard:
    """A network card: ``mac`` is empty when any address will do."""

    model: str
    mac: str = ""


@dataclass(frozen=True, slots=True)
class ProposedMachine:
    """The machine a guest needs. ``scsi`` is the model of the SCSI controller when a disk is on one; ``boot_disk`` is 0-based.

    ``topology`` is the arrangement of its processors, None for the hypervisor's default; ``uuid`` and ``genid`` are empty for new ones.
    ``cpu_level`` is the x86-64 level it needs, 0 when not known. ``usb`` is ``ich9`` for guests without a USB 3 driver, else libvirt
    chooses. ``local_clock`` and ``hyperv`` are for Windows: a hardware clock in local time, and Hyper-V enlightenments. ``zone`` is that
    clock's time zone as a TZ variable, empty when not known. ``notes`` explain anything surprising.
    """

    name: str
    firmware: Firmware
    disks: tuple[ProposedDisk, ...]
    cards: tuple[ProposedCard, ...] = ()
    machine: str = "q35"
    arch: str = "x86_64"
    memory_mib: int = 2048
    cpus: int = 1
    cpu_level: int = 0
    scsi: str = ""
    video: str = "vga"
    boot_disk: int = 0
    secure_boot: bool = False
    tpm: bool = False
    rng: bool = False
    balloon: bool = False
    local_clock: bool = False
    zone: str = ""
    hyperv: bool = False
    usb: str = ""
    uuid: str = ""
    genid: str = ""
    topology: Topology | None = None
    notes: tuple[str, ...] = ()

    @property
    def xml(self) -> str:
        """Its libvirt domain."""
        return self.render("libvirt")

    def render(self, form: str) -> str:
        """The machine in the format ``libvirt`` or ``kubevirt``; ModuleNotFoundError for an unknown format."""
        from v2vlint.defining import formats

        return formats.load(form).render(self)
