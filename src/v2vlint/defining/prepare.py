"""The child's side of ``define``: what the guest can drive, boots from and needs, as a machine."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from v2vlint.defining.changed import changed
from v2vlint.defining.drivers import Drivers
from v2vlint.defining.protocol import DefineAsk, ProposedCard, ProposedDisk, ProposedMachine
from v2vlint.defining.windows import EIGHT, VISTA
from v2vlint.facts.boot.firmware import Firmware as FirmwareFact
from v2vlint.facts.boot.start import ChosenFirmware
from v2vlint.facts.boot.who import system_of, who_starts
from v2vlint.facts.kernel.cpu_needs import CpuNeeds
from v2vlint.facts.network.network import Network
from v2vlint.facts.registry import FactStore
from v2vlint.facts.storage.sectors import USUAL
from v2vlint.guest.open import GuestContents, open_guest
from v2vlint.model.blocks import BlockDevice
from v2vlint.model.codec import decode, encode
from v2vlint.model.definition import Definition, Topology
from v2vlint.model.errors import FactUnavailable, ImageError, UsageError
from v2vlint.model.finding import Mover
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.secrecy import without_secrets
from v2vlint.model.source import DiskFile, GuestSource
from v2vlint.model.target import Firmware, Target
from v2vlint.source.locate import locate
from v2vlint.source.values import mac_address

_FORMATS = {"raw": "raw", "qcow2": "qcow2", "vmdk": "vmdk", "vhd": "vpc", "vdi": "vdi"}
_ARCHITECTURES = {"x86_64": "x86_64", "i386": "x86_64", "aarch64": "aarch64"}


def prepare(request: Any) -> Any:
    """Answer an encoded :class:`DefineAsk` with an encoded :class:`ProposedMachine`."""
    ask = decode(DefineAsk, request)
    if ask.target.hypervisor != "kvm":
        raise UsageError(
            f"{ask.target.name} is not a KVM target, so a libvirt domain cannot describe a machine there", hint="give --target kvm"
        )
    source = locate(ask.guest)
    guest = open_guest(source, ask.keys)
    if not guest.roots:
        reasons = "; ".join(problem.reason for problem in guest.problems)
        hint = next((problem.hint for problem in guest.problems if problem.hint), "")
        raise ImageError(f"{guest.name}: no operating system found: {reasons}", hint=hint)
    there = _target_for(ask, guest)
    return without_secrets(encode(_Proposal(there, source, guest).machine()))


def _target_for(ask: DefineAsk, guest: GuestContents) -> Target:
    """Of the two targets, the one that runs the guest's programs. ImageError if neither does."""
    found = {root.os.arch for root in guest.roots} - {""}
    machines = {_ARCHITECTURES.get(arch, "") for arch in found} or {ask.target.arch}
    if ask.target.arch in machines:
        return ask.target
    if ask.arm and ask.arm.arch in machines:
        return ask.arm
    said = ", ".join(sorted(found))
    hint = "give --target kvm-aarch64" if "aarch64" in machines else "give --target kvm" if "x86_64" in machines else ""
    raise ImageError(f"{guest.name}: a guest for {said} processors, and {ask.target.name} has {ask.target.arch} ones", hint=hint)


