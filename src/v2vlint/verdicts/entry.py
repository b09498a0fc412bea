"""Entry: which menu entry boots by default?"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.boot.entry import BootEntry
from v2vlint.facts.boot.start import Startup
from v2vlint.facts.boot.who import Starter, System, Systems
from v2vlint.facts.conversion.menu import ConvertedMenu
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockTable
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.place import Device
from v2vlint.model.verdict import Cause, Judge, Verdict, fault


def _default(startup: Startup) -> Iterator[Cause[None]]:
    """The default entry boots this system directly."""
    entry, reason = startup.entry, startup.menu.default_reason if startup.menu else ""
    if entry.chainload and not entry.kernel:
        yield Cause(Fate.UNKNOWN, f"the default entry {entry} starts another loader ({entry.chainload})", entry.where)
    elif entry.foreign:
        yield Cause(Fate.UNKNOWN, f"the default entry {entry} boots another operating system", entry.where)
    else:
        yield Cause(Fate.PASS, f"{entry}" + (f" ({reason})" if reason else ""), entry.where)


def _rewritten(startup: Startup, converted: ConvertedMenu, fs: GuestFS) -> Iterator[Cause[None]]:
    """virt-v2v runs grub2-mkconfig in its appliance, without EFI; Red Hat's up to 7 then writes linux16, which their GRUB for EFI lacks.

    See libguestfs/virt-v2v issue 160. The affected versions wrote linuxefi on the guest itself.
    """
    menu = startup.menu
    if menu is None or menu.firmware != "uefi" or not converted.rewritten:
        return
    text = fs.text(menu.config.path)
    if text is not None and any(line.text.split()[:1] == ["linuxefi"] for line in text.lines()):
        yield fault(True, "virt-v2v regenerates this menu without EFI, with linux16 in place of linuxefi", menu.config, None)


def _command(startup: Startup) -> Iterator[Cause[BootEntry]]:
    """The default entry has a command that this GRUB neither has nor can load, or one that cannot work with this firmware.

    ``linux16`` runs the kernel's first code as a BIOS would; where GRUB for UEFI can load it, the machine hangs (observed in OVMF).
    """
    entry = startup.default
    if entry is not None and entry.unknown_command:
        reason = f"the default entry uses {entry.unknown_command}, a command this GRUB does not have"
        yield fault(True, reason, entry.unknown_at or entry.where, entry)
    elif entry is not None and entry.real_mode and startup.menu and startup.menu.firmware == "uefi":
        yield fault(True, "the default entry uses linux16, whose kernel begins in a BIOS, which UEFI does not have", entry.where, entry)


def another(starter: Starter, systems: Systems) -> Iterator[Cause[System]]:
    """Another system starts by default."""
    other = starter.other_than(systems)
    if other is not None:
        yield Cause(Fate.UNKNOWN, f"{other.name} on {other.device} comes up instead: {starter.reason}", Device(other.device), None, other)


def _twins(startup: Startup, fs: GuestFS, blocks: BlockTable) -> Iterator[Cause[None]]:
    """Several filesystems have the UUID of the one with the menu and the kernels: GRUB 2 searches by UUID and takes the first it finds."""
    if startup.menu is None or startup.menu.loader != "grub2":
        return
    point = "/boot" if "/boot" in fs.mounts else "/"
    same = blocks.twins(f"UUID={fs.mounts[point].uuid}")
    if same:
        names = " and ".join(device.name for device in same)
        reason = f"{names} have the same UUID: menu and kernel come from the one that GRUB meets first"
        yield Cause(Fate.UNKNOWN, reason, Device(same[0].name))


class EntryVerdict(Verdict, stage=Stage.ENTRY, place=30):
    """Which menu entry boots by default?"""

    another = Judge(another)
    rewritten = Judge(_rewritten)
    command = Judge(_command)
    twins = Judge(_twins)
    default = Judge(_default)
