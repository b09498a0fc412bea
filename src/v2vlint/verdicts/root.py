"""Root: does ``root=`` name a device that exists under that name on the target?"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.boot.start import DefaultBoot
from v2vlint.facts.storage.devices import Devices, NameKind, kernel_fate, name_kind
from v2vlint.facts.storage.devices import Fate as NameFate
from v2vlint.model.blocks import BlockTable
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.target import Target
from v2vlint.model.verdict import Cause, Judge, Verdict

_NEEDS_USERSPACE = ("UUID=", "LABEL=", "PARTLABEL=", "/dev/disk/", "/dev/mapper/", "ZFS=")
_NOT_LOCAL = ("/dev/nfs", "nfs:", "nfs4:", "dhcp", "iscsi:", "nbd:", "live:", "tmpfs", "/dev/ram")


def _device(boot: DefaultBoot, devices: Devices, blocks: BlockTable, target: Target) -> Iterator[Cause[None]]:
    """The device that the command line names, else the one written into the initramfs."""
    argument = boot.entry.root
    if argument is None or not argument.value:
        yield _without_root(boot, devices)
        return
    spec, where = argument.value, argument.where
    present = devices.present(spec)
    if spec.startswith(_NOT_LOCAL):
        yield Cause(Fate.UNKNOWN, f"root={spec} is no local disk", where)
    elif boot.choice.initrds == () and spec.startswith(_NEEDS_USERSPACE):
        yield Cause(Fate.FAIL, f"root={spec} needs an initramfs to be found, and there is none", where)
    elif name_kind(spec) is NameKind.KERNEL:
        fate, reason = _kernel_name(spec, devices, blocks, target)
        yield Cause(fate, reason, where)
    elif present is None:
        yield Cause(Fate.UNKNOWN, f"root={spec} could not be matched with a device on these disks", where)
    else:
        yield Cause(Fate.PASS if present else Fate.FAIL, f"root={spec}" if present else f"root={spec} is on none of these disks", where)


def _kernel_name(spec: str, devices: Devices, blocks: BlockTable, target: Target) -> tuple[Fate, str]:
    fate = kernel_fate(spec, target, blocks)
    if fate is NameFate.GONE:
        names = " or ".join(sorted(target.disk_prefixes))
        return Fate.FAIL, f"root={spec}, but disks are called {names}* there"
    if fate is NameFate.ORDER:
        return Fate.UNKNOWN, f"root={spec} depends on the order in which several disks are found"
    if devices.resolve(spec) is None:
        return Fate.UNKNOWN, f"root={spec} could not be matched with a partition"
    return Fate.PASS, f"root={spec}, a name that stays"


def _without_root(boot: DefaultBoot, devices: Devices) -> Cause[None]:
    path = boot.path
    embedded = " ".join(path.image.under("etc/cmdline.d").values()) if path and path.image else ""
    where = path.image.where if path and path.image else boot.choice.where
    for word in embedded.split():
        if word.startswith("root="):
            present = devices.present(word.removeprefix("root=").strip("\"'").removeprefix("block:"))
            fate = {True: Fate.PASS, False: Fate.FAIL, None: Fate.UNKNOWN}[present]
            return Cause(fate, f"{word} inside the initramfs", where)
    return Cause(Fate.UNKNOWN, "the kernel command line has no root=", boot.choice.where)


class RootVerdict(Verdict, stage=Stage.ROOT, place=60):
    """Does ``root=`` name a device that exists under that name on the target?"""

    device = Judge(_device)
