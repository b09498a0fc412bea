"""Small machine definitions for rule examples, each parsed from a real text."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from v2vlint.model.definition import Definition
from v2vlint.model.target import Target
from v2vlint.samples.later import later

_DISK = "<disk type='file' device='disk'>\n<source file='/vm/disk.qcow2'/>\n<target dev='vda' bus='virtio'/>\n</disk>\n"
_ENVELOPE = (
    '<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"\n'
    ' xmlns:vmw="http://www.vmware.com/schema/ovf"\n'
    ' xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData">\n'
)


def sample_vmx(text: str, snapshots: str = "") -> Definition:
    """The definition in the text of ``guest.vmx``, with the .vmsd file ``snapshots``.

    The slots and controllers it mentions exist unless it says otherwise; the necessary lines are appended.
    """
    return later(Definition, lambda: _vmx(text, snapshots))


def _vmx(text: str, snapshots: str) -> Definition:
    from v2vlint.source.kinds.vmx import vmx

    slots = re.findall(r"^((?:scsi|sata|nvme|ide)\d+)(:\d+)?\.", text, re.MULTILINE | re.IGNORECASE)
    present = {f"{controller}{unit}.present" for controller, slot in slots for unit in ("", slot)}
    missing = sorted(one for one in present if one.lower() not in text.lower())
    return vmx("guest.vmx", (text + "".join(f'{one} = "TRUE"\n' for one in missing)).encode(), snapshots.encode())


def sample_domain(devices: str, more: str = "", disk: str = _DISK) -> Definition:
    """The libvirt domain ``guest.xml``: ``more`` starts on line 2, ``devices`` on the line after ``<devices>``, ``disk`` comes last."""
    return later(Definition, lambda: _domain(f"<name>guest</name>\n{more}<devices>\n{devices}{disk}</devices>"))


def _domain(content: str) -> Definition:
    from v2vlint.source.kinds.libvirt import domain

    return domain("guest.xml", f"<domain type='kvm'>{content}\n</domain>\n")


def sample_target(**changes: Any) -> Target:
    """The target ``kvm`` with some of its keys changed."""
    from v2vlint.target import load

    return later(Target, lambda: dataclasses.replace(load("kvm"), **changes))


def sample_ovf(hardware: str, disks: str = "", envelope: str = _ENVELOPE) -> Definition:
    """The OVF envelope ``guest.ovf``: ``disks`` start on line 4, ``hardware`` on the line after ``<VirtualHardwareSection>``."""
    return later(Definition, lambda: _ovf(hardware, disks, envelope))


def _ovf(hardware: str, disks: str, envelope: str) -> Definition:
    from v2vlint.source.kinds.ovf import ovf

    system = f'<VirtualSystem ovf:id="guest">\n<VirtualHardwareSection>\n{hardware}</VirtualHardwareSection>\n</VirtualSystem>\n'
    return ovf("guest.ovf", f"{envelope}{disks}{system}</Envelope>\n".encode())