class _Proposal:
    """Collects the parts of a machine, and notes on them."""

    def __init__(self, target: Target, source: GuestSource, guest: GuestContents) -> None:
        self.target, self.source, self.guest = target, source, guest
        self.definition = source.definition or Definition("", "")
        self.notes: list[str] = [f"{problem.where}: {problem.reason}" for problem in guest.problems]
        self.store = self._starting()
        self.os: OsInfo = self.store.get(OsInfo)
        self.opened = dict(_opened(source.disks, guest.blocks.disks))

    def _starting(self) -> FactStore:
        """The facts of the system that boots by default; if that is undecided, of the first Linux, else of the first system."""
        given = (self.guest.blocks, self.definition, self.target, Mover.RAW)
        systems = [system_of(root, FactStore((root.fs, root.os, *given))) for root in self.guest.roots]
        starter = who_starts(systems, self.guest.blocks, self.target.firmware)
        chosen = starter.system or next((system for system in systems if system.kind == "linux"), systems[0])
        if len(systems) > 1:
            self.notes.append(f"for {chosen.name} on {chosen.device}, one of {len(systems)} systems: {starter.reason}")
        return chosen.store

    def machine(self) -> ProposedMachine:
        drivers = Drivers(self.store, self.target)
        bus, scsi = drivers.disk()
        firmware, windows = self.firmware(), drivers.windows
        # A Q35 has SATA in place of IDE.
        chipset = "virt" if self.target.arch == "aarch64" else "q35" if drivers.is_modern(bus) and bus != "ide" else "pc"
        eleven = windows is not None and windows.eleven
        if eleven:
            self.notes.append("a TPM, because Windows 11 requires one")
        machine = ProposedMachine(
            name=self.name(),
            firmware=firmware,
            disks=tuple(self.disk(position, file, bus) for position, file in enumerate(self.source.disks)),
            cards=self.cards(drivers.card()),
            machine=chipset,
            arch=self.target.arch,
            memory_mib=self.memory(),
            cpus=self.definition.cpus or 1,
            cpu_level=self.cpu_level(),
            scsi=scsi,
            video=drivers.video(),
            boot_disk=self.boot_disk(firmware),
            secure_boot=self.secure_boot(firmware, chipset, eleven),
            tpm=self.definition.tpm or eleven,
            rng=drivers.has("virtio_rng"),
            balloon=drivers.has("virtio_balloon"),
            local_clock=windows is not None and windows.local_clock,
            zone=windows.zone if windows is not None else "",
            hyperv=windows is not None and not windows.before(VISTA),
            uuid=self.definition.uuid,
            genid=self.definition.genid,
            topology=self.topology(),
            usb="ich9" if windows and windows.before(EIGHT) and chipset == "q35" else "",
        )
        return replace(machine, notes=(*self.notes, *drivers.notes, *changed(self.definition, machine)))

    def memory(self) -> int:
        """The definition's memory, unless it is a format's default (VMX: 32 MiB) too small to boot anything."""
        return self.definition.memory_mib if "memory_mib" in self.definition.places else self.target.ram_mib

    def topology(self) -> Topology | None:
        """The definition's topology, if it matches the machine's number of processors."""
        shape = self.definition.topology
        return shape if shape.sockets * shape.cores * max(1, shape.threads) == (self.definition.cpus or 1) else None

    def name(self) -> str:
        first = self.definition.name or os.path.basename(self.source.disks[0].path).split(".")[0]  # noqa: PTH119
        return re.sub(r"[^\w.+-]+", "-", first).strip("-.") or "guest"

    def firmware(self) -> Firmware:
        found = self.fact(FirmwareFact)
        chosen = self.store.get(ChosenFirmware).kind if found is not None else ""
        stated: Firmware | None = {"bios": "bios", "uefi": "uefi"}.get(self.definition.firmware)  # type: ignore[assignment]
        if found is not None and found.only and found.only not in self.target.firmware:
            self.notes.append(f"{self.target.name} has no {found.only.upper()}, and the disks boot from nothing else")
        decided = (found.only if found else "") or self.definition.firmware or chosen or self.target.firmware[0]
        if stated and decided != stated:
            self.notes.append(f"{decided.upper()} firmware, because the disks boot from nothing else; the definition says {stated.upper()}")
        return "uefi" if decided == "uefi" else "bios"

    def secure_boot(self, firmware: Firmware, chipset: str, eleven: bool) -> bool:
        """As in the definition; without one, on for Windows 11, whose boot manager is signed with keys that every firmware has."""
        wanted = self.definition.secure_boot or (eleven and not self.definition.source)
        possible = firmware == "uefi" and chipset == "q35"
        if wanted and not possible:
            self.notes.append("no Secure Boot: it requires UEFI firmware and machine type q35")
        return wanted and possible

    def boot_disk(self, firmware: Firmware) -> int:
        found = self.fact(FirmwareFact)
        place = None if found is None else found.esp_disk if firmware == "uefi" else found.boot_disk
        # Facts count the disks that could be read.
        return next((position for position, disk in self.opened.items() if disk.disk == place), 0)

    def fact(self, kind: type[Any]) -> Any:
        try:
            return self.store.get(kind)
        except FactUnavailable:
            return None

    def disk(self, position: int, file: DiskFile, bus: str) -> ProposedDisk:
        disk = self.opened.get(position)
        kind = disk.detail("format") if disk else file.format
        if file.offset or file.length >= 0 or file.chunks or kind not in _FORMATS:
            path = f"{os.path.splitext(os.path.abspath(file.path))[0]}-disk{position + 1}.qcow2"  # noqa: PTH100, PTH122
            self.notes.append(f"{file.name} is not an image that libvirt can attach: convert it to {os.path.basename(path)}")  # noqa: PTH119
            return ProposedDisk(path, "qcow2", bus, self.sector(position, bus))
        return ProposedDisk(os.path.abspath(file.path), _FORMATS[kind], bus, self.sector(position, bus))  # noqa: PTH100

    def sector(self, position: int, bus: str) -> int:
        """The sectors that the disk was laid out in: its partition table counts in them, or whoever made it says so."""
        disk = self.opened.get(position)
        size = int((disk and (disk.detail("sector_size") or disk.detail("stated_sector"))) or USUAL)
        if size == USUAL or bus not in ("ide", "sata"):
            return size
        self.notes.append(f"{disk.name if disk else 'a disk'} is laid out in sectors of {size} bytes, which {bus} disks cannot have")
        return USUAL

    def cards(self, model: str) -> tuple[ProposedCard, ...]:
        if self.definition.nics:
            named = [nic.network for nic in self.definition.nics if nic.network not in ("", "default")]
            if named:
                self.notes.append(f"the cards are on the network 'default'; they were on {', '.join(dict.fromkeys(named))}")
            return tuple(ProposedCard(model, nic.mac) for nic in self.definition.nics)
        network = self.fact(Network)
        bound = {mac_address(token.value) for one in network.cards if (token := one.mac)} - {""} if network else set()
        if len(bound) == 1:
            self.notes.append("the MAC address is the one in the guest's network configuration")
            return (ProposedCard(model, bound.pop()),)
        return (ProposedCard(model),)

    def cpu_level(self) -> int:
        needs = self.fact(CpuNeeds) if self.os.kind == "linux" and self.target.arch == "x86_64" else None
        return 0 if needs is None else max(needs.level, needs.distribution_level)


def _opened(files: Sequence[DiskFile], disks: Sequence[BlockDevice]) -> Iterator[tuple[int, BlockDevice]]:
    """The disks by the position of their files. One that could not be read is no block device."""
    left = list(disks)
    for position, file in enumerate(files):
        if left and left[0].detail("image") == file.name:
            yield position, left.pop(0)
