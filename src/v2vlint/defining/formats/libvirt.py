"""A machine as a libvirt domain (libvirt.org/formatdomain.html)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from v2vlint.defining.protocol import ProposedDisk, ProposedMachine
from v2vlint.model.disk_letters import letters_of

TITLE = "a libvirt domain (XML)"
_USUAL_SECTOR = 512
_PREFIXES = {"virtio": "vd", "scsi": "sd", "sata": "sd", "ide": "hd"}
# Models with everything in the level, and without TSX, which newer hosts have switched off.
_LEVELS = {2: "Nehalem", 3: "Haswell-noTSX", 4: "Skylake-Server-noTSX-IBRS"}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def domain_xml(machine: ProposedMachine) -> str:
    """The domain, indented, with a trailing newline. Characters that XML cannot represent become question marks."""
    root = Element("domain", {"type": "kvm"})
    _text(root, "name", machine.name)
    if machine.uuid:
        _text(root, "uuid", machine.uuid)
    if machine.genid:
        _text(root, "genid", machine.genid)
    _text(root, "memory", str(machine.memory_mib), unit="MiB")
    _text(root, "vcpu", str(machine.cpus))
    _system(root, machine)
    _cpu(root, machine)
    _clock(root, machine)
    devices = SubElement(root, "devices")
    for disk, name in zip(machine.disks, _names(machine.disks), strict=True):
        _disk(devices, disk, name, first=disk is machine.disks[machine.boot_disk])
    if machine.scsi:
        SubElement(devices, "controller", {"type": "scsi", "index": "0", "model": machine.scsi})
    for card in machine.cards:
        interface = SubElement(devices, "interface", {"type": "network"})
        if card.mac:
            SubElement(interface, "mac", {"address": card.mac})
        SubElement(interface, "source", {"network": "default"})
        SubElement(interface, "model", {"type": card.model})
    _rest(devices, machine)
    indent(root)
    return _NOT_XML.sub("?", tostring(root, encoding="unicode")) + "\n"


render = domain_xml


def _text(parent: Element, name: str, text: str, **attributes: str) -> None:
    SubElement(parent, name, attributes).text = _NOT_XML.sub("?", text)


def _system(root: Element, machine: ProposedMachine) -> None:
    system = SubElement(root, "os", {"firmware": "efi"} if machine.firmware == "uefi" else {})
    _text(system, "type", "hvm", arch=machine.arch, machine=machine.machine)
    if machine.firmware == "uefi":
        firmware, state = SubElement(system, "firmware"), "yes" if machine.secure_boot else "no"
        SubElement(firmware, "feature", {"enabled": state, "name": "secure-boot"})
        # Without keys the firmware is in setup mode, and checks nothing.
        SubElement(firmware, "feature", {"enabled": state, "name": "enrolled-keys"})
    features = SubElement(root, "features")
    SubElement(features, "acpi")
    if machine.arch == "x86_64":
        SubElement(features, "apic")
    if machine.hyperv:
        hyperv = SubElement(features, "hyperv", {"mode": "custom"})
        for name in ("relaxed", "vapic", "spinlocks", "vpindex", "synic", "stimer"):
            # As many retries as virt-install sets (virtinst, hyperv_spinlocks_retries).
            SubElement(hyperv, name, {"state": "on", **({"retries": "8191"} if name == "spinlocks" else {})})
    # OVMF protects the variables of Secure Boot by it.
    if machine.secure_boot:
        SubElement(features, "smm", {"state": "on"})


def _clock(root: Element, machine: ProposedMachine) -> None:
    """Windows counts RTC ticks, and uses the hypervisor's clock where offered (QEMU's manual, "Hyper-V")."""
    clock = SubElement(root, "clock", {"offset": "localtime" if machine.local_clock else "utc"})
    if machine.hyperv:
        SubElement(clock, "timer", {"name": "rtc", "tickpolicy": "catchup"})
        SubElement(clock, "timer", {"name": "pit", "tickpolicy": "delay"})
        SubElement(clock, "timer", {"name": "hpet", "present": "no"})
        SubElement(clock, "timer", {"name": "hypervclock", "present": "yes"})


def _cpu(root: Element, machine: ProposedMachine) -> None:
    """At least what the guest needs, plus everything else the host has."""
    model = _LEVELS.get(machine.cpu_level)
    # libvirt has no host-model for ARM.
    usual = "host-model" if machine.arch == "x86_64" else "host-passthrough"
    cpu = SubElement(root, "cpu", {"mode": "custom", "match": "minimum"} if model else {"mode": usual})
    if model:
        _text(cpu, "model", model, fallback="allow")
    if shape := machine.topology:
        counts = {"sockets": shape.sockets, "cores": shape.cores, "threads": max(1, shape.threads)}
        SubElement(cpu, "topology", {name: str(count) for name, count in counts.items()})


def _names(disks: tuple[ProposedDisk, ...]) -> Iterator[str]:
    for position, disk in enumerate(disks):
        yield f"{_PREFIXES[disk.bus]}{letters_of(position)}"


def _disk(devices: Element, disk: ProposedDisk, name: str, *, first: bool) -> None:
    element = SubElement(devices, "disk", {"type": "file", "device": "disk"})
    SubElement(element, "driver", {"name": "qemu", "type": disk.format})
    SubElement(element, "source", {"file": _NOT_XML.sub("?", disk.path)})
    SubElement(element, "target", {"dev": name, "bus": disk.bus})
    if disk.sector != _USUAL_SECTOR:
        SubElement(element, "blockio", {"logical_block_size": str(disk.sector), "physical_block_size": str(disk.sector)})
    if first:
        SubElement(element, "boot", {"order": "1"})


def _rest(devices: Element, machine: ProposedMachine) -> None:
    SubElement(devices, "serial", {"type": "pty"})
    console = SubElement(devices, "console", {"type": "pty"})
    SubElement(console, "target", {"type": "serial"})
    if machine.usb:
        _usb(devices)
    # A tablet's position is absolute: the pointer of VNC does not drift.
    SubElement(devices, "input", {"type": "tablet", "bus": "usb"})
    if machine.arch != "x86_64":  # there is no PS/2 keyboard
        SubElement(devices, "input", {"type": "keyboard", "bus": "usb"})
    SubElement(devices, "graphics", {"type": "vnc", "autoport": "yes"})
    video = SubElement(devices, "video")
    SubElement(video, "model", {"type": machine.video})
    if machine.tpm:
        tpm = SubElement(devices, "tpm", {"model": "tpm-crb" if machine.firmware == "uefi" and machine.arch == "x86_64" else "tpm-tis"})
        SubElement(tpm, "backend", {"type": "emulator", "version": "2.0"})
    # libvirt adds one to every domain that does not say "none".
    SubElement(devices, "memballoon", {"model": "virtio" if machine.balloon else "none"})
    if machine.rng:
        rng = SubElement(devices, "rng", {"model": "virtio"})
        _text(rng, "backend", "/dev/urandom", model="random")


def _usb(devices: Element) -> None:
    """The USB 2 controllers of the ICH9 chipset: one for fast devices, three companions for slow ones."""
    SubElement(devices, "controller", {"type": "usb", "index": "0", "model": "ich9-ehci1"})
    for number in range(3):
        companion = SubElement(devices, "controller", {"type": "usb", "index": "0", "model": f"ich9-uhci{number + 1}"})
        SubElement(companion, "master", {"startport": str(2 * number)})
