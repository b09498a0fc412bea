"""LVM's devices file (lvmdevices(8)), which restricts LVM to the disks it lists::

IDTYPE=sys_wwid IDNAME=naa.6000c29… DEVNAME=/dev/sda2 PVID=p2Qx… PART=2
"""

from __future__ import annotations

from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, WholeFile

FOLDER = "/etc/lvm/devices"


@dataclass(frozen=True, slots=True)
class LvmDevice:
    """One line. ``pvid`` is without dashes, or ``none``."""

    id_type: str
    id_name: str
    device: str
    pvid: str
    where: Span


@dataclass(frozen=True, slots=True)
class LvmDevices:
    """The entries of the devices file; empty when there is none (``exists`` is false).

    ``refreshes``: newer LVM records the machine's UUID there, and searches for the volumes again when it changes.
    """

    entries: tuple[LvmDevice, ...] = ()
    where: WholeFile = WholeFile(f"{FOLDER}/system.devices")
    exists: bool = False
    refreshes: bool = False


@provides
def parse_lvm_devices(fs: GuestFS) -> LvmDevices:
    """``/etc/lvm/devices/system.devices``."""
    text = fs.text(f"{FOLDER}/system.devices")
    return LvmDevices() if text is None else lvm_devices_from(text)


def lvm_devices_from(text: GuestText) -> LvmDevices:
    """Parse the text of a devices file."""
    found: list[LvmDevice] = []
    for line in text.lines():
        fields = dict(word.value.split("=", 1) for word in line.words() if "=" in word.value)
        if not line.is_blank() and "IDTYPE" in fields:
            id_type, id_name, device, pvid = (fields.get(key, "") for key in ("IDTYPE", "IDNAME", "DEVNAME", "PVID"))
            found.append(LvmDevice(id_type, id_name, device, pvid, line.where))
    refreshes = any(line.text.startswith(("PRODUCT_UUID=", "HOSTNAME=")) for line in text.lines())
    return LvmDevices(tuple(found), exists=True, refreshes=refreshes)
