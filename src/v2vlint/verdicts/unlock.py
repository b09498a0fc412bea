"""Unlock: can the encrypted layers under the root be opened on the target?"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.boot.early_unlock import EarlyUnlock, keys_for
from v2vlint.facts.boot.needs import BootNeeds
from v2vlint.facts.boot.path import BootPath, Means
from v2vlint.facts.boot.start import DefaultBoot
from v2vlint.facts.conversion.landing import Landing
from v2vlint.facts.storage.crypttab import Crypttab, CrypttabEntry
from v2vlint.facts.storage.devices import Devices, NameFate, NameKind, name_fate, name_kind
from v2vlint.facts.storage.root_stack import RootStack
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.dataclass import dataclass
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.place import Device
from v2vlint.model.target import Target
from v2vlint.model.verdict import Cause, Judge, Verdict, doubt, fault

_TPM = "systemd-tpm2"
_HOLDERS = {
    _TPM: "the source's TPM",
    "systemd-fido2": "a FIDO2 token",
    "systemd-pkcs11": "a smart card or PKCS#11 token",
    "clevis": "clevis (the source's TPM, or a key server)",
}
"""Who holds the key, by the type of a LUKS2 token. What is plugged in may be passed to the machine again."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A LUKS container unlocked by the source's TPM, clevis or a token that is plugged in. ``only``: it has no passphrase. ``certain``: it
    cannot be opened any more. ``entry`` is its line in crypttab.
    """

    device: BlockDevice
    how: str
    only: bool
    certain: bool
    entry: CrypttabEntry | None


def _tpm(
    blocks: BlockTable, crypttab: Crypttab | None, devices: Devices, needs: BootNeeds | None, stack: RootStack, target: Target
) -> Iterator[Cause[Sealed]]:
    """Keys held by a TPM that does not travel or by a token that may not be there, according to the container's header."""
    below = {parent for layer in stack.of_kind("luks") for parent in layer.parents}
    for device in blocks:
        slots = _token_slots(device)
        if device.fs_type != "crypto_LUKS" or not slots or (target.keeps_tpm and (_TPM in slots or list(slots) == ["clevis"])):
            continue
        entries = crypttab.entries if crypttab else ()
        entry = next((entry for entry in entries if devices.resolve(entry.device) == device), None)
        needed = device.name in below or (needs is not None and needs.needs(device.name))
        needed = needed or (entry is not None and needs is not None and needs.mount_on(f"/dev/mapper/{entry.name}") is not None)
        how = " or ".join(_HOLDERS[kind] for kind in slots)
        only = set(device.detail("opening").split(",")) <= set().union(*slots.values())
        sealed = Sealed(device, how, only, only and list(slots) == [_TPM], entry)
        where, certain = Device(device.name, "LUKS header"), sealed.certain and needed
        yield (fault if certain else doubt)(sealed.only and needed, f"{device.name} is unlocked by {how}", where, sealed)


def _token_slots(device: BlockDevice) -> dict[str, set[str]]:
    """The key slots that tokens open, by type, in the order of ``_HOLDERS``."""
    pairs = [pair.rpartition(":")[::2] for pair in device.detail("tokens").split(",")]
    found = {kind: {slot for token, slot in pairs if token == kind} for kind in _HOLDERS}
    return {kind: slots for kind, slots in found.items() if slots}


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


def _keys(unlock: EarlyUnlock, stack: RootStack, devices: Devices, landing: Landing, blocks: BlockTable) -> Iterator[Cause[str]]:
    """The key that the initramfs opens the root with: in it, or on a device that is there. ``about`` is what happens without."""
    image = unlock.image
    for layer in stack.of_kind("luks") if image is not None else ():
        mapping = unlock.mapping(layer, devices)
        if mapping is None or image is None:
            continue
        scripted, given_up = mapping.table == "cryptroot/crypttab", "the initramfs does not ask for a passphrase, and ends in a shell"
        device, lacking = mapping.key_device, mapping.lacking(image)
        if lacking:
            reason = f"{mapping.name} is opened by {lacking}, which is not in the initramfs"
            yield (fault if unlock.certain else doubt)(True, reason, image.where, given_up)
        elif mapping.takes_card:
            reason = f"{mapping.name} is opened by a smart card ({mapping.script})"
            yield doubt(True, reason, image.where, "nothing opens the root unless the card is passed to the machine")
        elif device and _is_elsewhere(device, devices, landing, blocks):
            reason = f"the key of {mapping.name} is on {_elsewhere(device)}"
            effect = given_up if scripted else "boot waits for the device, and may ask for a passphrase then"
            effect = "boot waits for the device for ever" if mapping.waits_for_ever else effect
            yield (fault if scripted and unlock.certain else doubt)(True, reason, image.where, effect)


def _key_arguments(boot: DefaultBoot, stack: RootStack, devices: Devices, landing: Landing, blocks: BlockTable) -> Iterator[Cause[str]]:
    """Keys that the command line looks for on a device of their own."""
    args = tuple(boot.choice.args)
    for key in dict.fromkeys(key for layer in stack.of_kind("luks") for key in keys_for(layer, args, devices)):
        if key.device and _is_elsewhere(key.device, devices, landing, blocks):
            reason = f"{key.argument} has the key of the root on {_elsewhere(key.device)}"
            yield doubt(True, reason, key.argument.where, "boot waits for the device, and may ask for a passphrase then")


def _elsewhere(device: str) -> str:
    """Kernel and hardware names change with the machine, also those of the guest's own disks."""
    return f"{device}, {'which is on none of the disks' if name_kind(device) is NameKind.TAG else 'and no disk there has that name'}"


def _is_elsewhere(device: str, devices: Devices, landing: Landing, blocks: BlockTable) -> bool:
    gone = name_kind(device) is NameKind.HARDWARE or name_fate(device, landing.prefixes, blocks) is NameFate.GONE
    return gone or (name_kind(device) is NameKind.TAG and devices.present(device) is False)


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
    keys = Judge(_keys)
    key_arguments = Judge(_key_arguments)
    passphrase = Judge(_passphrase)
