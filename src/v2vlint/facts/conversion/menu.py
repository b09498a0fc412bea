"""GRUB's menu after the conversion: virt-v2v has the guest's own grub-mkconfig regenerate it when it renamed a device."""

from __future__ import annotations

from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.cmdline import KernelArg
from v2vlint.facts.boot.command_lines import CommandLines
from v2vlint.facts.boot.grub.default import GrubDefaults
from v2vlint.facts.conversion.devices import DeviceNames
from v2vlint.facts.conversion.refusals import Refusals
from v2vlint.facts.registry import FactStore, provides
from v2vlint.facts.storage.crypttab import Crypttab
from v2vlint.facts.storage.devices import NameKind, name_kind
from v2vlint.facts.storage.fstab import Fstab
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span


@dataclass(frozen=True, slots=True)
class ConvertedMenu:
    """``rewritten``: grub-mkconfig runs in virt-v2v's appliance, which has no EFI (``bootloader_grub2``, ``update``)."""

    loader: str = ""
    rewritten: bool = False
    written_root: bool = False
    _names: DeviceNames | None = None

    def root(self, argument: KernelArg) -> str:
        """``root=`` after the conversion. In GRUB legacy it is renamed. In a regenerated grub.cfg whose sources do not set it, it is the
        UUID that grub-mkconfig prefers. Otherwise it stays (BLS entries, grubenv, unified images)."""
        value = argument.value or ""
        if self.loader == "grub-legacy" and self._names is not None:
            return self._names.after(value)
        where = argument.where
        generated = isinstance(where, Span) and where.path.endswith("/grub.cfg")
        if self.rewritten and generated and not self.written_root and name_kind(value) in (NameKind.KERNEL, NameKind.HARDWARE):
            return "UUID="
        return value


@provides
def find_converted_menu(refusals: Refusals, store: FactStore) -> ConvertedMenu:
    """From the places in which ``remap_block_devices`` replaces names. A raw copy asks for none of them."""
    return store.call(_converted) if refusals.converts else ConvertedMenu()


def _converted(
    loader: Bootloader,
    names: DeviceNames,
    fstab: Fstab,
    crypttab: Crypttab,
    defaults: GrubDefaults,
    lines: CommandLines,
) -> ConvertedMenu:
    specs = [entry.device for entry in fstab.entries]
    specs += [argument.value or "" for argument in defaults.args if argument.name == "resume"]
    changed = any(map(names.changes, specs)) or any(names.in_crypttab(entry.device) != entry.device for entry in crypttab.entries)
    rewritten = loader.loader == "grub2" and changed
    # 10_linux writes a device name if UUIDs are disabled, unless PARTUUIDs are enabled: they are off by default.
    switches = defaults.value("GRUB_DISABLE_LINUX_UUID"), defaults.value("GRUB_DISABLE_LINUX_PARTUUID")
    written = any(source.name == "root" for source in lines.sources) or (switches[0] == "true" and switches[1] != "false")
    return ConvertedMenu(loader.loader, rewritten, written, names)
