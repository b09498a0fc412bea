"""The virt-v2v command line for a guest and a target: ``docs/virt-v2v.pod``, ``input/select_input.ml``, ``convert/choose_root.ml``.

Words in capitals are placeholders for the user.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from v2vlint.facts.conversion.run import Conversion
from v2vlint.facts.registry import FactStore
from v2vlint.facts.windows.network import WindowsNetwork
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.definition import Definition
from v2vlint.model.disk_letters import letters_of
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.source import GuestRef
from v2vlint.model.target import Target

_OUTPUTS = {
    "libvirt": ("-o", "libvirt", "-os", "POOL"),
    "openstack": ("-o", "openstack", "-oo", "server-id=SERVER"),
    "kubevirt": ("-o", "kubevirt", "-os", "FOLDER"),
    "ovirt": ("-o", "ovirt-upload", "-oc", "https://ENGINE/ovirt-engine/api", "-os", "STORAGE"),
}
_LOCAL = ("-o", "local", "-os", "FOLDER")


def virt_v2v_command(ref: GuestRef, store: FactStore, root: str, subvolume: str, several: bool) -> str:
    """The command, quoted for a shell; empty when virt-v2v is not the mover or cannot read the guest in this form."""
    definition = store.get(Definition)
    source = tuple(_input(ref, definition))
    if not source or not store.get(Conversion).by_virt_v2v:
        return ""
    blocks = store.get(BlockTable)
    chosen = ("--root", _device(blocks.named(root), root, subvolume, blocks)) if several else ()
    words = ("virt-v2v", *source, *_keys(blocks), *chosen, *_macs(store, definition), *_OUTPUTS.get(store.get(Target).platform, _LOCAL))
    return shlex.join(words)


def _input(ref: GuestRef, definition: Definition) -> Iterator[str]:
    if ref.unwritable:
        return
    if definition.source == "libvirt" and ref.text:
        yield from ("-i", "libvirt", definition.name or ref.name)
    elif definition.source == "libvirt":
        yield from ("-i", "libvirtxml", *ref.paths[:1])
    elif definition.source == "vmx":
        yield from ("-i", "vmx", *ref.paths[:1])
    elif definition.source == "ovf" and ref.paths:
        path = ref.paths[0]
        # An OVF that lies unpacked is given by its folder.
        yield from ("-i", "ova", path if path.endswith(".ova") else path.rpartition("/")[0] or ".")
    elif ref.kind == "disks" and len(ref.paths) == 1:
        yield from ("-i", "disk", *ref.paths)


def _keys(blocks: BlockTable) -> Iterator[str]:
    """virt-v2v asks for the passphrase of each encrypted device that it is given no key for, and sees no system behind it without."""
    for device in blocks:
        if device.fs_type in ("crypto_LUKS", "BitLocker") and blocks.children(device.name):
            name = device.uuid or _device(device, device.name, "", blocks)
            yield from ("--key", f"{name}:file:KEY_FILE")


def _device(device: BlockDevice | None, name: str, subvolume: str, blocks: BlockTable) -> str:
    """libguestfs's name of a root; the default subvolume of a btrfs goes by the device itself."""
    if device is not None and device.kind in ("luks", "bitlocker"):
        # inspect_do_decrypt of libguestfs-common's options/decrypt.c: in a partition by its name, in a volume by its UUID.
        below = next((one for parent in device.parents if (one := blocks.named(parent))), None)
        path = f"/dev/mapper/{_opened(below, blocks)}" if below else f"/dev/{name}"
    elif device is None or device.kind not in ("disk", "partition"):
        path = f"/dev/{name}"
    else:
        # libguestfs attaches every disk to SCSI, in the given order.
        path = f"/dev/sd{letters_of(device.disk)}{device.number or ''}"
    inside = bool(subvolume) and (device is None or subvolume != device.detail("default_subvolume"))
    return f"btrfsvol:{path}/{subvolume}" if inside else path


def _opened(below: BlockDevice, blocks: BlockTable) -> str:
    if below.kind == "lv":
        return f"luks-{below.uuid}"
    return "crypt" + re.sub(r"[^A-Za-z0-9]", "", _device(below, below.name, "", blocks).removeprefix("/dev/"))


def _macs(store: FactStore, definition: Definition) -> Iterator[str]:
    """Static addresses of Windows, which are lost with the card. Which card has one is known only if there is a single card."""
    if store.get(OsInfo).kind != "windows" or len(definition.nics) != 1 or not definition.nics[0].mac:
        return
    try:
        static = store.get(WindowsNetwork).static
    except FactUnavailable:
        return
    if len(static) == 1:
        address, _, length = static[0].addresses[0].partition("/")
        gateway = next(iter(static[0].gateways), "")
        parts = (address, gateway, length) if gateway and length else (address, gateway) if gateway else (address,)
        yield from ("--mac", f"{definition.nics[0].mac}:ip:{','.join(parts)}")
