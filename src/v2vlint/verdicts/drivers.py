"""From the kernel to the root filesystem: the initramfs and its drivers, ``root=``, encryption."""

from __future__ import annotations

from v2vlint.facts.boot.choices import BootChoice, BootChoices
from v2vlint.facts.boot.path import BootPath, BootPaths, DriveFate
from v2vlint.facts.registry import FactStore
from v2vlint.facts.storage.devices import Devices, Fate, NameKind, kernel_fate, name_kind
from v2vlint.facts.storage.root_stack import RootStack
from v2vlint.model.blocks import BlockTable
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.finding import Stage
from v2vlint.model.place import WholeFile
from v2vlint.model.report import StageForecast
from v2vlint.model.target import Target
from v2vlint.verdicts.early import default_entry
from v2vlint.verdicts.stage import failed, passed, skipped, unknown

_NEEDS_USERSPACE = ("UUID=", "LABEL=", "PARTLABEL=", "/dev/disk/", "/dev/mapper/", "ZFS=")
_NOT_LOCAL = ("/dev/nfs", "nfs:", "nfs4:", "dhcp", "iscsi:", "nbd:", "live:", "tmpfs", "/dev/ram")


def default_choice(store: FactStore) -> BootChoice:
    """The default entry joined with its kernel. FactUnavailable when it cannot be told."""
    entry, choices = default_entry(store), store.get(BootChoices)
    found = next((choice for choice in choices.defaults if choice.entry == entry), choices.default)
    if found is None:
        raise FactUnavailable(entry.where, choices.reason or "the default entry starts no kernel of this root")
    return found


def boot_path(store: FactStore) -> BootPath | None:
    """Kernel and initramfs of the default choice; None when a file it names does not exist."""
    return store.get(BootPaths).of(default_choice(store))


def initramfs(store: FactStore) -> StageForecast:
    """Can the initramfs reach the root disk through the target's controller, and mount the root filesystem?"""
    choice, path = default_choice(store), boot_path(store)
    where = choice.initrd_where or choice.where
    if path is None:
        return failed(Stage.INITRAMFS, f"{' or '.join(choice.initrds) or choice.kernel_path} does not exist", choice.where)
    if path.image is not None and path.image.damage:
        return failed(Stage.INITRAMFS, f"{path.image.where} {path.image.damage}", path.image.where)
    stack = store.get(RootStack)
    fates = [path.controller(controller) for controller in store.get(Target).controllers]
    fates += [path.root_filesystem(stack), path.layers(stack)]
    for fate in fates:
        if fate.usable is False:
            return failed(Stage.INITRAMFS, _words(fate), fate.failing()[0].where)
    doubtful = next((fate for fate in fates if fate.usable is None), None)
    if doubtful:
        return unknown(Stage.INITRAMFS, _words(doubtful), doubtful.unknown[0].where)
    if not fates[-2].fates:
        return unknown(Stage.INITRAMFS, "the root filesystem was not recognised", where)
    what = "no initramfs; the kernel itself" if path.image is None else path.image.generator or "an initramfs"
    drives = ", ".join(fate.name for fate in fates[:-2])
    return passed(Stage.INITRAMFS, f"{what} drives {drives} and mounts {stack.fs_type}", where)


def _words(fate: DriveFate) -> str:
    part = (fate.failing() or fate.unknown)[0]
    return f"{fate.name}: {part}"


def root(store: FactStore) -> StageForecast:
    """Does ``root=`` name a device that exists under that name on the target?"""
    choice = default_choice(store)
    argument = default_entry(store).root
    if argument is None or not argument.value:
        return _without_root(store, choice)
    spec, where = argument.value, argument.where
    if spec.startswith(_NOT_LOCAL) or (choice.initrds == () and spec.startswith(_NEEDS_USERSPACE)):
        words = "is no local disk" if spec.startswith(_NOT_LOCAL) else "needs an initramfs to be found, and there is none"
        judge = unknown if spec.startswith(_NOT_LOCAL) else failed
        return judge(Stage.ROOT, f"root={spec} {words}", where)
    if name_kind(spec) is NameKind.KERNEL:
        return _kernel_name(store, spec)
    present = store.get(Devices).present(spec)
    if present is None:
        return unknown(Stage.ROOT, f"root={spec} could not be matched with a device on these disks", where)
    if not present:
        return failed(Stage.ROOT, f"root={spec} is on none of these disks", where)
    return passed(Stage.ROOT, f"root={spec}", where)


def _kernel_name(store: FactStore, spec: str) -> StageForecast:
    argument = default_entry(store).root
    where = argument.where if argument else WholeFile("/boot")
    fate = kernel_fate(spec, store.get(Target), store.get(BlockTable))
    if fate is Fate.GONE:
        names = " or ".join(sorted(store.get(Target).disk_prefixes))
        return failed(Stage.ROOT, f"root={spec}, but disks are called {names}* there", where)
    if fate is Fate.ORDER:
        return unknown(Stage.ROOT, f"root={spec} depends on the order in which several disks are found", where)
    if store.get(Devices).resolve(spec) is None:
        return unknown(Stage.ROOT, f"root={spec} could not be matched with a partition", where)
    return passed(Stage.ROOT, f"root={spec}, a name that stays", where)


def _without_root(store: FactStore, choice: BootChoice) -> StageForecast:
    path = boot_path(store)
    embedded = " ".join(path.image.under("etc/cmdline.d").values()) if path and path.image else ""
    where = path.image.where if path and path.image else choice.where
    for word in embedded.split():
        if word.startswith("root="):
            present = store.get(Devices).present(word.removeprefix("root=").strip("\"'").removeprefix("block:"))
            judge = {True: passed, False: failed, None: unknown}[present]
            return judge(Stage.ROOT, f"{word} inside the initramfs", where)
    return unknown(Stage.ROOT, "the kernel command line has no root=", choice.where)


def unlock(store: FactStore) -> StageForecast:
    """Can the encrypted layers under the root be opened there?"""
    layers = store.get(RootStack).of_kind("luks")
    if not layers:
        return skipped(Stage.UNLOCK, "the root is not encrypted")
    names = ", ".join(layer.name for layer in layers)
    return passed(Stage.UNLOCK, f"{names} asks for its passphrase on the console")


def way_back(store: FactStore) -> str:
    """An entry of the menu that would boot on the target all the same, in words; empty when there is none."""
    choice = store.get(BootPaths).way_back(store.get(Target).controllers)
    return "" if choice is None else f"the entry {choice.title!r} can drive the target's disks: choose it in the menu by hand"
