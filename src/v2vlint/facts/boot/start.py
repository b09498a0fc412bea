"""What starts by default on the target, after the mover's changes: firmware, boot menu, entry, kernel and initramfs."""

from __future__ import annotations

from dataclasses import field

from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.choices import BootChoice, BootChoices
from v2vlint.facts.boot.efi import Efi, firmware_arch
from v2vlint.facts.boot.entry import BootEntry, BootMenu
from v2vlint.facts.boot.firmware import Firmware
from v2vlint.facts.boot.path import BootPath, BootPaths
from v2vlint.facts.conversion.kernel import ConvertedKernel
from v2vlint.facts.conversion.landing import Landing
from v2vlint.facts.conversion.loader import ConvertedLoader
from v2vlint.facts.registry import FactStore, provides
from v2vlint.facts.storage.sectors import USUAL, Sectors
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.finding import Fate
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import Where
from v2vlint.model.target import Target
from v2vlint.model.verdict import Cause, T, doubt, fault


@dataclass(frozen=True, slots=True)
class ChosenFirmware:
    """``kind`` is ``bios`` or ``uefi``: the offered firmware that starts this guest; empty when none certainly does."""

    kind: str = ""


@provides
def choose_firmware(guest: Firmware, landing: Landing, target: Target, store: FactStore) -> ChosenFirmware:
    """The first firmware that works; UEFI before BIOS if disks have larger sectors than boot code can read.

    The ESP's programs are read only if the fallback loader decides.
    """
    able = {"bios": guest.bios, "uefi": guest.uefi}
    if guest.uefi and "uefi" in landing.firmware and not target.keeps_nvram:
        fallback = store.get(Efi).fallback(firmware_arch(store.get(OsInfo).arch, target))
        able["uefi"] = fallback is not None or store.get(ConvertedLoader).fallback
    order = ("bios", "uefi") if store.get(Sectors).of_disk(guest.boot_disk) == USUAL else ("uefi", "bios")
    return ChosenFirmware(next((kind for kind in order if kind in landing.firmware and able[kind]), ""))


@dataclass(frozen=True, slots=True)
class Startup:
    """The menu that appears with the chosen firmware, or the likeliest one when that is undecided; None when no loader is understood."""

    menu: BootMenu | None
    _loader: Bootloader = field(repr=False)

    @property
    def default(self) -> BootEntry | None:
        """The default entry; None when it cannot be determined."""
        return self.menu.default if self.menu else None

    @property
    def entry(self) -> BootEntry:
        """The default entry before the conversion. FactUnavailable with the reason when it cannot be determined."""
        if self.menu is None or self.menu.default is None:
            raise FactUnavailable(self._loader.where, self.menu.default_reason if self.menu else self._loader.reason)
        return self.menu.default


@provides
def find_startup(loader: Bootloader, chosen: ChosenFirmware) -> Startup:
    """There may be several menus, one for each firmware."""
    menus = loader.menus
    found = next((menu for menu in menus if menu.firmware in (chosen.kind, "")), menus[0] if menus else None)
    return Startup(found, loader)


@dataclass(frozen=True)
class DefaultBoot:
    """What starts by default: ``source`` is the choice in the guest as it is, ``choice`` the one after the mover's changes, possibly
    another kernel.

    ``assumed`` says why the likeliest choice stands for the default; empty when the default is known.
    """

    source: BootChoice
    choice: BootChoice
    assumed: str = ""
    _paths: BootPaths = field(default_factory=lambda: BootPaths.__new__(BootPaths), repr=False, compare=False)
    _kernel: ConvertedKernel = field(default_factory=ConvertedKernel, repr=False, compare=False)

    @property
    def source_path(self) -> BootPath | None:
        """Kernel and initramfs of the guest as it is; None when a file does not exist. FactUnavailable when one cannot be read."""
        return self._paths.of(self.source)

    @property
    def path(self) -> BootPath | None:
        """Kernel and initramfs after the mover's changes."""
        found = self._paths.of(self.choice)
        return None if found is None else self._kernel.path(found)

    @property
    def rebuilt(self) -> bool:
        """Whether the mover rebuilds the initramfs."""
        found = self.path
        return found is not None and found.rebuilt is not None

    def fault(self, reason: str, where: Where | None, about: T) -> Cause[T]:
        """A cause that stops this choice: it fails the stage, unless the default is only assumed."""
        return doubt(True, reason, where, about) if self.assumed else fault(True, reason, where, about)

    def passes(self, reason: str, where: Where | None) -> Cause[None]:
        """A cause that passes this choice; unknown when the default is only assumed."""
        return Cause(Fate.UNKNOWN, self.assumed, where) if self.assumed else Cause(Fate.PASS, reason, where)


@provides
def find_default_boot(startup: Startup, choices: BootChoices, paths: BootPaths, kernel: ConvertedKernel) -> DefaultBoot:
    """FactUnavailable when the default cannot be determined, or does not start a kernel of this root."""
    if choices.assumed and choices.default is not None:
        found = choices.default
    else:
        entry = startup.entry
        match = next((choice for choice in choices.defaults if choice.entry == entry), choices.default)
        if match is None:
            raise FactUnavailable(entry.where, choices.reason or "the default entry starts no kernel of this root")
        found = match
    arrived = kernel.best if kernel.best is not None and kernel.is_default else found
    same = arrived.kernel is not None and found.kernel is not None and arrived.kernel.image == found.kernel.image
    assumed = (choices.reason or "the default is not known") if choices.assumed else ""
    return DefaultBoot(found, found if same else arrived, assumed, paths, kernel)
