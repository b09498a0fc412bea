"""Which of several operating systems boots: the one that the firmware reaches first. Used by check, inspect and define.

A boot sector or fallback loader belongs to one system: a Linux with an unreachable loader does not win over a Windows that does start.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field

from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.efi import Efi
from v2vlint.facts.boot.entry import BootEntry
from v2vlint.facts.boot.firmware import Firmware
from v2vlint.facts.registry import FactStore, provides
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.roots import Root
from v2vlint.model.blocks import BlockTable
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.target import Target

LOADERS = {"grub2": "GRUB 2", "grub-legacy": "GRUB legacy", "extlinux": "SYSLINUX", "limine": "Limine",
    "refind": "rEFInd", "uki": "unified kernel image",
           "efi-stub": "the kernel itself", "systemd-boot": "systemd-boot"}  # fmt: skip


_LINUX = frozenset({"shim", "grub", "systemd-boot", "uki", "linux", "refind", "elilo", "fallback"})


@dataclass(frozen=True, slots=True)
class System:
    """One operating system: the device of its root, its kind (``linux``, ``windows``, ``dos``…), the device of its /boot, and its facts."""

    device: str
    kind: str
    name: str
    boot: str
    store: FactStore = field(repr=False, compare=False)


def system_of(root: Root, store: FactStore) -> System:
    """``root`` as one of several systems."""
    boot = next((mount.device for mount in root.mounts if mount.point == "/boot"), root.device)
    return System(root.device, root.os.kind, f"{root.os.name} {root.os.version}".strip(), boot, store)


@dataclass(frozen=True, slots=True)
class Systems:
    """All operating systems of the guest, in the order of their devices, and the position of the current one; empty when it is the only
    one.
    """

    found: tuple[System, ...] = ()
    own: int = 0


@dataclass(frozen=True, slots=True)
class Starter:
    """The system that starts by default and how that was determined; or why it could not be (``system`` is then None)."""

    system: System | None = None
    reason: str = ""

    def other_than(self, systems: Systems) -> System | None:
        """The starter if it is not the current system."""
        own = systems.found[systems.own] if systems.found else self.system
        return None if self.system is own else self.system


@provides
def no_others(fs: GuestFS) -> Systems:
    """The default when the guest's other systems are not given."""
    return Systems()


@provides
def find_starter(systems: Systems, blocks: BlockTable, target: Target) -> Starter:
    """The starter among all systems of the guest, with the firmware that the target offers."""
    return who_starts(systems.found, blocks, target.firmware)


def who_starts(systems: Sequence[System], blocks: BlockTable, offered: Sequence[str] = ("bios", "uefi")) -> Starter:
    """The system whose loader the firmware reaches, or the one that this loader starts by default."""
    if len(systems) < 2:
        return Starter(next(iter(systems), None))
    live = list(_live(systems, blocks, offered))
    if not live:
        windows = [system for system in systems if system.kind == "windows"]
        if len(windows) == 1:
            return Starter(windows[0], "the only one with a boot loader that can be there: nothing starts that of a Linux here")
        return Starter(None, "no boot loader of any of them was found")
    first = min(live, key=lambda one: one[2])
    if sum(one[2] == first[2] for one in live) > 1:
        return Starter(None, f"{len(live)} boot loaders are installed, and nothing tells which one the firmware starts")
    home, entry, _rank = first
    if entry is None:
        return Starter(None, f"the boot loader of {home.device} has no default entry that can be told")
    return _started(systems, home, entry, blocks)


def _live(systems: Sequence[System], blocks: BlockTable, offered: Sequence[str]) -> Iterator[tuple[System, BootEntry | None, int]]:
    """Linux systems with a reachable loader, its default entry, and a rank: lower for a system that the firmware is likelier to start."""
    for system in systems:
        try:
            if system.kind == "linux" and (found := _reached(system, blocks, offered)) is not None:
                yield system, found.default, _rank(system, blocks)
        except FactUnavailable:
            continue


def _reached(system: System, blocks: BlockTable, offered: Sequence[str]) -> Bootloader | None:
    """The loader of a Linux, unless the firmware certainly starts another system."""
    loader, firmware = system.store.get(Bootloader), system.store.get(Firmware)
    by_bios = "bios" in offered and firmware.bios is not False and boot_owner(blocks) != "windows"
    by_uefi = "uefi" in offered and firmware.uefi is not False and _is_on_esp(system.store)
    return loader if loader.menus and (by_bios or by_uefi) else None


def _is_on_esp(store: FactStore) -> bool:
    """Whether the ESP has a Linux loader that comes first: at the fallback path, or anywhere if that path is empty."""
    efi = store.get(Efi)
    kinds = {image.kind for image in efi.images}
    fallback = next((image for image in efi.of("boot") if image.name.startswith("boot")), None)
    if not kinds or kinds == {"unknown"}:
        return True
    return bool(kinds & _LINUX) and (fallback is None or fallback.kind != "windows")


def boot_owner(blocks: BlockTable) -> str:
    """The system whose boot code a BIOS runs: ``linux``, ``windows``, or empty when it is unknown.

    The first disk with boot code decides.
    """
    return next((chain.owner for chain in blocks.chains if chain.code != "none"), "")


def _rank(system: System, blocks: BlockTable) -> int:
    """0 if the loader is on the active partition or on the disk with boot code, else 1."""
    home, firmware = blocks.named(system.boot), system.store.get(Firmware)
    if home is None:
        return 2
    return 0 if home.bootable else 1 if firmware.boot_disk in (None, home.disk) else 2


def _started(systems: Sequence[System], home: System, entry: BootEntry, blocks: BlockTable) -> Starter:
    loader = home.store.get(Bootloader).loader
    by = f"the default entry '{entry}' of {LOADERS.get(loader, loader)} on {home.device}"
    if not entry.foreign and not entry.chainload:
        return Starter(home, by)
    others = [system for system in systems if system.kind in ("windows", "dos")]
    if entry.chainload and len(others) == 1:
        return Starter(others[0], by)
    root = entry.root
    device = blocks.resolve(root.value) if root is not None and root.value else None
    other = next((system for system in systems if device is not None and system.device == device.name), None)
    return Starter(other, by if other else f"{by} starts something else")
