"""The storage of a machine: volumes with their sizes, encryption, and libguestfs's device names."""

from __future__ import annotations

from v2vlint.disk.filesystems.formats import format_of
from v2vlint.disk.filesystems.node import FileSystem
from v2vlint.facts.boot.firmware import BIOS_BOOT_TYPE
from v2vlint.guest.mounts import ESP_TYPES
from v2vlint.guest.open import GuestContents
from v2vlint.guest.space import free_bytes, free_inodes
from v2vlint.model.bitlocker import BitlockerVolume, bitlocker_volume
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.disk_letters import letters_of
from v2vlint.model.machine import Encryption, Volume

_LUKS = "crypto_LUKS"


def device_path(device: BlockDevice) -> str:
    """The name of a device inside libguestfs: disks by order, partitions by number, everything else as its kernel names it."""
    if device.kind in ("disk", "partition"):
        return f"/dev/sd{letters_of(device.disk)}{device.number or ''}"
    if device.kind == "lv":
        return f"/dev/{device.name}"
    if device.kind == "md":
        return f"/dev/{device.name}"
    return f"/dev/mapper/{device.name}"


def volumes(guest: GuestContents) -> tuple[Volume, ...]:
    """Every device with recognised content, in the order of the block table."""
    return tuple(_volume(device, guest.filesystems.get(device.name)) for device in guest.blocks if device.fs_type)


def _volume(device: BlockDevice, system: FileSystem | None) -> Volume:
    size, free = _number(device, "fs_size"), free_bytes(system, device)
    used = size - free if size >= 0 and 0 <= free <= size else -1
    return Volume(
        device=device.name,
        path=device_path(device),
        type=device.fs_type,
        uuid=device.uuid,
        label=device.label,
        size=size if size >= 0 else device.size,
        used=used,
        free=free,
        inodes=_number(device, "inodes"),
        free_inodes=free_inodes(system, device),
        clean=_clean(device),
        version=device.detail("version"),
    )


def _number(device: BlockDevice, key: str) -> int:
    text = device.detail(key)
    return int(text) if text.isdecimal() else -1


def _clean(device: BlockDevice) -> bool | None:
    """Whether the filesystem was unmounted cleanly; None when it does not record that."""
    kind = format_of(device.fs_type)
    if kind is None or not (kind.clean or kind.dirty):
        return None
    return not any(device.detail(sign) for sign in kind.dirty) and (not kind.clean or device.detail(kind.clean) == "yes")


def encryption(blocks: BlockTable) -> tuple[Encryption, ...]:
    """The encrypted devices."""
    return tuple(_encryption(device, blocks) for device in blocks if device.fs_type in (_LUKS, "BitLocker"))


def _encryption(device: BlockDevice, blocks: BlockTable) -> Encryption:
    opened = bool(blocks.children(device.name))
    known = bitlocker_volume(device) if device.fs_type != _LUKS else BitlockerVolume(device.name)
    return Encryption(
        device=device.name,
        type=f"LUKS{device.detail('version')}" if device.fs_type == _LUKS else "BitLocker",
        cipher=device.detail("cipher"),
        kdf=device.detail("kdf"),
        keyslots=max(0, _number(device, "keyslots")),
        unlocks=tuple(dict.fromkeys(token.rpartition(":")[0] for token in device.detail("tokens").split(",") if token)),
        opened=opened,
        state=known.state,
        guid=known.guid,
        protectors=known.protectors,
        recovery_ids=known.recovery_ids,
    )


def firmware(blocks: BlockTable) -> str:
    """The firmware that the partition tables are laid out for: ``bios``, ``uefi`` or ``bios+uefi``; empty without disks."""
    types = {device.part_type for device in blocks}
    if not blocks.devices:
        return ""
    if not types & ESP_TYPES:
        return "bios"
    return "bios+uefi" if BIOS_BOOT_TYPE in types else "uefi"
