"""Roots found by their type: systemd-gpt-auto-generator(8) uses the partition of the root type on the disk of the booted ESP.

The generator needs ``LoaderDevicePartUUID``, which systemd-boot and the stub of unified kernel images set, and which GRUB sets only with
its module bli. Types: Discoverable Partitions Specification (UAPI.2).
"""

from __future__ import annotations

from collections.abc import Iterable

from v2vlint.facts.boot.cmdline import KernelArg
from v2vlint.facts.boot.efi import esp_devices
from v2vlint.facts.boot.version_order import systemd_compare
from v2vlint.facts.initramfs.content import Initramfs
from v2vlint.facts.syntax.systemd_unit import boolean
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.dataclass import dataclass

ROOT_TYPES = {
    "x86_64": "4f68bce3-e8cd-4db1-96e7-fbcaf984b709",
    "i386": "44479540-f297-41b2-9af7-d131d5f0458a",
    "aarch64": "b921b045-1df0-41c3-af44-4c6f280d3fae",
    "riscv64": "72ec70a6-cf74-40e6-bd49-4bda08e8f224",
}
GENERATORS = tuple(f"{top}lib/systemd/system-generators/systemd-gpt-auto-generator" for top in ("usr/", ""))
BY_TYPE = ("gpt-auto", "gpt-auto-force")


@dataclass(frozen=True, slots=True)
class GptAuto:
    """``runs``: whether the initramfs searches for the root; None when that depends on the firmware. ``root`` is the partition it uses, if
    any.

    ``wanted`` is the type it searches for, in systemd's notation.
    """

    runs: bool | None
    root: BlockDevice | None
    wanted: str


def gpt_auto(blocks: BlockTable, arch: str, loader: str, image: Initramfs | None, args: Iterable[KernelArg]) -> GptAuto:
    """The outcome for a command line without ``root=``, or with ``root=gpt-auto``."""
    esp = next(iter(esp_devices(blocks)), None)
    kind = ROOT_TYPES.get(arch, ROOT_TYPES["x86_64"])
    root = _newest(device for device in blocks if device.part_type == kind and device.disk == (esp.disk if esp else 0))
    return GptAuto(_runs(loader, image, args), root, f"root-{(arch or 'x86_64').replace('_', '-').replace('aarch64', 'arm64')}")


def _newest(found: Iterable[BlockDevice]) -> BlockDevice | None:
    """The partition that udev links as ``/dev/gpt-auto-root``: of several, the one whose label is the highest version, the first of equals.

    ``find_gpt_root`` of src/udev/udev-builtin-blkid.c, which ignores partitions with the attribute no-auto.
    """
    best: BlockDevice | None = None
    for device in found:
        if not device.detail("no_auto") and (best is None or systemd_compare(device.part_label, best.part_label) > 0):
            best = device
    return best


def _runs(loader: str, image: Initramfs | None, args: Iterable[KernelArg]) -> bool | None:
    """Whether the generator runs. The last switch counts, and systemd treats hyphens and underscores as equal (``proc_cmdline_key_streq``).

    Any other ``root=``, even an empty one, or a ``roothash=`` disables the search. ``gpt-auto-force`` was added in version 258.
    """
    args = tuple(args)
    if image is None or not any(path in image.files for path in GENERATORS):
        return False
    roots = {arg.value for arg in args if arg.name == "root" and arg.value is not None}
    if roots - {*BY_TYPE} or any(arg.name == "roothash" and arg.value is not None for arg in args):
        return False
    switches = [arg for arg in args if arg.name.replace("-", "_") in ("systemd.gpt_auto", "rd.systemd.gpt_auto")]
    if switches and boolean(switches[-1].value or "") is False:
        return False
    # The generator needs LoaderDevicePartUUID, which systemd's loaders set, and some others do (GRUB's bli module).
    return True if loader in ("systemd-boot", "uki") and "gpt-auto-force" not in roots else None
