"""A virtual machine's definition, as OVF, VMX or libvirt XML states it: the hardware the guest had on its source."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DiskDevice:
    """One disk of a definition. ``path`` is as written there; ``bus`` is ``ide``, ``sata``, ``scsi``, ``virtio``, ``nvme``, ``xen``…

    ``model`` is the controller model as written (``lsilogic``, ``pvscsi``…), ``format`` the image format if the definition states one.
    """

    path: str
    bus: str = ""
    model: str = ""
    format: str = ""
    target: str = ""


@dataclass(frozen=True, slots=True)
class NicDevice:
    """One network card: ``mac`` in lower case with colons (maybe empty), ``model`` and ``network`` as written."""

    mac: str = ""
    model: str = ""
    network: str = ""


@dataclass(frozen=True, slots=True)
class Definition:
    """A machine definition. ``source`` is ``ovf``, ``vmx`` or ``libvirt``; ``where`` the file (or domain) it came from.

    ``firmware`` is ``bios``, ``uefi`` or empty when not stated. ``memory_mib`` and ``cpus`` are 0 when not stated. ``notes`` are
    remarks on what was not understood or cannot travel (a passed-through device, a disk outside the folder).
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
