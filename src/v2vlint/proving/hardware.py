"""A target's hardware as QEMU options: the whole command line except disk images and channels. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from v2vlint.accel import QEMU
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import UsageError
from v2vlint.model.target import Firmware, Hardware, Target

_HBAS = frozenset(
    {
        "am53c974", "dc390", "lsi", "lsi53c810", "lsi53c895a", "megasas", "megasas-gen2", "mptsas1068", "pvscsi",
        "virtio-scsi", "virtio-scsi-pci", "virtio-scsi-pci-transitional", "virtio-scsi-pci-non-transitional",
    }
)  # fmt: skip
# Left out since 2022 (OvmfPkgX64.dsc: PVSCSI_ENABLE, MPT_SCSI_ENABLE, LSI_SCSI_ENABLE), or never there.
_NOT_IN_OVMF = _HBAS - {one for one in _HBAS if one.startswith("virtio")}
_IDE = frozenset({"ide-hd", "ide", "sata"})
_EXPRESS = frozenset({"virtio-net-pci", "e1000e", "vmxnet3", "igb"})
_CPUS = {1: "qemu64", 2: "Nehalem", 3: "Haswell-noTSX", 4: "Skylake-Server-noTSX-IBRS"}
# Linux isolates its page tables on Intel processors but not on AMD's, which costs a quarter of a boot in software emulation.
_CPUS_EMULATED = {1: "qemu64", 2: "qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt", 3: "EPYC", 4: "EPYC"}
PROGRAMS = {"x86_64": (QEMU, "qemu-system-x86"), "aarch64": ("qemu-system-aarch64", "qemu-system-arm")}
"""QEMU's program for an architecture, and the Debian package that has it."""
_IDE_PORTS = {"pc": 4, "q35": 6}


@dataclass(frozen=True, slots=True)
class ProofMachine:
    """The machine to build: processors, memory in MiB, the network card's MAC address, and whether KVM runs it."""

    target: Target
    firmware: Firmware
    kvm: bool
    mac: str
    memory: int
    processors: int = 1

    @property
    def hardware(self) -> Hardware:
        """How QEMU presents the target; UsageError when it cannot."""
        if self.target.hardware is None or self.target.arch not in PROGRAMS:
            raise UsageError(
                f"QEMU cannot present the hardware of target {self.target.name}", hint="choose another target, see v2vlint targets"
            )
        return self.target.hardware

    @property
    def cpu(self) -> str:
        """QEMU's CPU model for the target's x86-64 level. On 64-bit ARM the first level is what distributions are built for."""
        if self.target.arch == "aarch64":
            return "host" if self.kvm else "cortex-a72"
        return (_CPUS if self.kvm else _CPUS_EMULATED)[min(max(self.target.cpu_level, 1), 4)]

    @property
    def cpu_level(self) -> str:
        """The level the guest sees: ``x86-64-v2``. Software emulation is limited to v3."""
        if self.target.arch == "aarch64":
            return "ARMv8 of the host" if self.kvm else "ARMv8.0-A"
        level = min(max(self.target.cpu_level, 1), 4)
        return f"x86-64-v{level if self.kvm else min(level, 3)}"

    @property
    def firmware_sees_disks(self) -> bool:
        """Whether QEMU's firmware for this machine has a driver for its disks."""
        return self.firmware != "uefi" or self.hardware.disk.partition(",")[0] not in _NOT_IN_OVMF

    @property
    def q35(self) -> bool:
        """Whether the machine is a Q35, whose IDE ports are SATA."""
        return "q35" in self.hardware.machine


def basics(board: ProofMachine) -> Iterator[str]:
    """Machine, accelerator, processor, memory, display."""
    yield from ("-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none")
    yield from ("-machine", board.hardware.machine)
    yield from ("-accel", "kvm" if board.kvm else "tcg,thread=multi")
    yield from ("-cpu", board.cpu, "-smp", str(board.processors), "-m", str(board.memory))
    if board.target.arch == "x86_64":
        yield from ("-vga", board.hardware.vga)
    elif board.hardware.vga != "none":
        yield from ("-device", "virtio-gpu-pci")


def network(board: ProofMachine) -> Iterator[str]:
    """One network card on an isolated network with a DHCP server and nothing else. It has no boot ROM.

    It is where libvirt puts it, as systemd names it after its place: behind the first port of a Q35 (enp1s0), in slot 3 of a PC (ens3).
    """
    yield from ("-netdev", "user,id=net0,restrict=on,ipv6=off")
    card, place = board.hardware.nic, ""
    if board.q35 and card.partition(",")[0] in _EXPRESS:
        yield from ("-device", "pcie-root-port,id=port0,chassis=1,slot=1")
        # A virtio card is a modern one alone there, unless it is told otherwise.
        place = ",bus=port0" + (",disable-legacy=off" if card == "virtio-net-pci" else "")
    yield from ("-device", f"{card}{place},netdev=net0,mac={board.mac},romfile=")


def disk_devices(board: ProofMachine, nodes: Sequence[str], boot: int = 0) -> Iterator[str]:
    """``-device`` options that attach the block nodes to the target's controller, in order; the firmware boots from number ``boot``.

    SeaBIOS tries only one disk.
    """
    model = board.hardware.disk
    name, _, properties = model.partition(",")
    if name in _HBAS or name == "ahci":
        yield from ("-device", f"{model},id=hba0")
    elif name in _IDE and len(nodes) > _IDE_PORTS["q35" if board.q35 else "pc"]:
        raise UsageError(f"{len(nodes)} disks do not fit on the controller of target {board.target.name}")
    order = sorted(range(len(nodes)), key=lambda index: (index != boot, index))
    for index, node in enumerate(nodes):
        attached = f"{_attach(name, index, board.q35, properties)}{_sectors(board, index)}"
        yield from ("-device", f"{attached},drive={node},bootindex={order.index(index) + 1}")


def _sectors(board: ProofMachine, disk: int) -> str:
    size = board.target.sector_of(disk)
    return f",logical_block_size={size},physical_block_size={size}" if size > 512 else ""


def _attach(name: str, index: int, q35: bool, properties: str) -> str:
    if name in _HBAS:
        return f"scsi-hd,bus=hba0.0,scsi-id={index}"
    if name == "ahci":
        return f"ide-hd,bus=hba0.{index}"
    if name in _IDE:
        return f"ide-hd,bus=ide.{index},unit=0" if q35 else f"ide-hd,bus=ide.{index // 2},unit={index % 2}"
    tail = f",{properties}" if properties else ""
    return f"nvme,serial=disk{index}{tail}" if name == "nvme" else f"{name}{tail}"


def differences(board: ProofMachine) -> tuple[str, ...]:
    """How this machine differs from the target, as text."""
    notes = []
    if not board.kvm and board.target.cpu_level >= 4 and board.target.arch == "x86_64":
        notes.append("software emulation has no AVX-512: the guest sees an x86-64-v3 processor")
    if board.target.hypervisor not in ("kvm", "any"):
        notes.append(f"QEMU presents the devices of {board.target.hypervisor}, not its firmware and paravirtual interfaces")
    return tuple(notes)
