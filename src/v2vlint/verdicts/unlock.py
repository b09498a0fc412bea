"""Unlock: can the encrypted layers under the root be opened on the target?"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.boot.early_unlock import EarlyUnlock
from v2vlint.facts.boot.needs import BootNeeds
from v2vlint.facts.boot.path import BootPath, Means
from v2vlint.facts.boot.start import DefaultBoot
from v2vlint.facts.storage.crypttab import Crypttab, CrypttabEntry
from v2vlint.facts.storage.devices import Devices
from v2vlint.facts.storage.root_stack import RootStack
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.dataclass import dataclass
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.place import Device
from v2vlint.model.target import Target
from v2vlint.model.verdict import Cause, Judge, Verdict, doubt, fault

_TPM = "systemd-tpm2"


@dataclass(frozen=True, slots=True)
class Sealed:
    """A LUKS container unlocked by the source's TPM (or clevis). ``only``: it has no passphrase. ``entry`` is its line in crypttab."""

    device: BlockDevice
    how: str
    only: bool
    entry: CrypttabEntry | None


def _tpm(
    blocks: BlockTable, crypttab: Crypttab | None, devices: Devices, needs: BootNeeds | None, stack: RootStack, target: Target
) -> Iterator[Cause[Sealed]]:
    """Keys sealed by a TPM that does not travel, according to the container's header."""
    below = {parent for layer in stack.of_kind("luks") for parent in layer.parents}
    for device in blocks if not target.keeps_tpm else ():
        tokens = set(device.detail("tokens").split(",")) & {_TPM, "clevis"}
        if device.fs_type != "crypto_LUKS" or not tokens:
            continue
        entries = crypttab.entries if crypttab else ()
        entry = next((entry for entry in entries if devices.resolve(entry.device) == device), None)
        needed = device.name in below or (needs is not None and needs.needs(device.name))
        needed = needed or (entry is not None and needs is not None and needs.mount_on(f"/dev/mapper/{entry.name}") is not None)
        how = "the source's TPM" if _TPM in tokens else "clevis (the source's TPM, or a key server)"
        sealed = Sealed(device, how, device.detail("keyslots") == "1", entry)  # the only slot is the token's own
        where, certain = Device(device.name, "LUKS header"), sealed.only and needed and _TPM in tokens
        yield (fault if certain else doubt)(sealed.only and needed, f"{device.name} is unlocked by {how}", where, sealed)


@dataclass(frozen=True, slots=True)
class Keyless:
    """The boot path whose image lacks ``names``, the modules of the only keyboard."""

    path: BootPath
    names: tuple[str, ...]


def _keyboard(boot: DefaultBoot, unlock: EarlyUnlock, stack: RootStack, devices: Devices, target: Target) -> Iterator[Cause[Keyless]]:
    """The driver of the only keyboard, without which nobody can type the passphrase."""
    path = boot.path if target.keyboards and stack.of_kind("luks") else None
    if path is None or path.image is None or all(unlock.key(layer, devices) for layer in stack.of_kind("luks")):
        return
    names = tuple(module for module in target.keyboards if path.module(module).means is Means.DISK)
    if names:
        reason = f"the root is encrypted, and the initramfs of kernel {path.kernel.version} lacks {' and '.join(names)}"
        yield doubt(True, reason, path.image.where, Keyless(path, names))


def _passphrase(unlock: EarlyUnlock, stack: RootStack, devices: Devices) -> Iterator[Cause[None]]:
    """A key in the initramfs opens it, or a passphrase is typed on the console."""
    layers = stack.of_kind("luks")
    if not layers:
        yield Cause(Fate.SKIPPED, "the root is not encrypted")
        return
    keys = {layer.name: unlock.key(layer, devices) for layer in layers}
    asking = ", ".join(name for name, key in keys.items() if not key)
    told = [f"{asking} asks for its passphrase on the console"] if asking else []
    told += [f"{name} is opened by {key} in the initramfs" for name, key in keys.items() if key]
    yield Cause(Fate.PASS, "; ".join(told), unlock.image.where if unlock.image and not asking else None)


class UnlockVerdict(Verdict, stage=Stage.UNLOCK, place=70):
    """Can the encrypted layers under the root be opened on the target?"""

    tpm = Judge(_tpm)
    keyboard = Judge(_keyboard)
    passphrase = Judge(_passphrase)
