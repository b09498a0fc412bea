"""The hardware that a target's importer creates, if that depends on the guest (``choices`` in its profile)."""

from __future__ import annotations

import dataclasses
import re

from v2vlint.facts.environment.defined_hardware import DefinedHardware, defined_hardware
from v2vlint.model.definition import Definition
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.target import Controller, Hardware, Nic, Target


def fitted(target: Target, os: OsInfo, definition: Definition) -> Target:
    """``target`` with the disk controller and network card that its importer creates for this guest; unchanged when the profile does not
    say.

    A machine of the same hypervisor keeps the devices of its definition.
    """
    if not target.choices:
        return target
    choice = next((one for one in target.choices if any(_fits(words, os) for words in one.guests)), None)
    stated = defined_hardware(definition) if definition.product == target.hypervisor else DefinedHardware()
    disk = next((one for _device, one in stated.disks), None) or (choice.controller if choice else None)
    card = next((one for _device, one in stated.nics), None) or (choice.nic if choice else None)
    return dataclasses.replace(
        target,
        controllers=target.controllers if disk is None else (_named(disk, target, os, stated),),
        nics=target.nics if card is None else (_named_card(card, target, os, stated),),
        hardware=_built(target, disk, card),
        choices=(),
    )


def _built(target: Target, disk: Controller | None, card: Nic | None) -> Hardware | None:
    """How the prover builds it; None when QEMU has no such device (LSI Logic's parallel controller)."""
    if target.hardware is None:
        return None
    model = _QEMU_DISKS.get(disk.any_of[0][0], "") if disk else target.hardware.disk
    own_card = _QEMU_CARDS.get(card.any_of[0][0], "") if card else target.hardware.nic
    if own_card == "e1000" and card and "8086:100f" in card.ids:
        own_card = _VMWARE_E1000
    if not model or not own_card:
        return None
    return dataclasses.replace(target.hardware, machine=_MACHINES.get(model, target.hardware.machine), disk=model, nic=own_card)


def could_be(target: Target, hardware: Hardware) -> bool:
    """Whether ``hardware`` may be what :func:`fitted` gives ``target`` for some guest."""
    own = target.hardware
    return own is not None and (
        hardware.machine in (own.machine, *_MACHINES.values())
        and hardware.disk in (own.disk, *_QEMU_DISKS.values())
        and hardware.nic in (own.nic, *_QEMU_CARDS.values(), _VMWARE_E1000)
        and hardware.vga == own.vga
    )


_VMWARE_E1000 = "e1000-82545em"  # QEMU's usual one is an 82540EM
_QEMU_DISKS = {"vmw_pvscsi": "pvscsi", "mptsas": "mptsas1068", "ahci": "ahci", "nvme": "nvme", "ata_piix": "ide-hd"}
_QEMU_CARDS = {"vmxnet3": "vmxnet3", "e1000": "e1000", "e1000e": "e1000e", "virtio_net": "virtio-net-pci"}
_MACHINES = {"ide-hd": "pc"}


def _named(own: Controller, target: Target, os: OsInfo, stated: DefinedHardware) -> Controller:
    others = [one.name for one in target.controllers if one.any_of != own.any_of]
    return dataclasses.replace(own, name=_note(own.name, others, os, stated.disks))


def _named_card(own: Nic, target: Target, os: OsInfo, stated: DefinedHardware) -> Nic:
    others = [one.name for one in target.nics if one.any_of != own.any_of]
    return dataclasses.replace(own, name=_note(own.name, others, os, stated.nics))


def _note(name: str, others: list[str], os: OsInfo, stated: object) -> str:
    """The device with the reason for it, and the alternatives: ``PVSCSI (the default for Debian 12; …)``."""
    why = "as defined" if stated else f"the default for {f'{os.name} {os.version}'.strip() or 'a guest that is not known'}"
    return f"{name} ({why}; {' or '.join(others)} can be chosen)" if others else name


def _fits(words: str, os: OsInfo) -> bool:
    """Whether the system matches ``words``: a kind or distribution, and versions ``6-9``, ``10-`` or ``-5``."""
    name, _, versions = words.partition(" ")
    if name not in (os.kind, os.distro):
        return False
    low, _, high = versions.partition("-")
    own = _numbers(os.version)
    if low and own and own < _numbers(low):
        return False
    return not high or (bool(own) and own[: len(_numbers(high))] <= _numbers(high))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d{1,9}", version))
