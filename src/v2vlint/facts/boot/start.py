"""What comes up by itself on the target: which firmware, which boot menu, which entry, which kernel with which initramfs."""

from __future__ import annotations

from dataclasses import dataclass, field

from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.choices import BootChoice, BootChoices
from v2vlint.facts.boot.efi import Efi
from v2vlint.facts.boot.entry import BootEntry, BootMenu
from v2vlint.facts.boot.firmware import Firmware
from v2vlint.facts.boot.path import BootPath, BootPaths
from v2vlint.facts.registry import FactStore, provides
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.target import Target


@dataclass(frozen=True, slots=True)
class ChosenFirmware:
    """``kind`` is ``bios`` or ``uefi``, whichever of the target's firmware starts this guest; empty when none surely does."""

    kind: str = ""


@provides
def choose_firmware(guest: Firmware, target: Target, store: FactStore) -> ChosenFirmware:
    """The first that is able. The ESP's programs are read only where the fallback loader decides."""
    able = {"bios": guest.bios, "uefi": guest.uefi}
    if guest.uefi and not target.keeps_nvram:
        able["uefi"] = store.get(Efi).fallback(store.get(OsInfo).arch) is not None
    return ChosenFirmware(next((kind for kind in ("bios", "uefi") if kind in target.firmware and able[kind]), ""))


@dataclass(frozen=True, slots=True)
class Startup:
    """The menu that comes up with the firmware chosen, the likeliest one when that is undecided; None when no loader is understood."""

    menu: BootMenu | None
    _loader: Bootloader = field(repr=False)

    @property
    def entry(self) -> BootEntry:
        """What boots by itself. FactUnavailable with the reason when it cannot be told."""
        if self.menu is None or self.menu.default is None:
            raise FactUnavailable(self._loader.where, self.menu.default_reason if self.menu else self._loader.reason)
        return self.menu.default


@provides
def find_startup(loader: Bootloader, chosen: ChosenFirmware) -> Startup:
    """Several menus may lie around, one for each firmware."""
    menus = loader.menus
    found = next((menu for menu in menus if menu.firmware in (chosen.kind, "")), menus[0] if menus else None)
    return Startup(found, loader)


@dataclass(frozen=True, slots=True)
class DefaultBoot:
    """The default entry joined with its kernel, and its boot path: None when a file that it names does not exist."""

    entry: BootEntry
    choice: BootChoice
    path: BootPath | None


@provides
def find_default_boot(startup: Startup, choices: BootChoices, paths: BootPaths) -> DefaultBoot:
    """FactUnavailable when the default cannot be told, starts no kernel of this root, or its initramfs cannot be read."""
    entry = startup.entry
    found = next((choice for choice in choices.defaults if choice.entry == entry), choices.default)
    if found is None:
        raise FactUnavailable(entry.where, choices.reason or "the default entry starts no kernel of this root")
    return DefaultBoot(entry, found, paths.of(found))
