"""Initramfs: can it reach the root disk through the target's controller and mount the root filesystem?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from v2vlint.facts.boot.choices import BootChoice
from v2vlint.facts.boot.path import BootPath, DriveFate, Means, ModuleFate, lacking
from v2vlint.facts.boot.secure_boot import SecureBoot, SecureBootRefusal
from v2vlint.facts.boot.start import DefaultBoot, Startup
from v2vlint.facts.conversion.landing import Landing
from v2vlint.facts.initramfs.content import Initramfs
from v2vlint.facts.initramfs.images import Initramfses
from v2vlint.facts.kernel.kernels import Kernel
from v2vlint.facts.kernel.module_signature import is_signed
from v2vlint.facts.storage.root_stack import RootStack
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.dataclass import dataclass
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.place import WholeFile
from v2vlint.model.target import Controller, Target
from v2vlint.model.verdict import Cause, Judge, Verdict, doubt, fault, repaired
from v2vlint.verdicts.kernel import ImageFault, absent

_PROGRAMS = {
    "lv": ("LVM", ("lvm", "vgchange", "lvchange")),
    "luks": ("LUKS", ("cryptsetup", "systemd-cryptsetup", "crypto-askpass")),
    "md": ("MD RAID", ("mdadm", "mdassemble")),
}
_TOOLS = {"lv": "LVM", "luks": "LUKS"}
_RAID_TYPES = frozenset({"0xfd", "a19d880f-05fc-4d3b-a006-743f0f84911e"})
_WITHOUT_CHOICE = frozenset({"uki", "efi-stub"})
"""A program that firmware starts without a loader, the same each time."""
_KNOWN = frozenset({"initramfs-tools", "dracut", "mkinitcpio"})


@dataclass(frozen=True, slots=True)
class UndrivenController:
    """A controller the kernel has no driver for. ``replaced``: the mover attaches the disk to a controller the kernel can drive."""

    kernel: Kernel
    choice: BootChoice
    controller: Controller
    absent: tuple[str, ...]
    replaced: bool


def _kernel_drivers(boot: DefaultBoot, landing: Landing, target: Target) -> Iterator[Cause[UndrivenController | None]]:
    """Drivers that the kernel lacks altogether. virt-v2v then attaches the disk to IDE: ``do_convert``."""
    kernel = boot.choice.kernel
    if kernel is None or (kernel.is_xen_pv_only and not target.xen_pv):
        return
    driven = all(lacking(kernel, one.any_of, one.prefix) == () for one in landing.controllers)
    replaced = landing.controllers != target.controllers and driven
    for controller in target.controllers:
        absent = lacking(kernel, controller.any_of, controller.prefix)
        if absent is None and boot.path is not None and boot.path.controller(controller).usable is not None:
            continue  # the image tells
        elif absent is None:
            unknown = kernel.tree.unknown
            silent = unknown.reason if unknown else f"it has neither a module list nor a configuration that mentions {controller.name}"
            reason = f"whether kernel {kernel.version} drives {controller.name} cannot be told: {silent}"
            yield Cause(Fate.UNKNOWN, reason, kernel.where)
        elif absent:
            reason = f"kernel {kernel.version} has no driver for {controller.name} ({', '.join(absent)})"
            about = UndrivenController(kernel, boot.choice, controller, absent, replaced)
            yield fault(False, reason, kernel.where, about) if replaced else boot.fault(reason, kernel.where, about)


def _blocked(boot: DefaultBoot, landing: Landing) -> Iterator[Cause[ModuleFate]]:
    """Drivers that modprobe.d or the kernel command line blocks."""
    path = boot.path
    for controller in landing.controllers if path else ():
        for fate in path.controller(controller).failing(Means.BLOCKED) if path else ():
            yield boot.fault(f"the storage driver {fate}", fate.where, fate)


def _other_kernel(boot: DefaultBoot, landing: Landing) -> Iterator[Cause[BootPath]]:
    """An image that holds only modules of another kernel."""
    path = boot.path
    if path is None or path.image is None or _fits(path):
        return
    works = all(path.controller(controller).usable for controller in landing.controllers)
    reason = f"the initramfs of kernel {path.kernel.version} holds modules of {', '.join(sorted(path.image.versions)[:3])} only"
    if path.rebuilt is not None:
        yield repaired(reason, path.image.where, path)
    else:
        yield fault(False, reason, path.image.where, path) if works else boot.fault(reason, path.image.where, path)


def _fits(path: BootPath) -> bool:
    """Whether the image is for this kernel, or does not say which one it is for."""
    image, version = path.image, path.kernel.version
    return image is None or not version or not image.versions or version in image.versions


@dataclass(frozen=True, slots=True)
class Lacking:
    """What the image of ``path`` lacks. ``controllers`` are those left without a driver because of that."""

    path: BootPath
    names: tuple[str, ...]
    controllers: tuple[str, ...] = ()


def _image(boot: DefaultBoot, images: Initramfses, stack: RootStack, landing: Landing, blocks: BlockTable) -> Iterator[Cause[ImageFault]]:
    """Each initramfs file, as the kernel gets it. virt-v2v regenerates the one of its kernel if it exists, whatever its content."""
    choice, path = boot.choice, boot.path
    if path is None:
        return
    for name, where in absent(choice, images):
        # GRUB 2 shows the error and starts the kernel without any of the files.
        needed = ", ".join(_needs(path, stack, landing, blocks))
        if not needed:
            path.kernel.tree.raise_unknown()
        reason = f"{name} does not exist, and an initramfs is needed for {needed}" if needed else f"{name} does not exist"
        about = ImageFault(choice, name, "missing")
        yield boot.fault(reason, where, about) if needed and not tries_again(path) else doubt(bool(needed), reason, where, about)
    for name in choice.initrds if path.image else ():
        image = images.of(name, path.kernel)
        if image is not None and image.damage:
            about, reason = ImageFault(choice, name, "damaged"), f"{name} {image.damage}"
            yield repaired(reason, WholeFile(name), about) if boot.rebuilt else boot.fault(reason, WholeFile(name), about)
        elif image is not None and image.remark and not boot.rebuilt:
            yield doubt(False, f"{name} {image.remark}", WholeFile(name), ImageFault(choice, name, "followed by junk"))


def _none_loaded(boot: DefaultBoot, startup: Startup, stack: RootStack, landing: Landing, blocks: BlockTable) -> Iterator[Cause[Lacking]]:
    """An entry that needs an initramfs and names none, or none that the kernel starts."""
    path = boot.path
    if path is None or not path.alone:
        return
    needed = tuple(_needs(path, stack, landing, blocks))
    if not needed:
        # A kernel of which nobody knows what is built in may well need one.
        path.kernel.tree.raise_unknown()
        return
    if path.choice.entry is None:
        reason = "no boot loader configuration was found, so it is not known whether an initramfs is loaded"
        yield Cause(Fate.UNKNOWN, reason, path.choice.where, None, Lacking(path, needed))
        return
    again = tries_again(path) and (startup.menu is None or startup.menu.loader not in _WITHOUT_CHOICE)
    what = "which" if path.alone == "there is no initramfs" else "and one"
    reason, about = f"{path.alone}, {what} is needed for {', '.join(needed)}", Lacking(path, needed)
    yield doubt(True, reason, path.choice.where, about) if again else boot.fault(reason, path.choice.where, about)


def tries_again(path: BootPath) -> bool:
    """Whether the kernel reboots immediately on panic, so that the loader's fallback entry is tried."""
    return any(argument.name == "panic" and argument.value == "-1" for argument in path.choice.kernel_args)


def _needs(path: BootPath, stack: RootStack, landing: Landing, blocks: BlockTable) -> Iterator[str]:
    for controller in landing.controllers:
        names = [fate.module for fate in path.controller(controller).failing(Means.DISK)]
        if names:
            yield f"{controller.name} ({', '.join(names)})"
    yield from (f"the root filesystem ({fate.module})" for fate in path.root_filesystem(stack).failing(Means.DISK))
    yield from (f"{what} under the root" for kind, what in _TOOLS.items() if stack.of_kind(kind))
    yield from (f"the array {array.name} under the root" for array in stack.of_kind("md") if not _assembled(path, array, blocks))


def _assembled(path: BootPath, array: BlockDevice, blocks: BlockTable) -> bool:
    """Whether the kernel itself sets up an array: of format 0.90 only, from partitions of the type for RAID, or as ``md=`` says
    (drivers/md/md-autodetect.c).
    """
    members = [member for name in array.parents if (member := blocks.named(name)) is not None]
    asked = any(argument.name == "md" for argument in path.choice.kernel_args)
    return array.detail("md_version") in ("", "0.90") and (asked or any(one.part_type in _RAID_TYPES for one in members) or not members)


def _drivers(boot: DefaultBoot, landing: Landing, target: Target) -> Iterator[Cause[Lacking | None]]:
    """Modules of the controllers that are not in the image."""
    path = boot.path
    if path is None or path.image is None:
        return
    found, before = _undriven(path, landing.controllers), _undriven(boot.source_path, target.controllers)
    if found is not None:
        yield boot.fault(_lacks(found), path.image.where, found)
    elif before is not None and before.path.image is not None:
        yield repaired(_lacks(before), before.path.image.where, before)
    for controller in landing.controllers if not path.image.damage else ():
        for fate in path.controller(controller).unknown:
            if fate.where == path.image.where:
                yield Cause(Fate.UNKNOWN, f"{controller.name}: {fate}", fate.where)


def _lacks(found: Lacking) -> str:
    return f"the initramfs of kernel {found.path.kernel.version} lacks {', '.join(found.names)}"


def _undriven(path: BootPath | None, controllers: tuple[Controller, ...]) -> Lacking | None:
    found = missing_modules(path, controllers) if path is not None else ()
    if path is None or not found:
        return None
    return Lacking(path, found, tuple(one.name for one in controllers if path.controller(one).usable is False))


def missing_modules(path: BootPath, controllers: tuple[Controller, ...]) -> tuple[str, ...]:
    """Modules to add to the image: those it lacks, and those it holds without a module they depend on."""
    if path.image is None or not _fits(path):
        return ()
    fates = (fate for controller in controllers for fate in path.controller(controller).failing(Means.DISK))
    return tuple(dict.fromkeys(fate.module for fate in fates))


def _root_filesystem(boot: DefaultBoot, stack: RootStack) -> Iterator[Cause[Lacking]]:
    """What opens LVM, LUKS and MD and mounts the filesystem. Every generator includes these for the root that is mounted when it runs."""
    path, before = boot.path, boot.source_path
    if path is None or path.image is None:
        return
    names = (*_modules(path, stack), *_programs(path, stack))
    if names and _judged(path):
        found = Lacking(path, names)
        stops = boot.fault if _is_root(path, stack) else partial(doubt, True)
        yield stops(_lacks(found), path.image.where, found)
    elif before is not None and before.image is not None and _judged(before) and path.rebuilt is not None:
        names = (*_modules(before, stack), *_programs(before, stack))
        if names:
            yield repaired(_lacks(Lacking(before, names)), before.image.where, Lacking(before, names))


def _is_root(path: BootPath, stack: RootStack) -> bool:
    """Whether the stack is the root's: it was opened, or the command line names the device assumed to be it."""
    if not stack.closed:
        return True
    uuids = [layer.name.removeprefix("luks-").lower() for layer in stack.layers]
    return any(uuid in (argument.value or "").lower() for argument in path.choice.args for uuid in uuids)


def _judged(path: BootPath) -> bool:
    """Whether the image belongs to this kernel and is intact; other causes cover the rest."""
    return path.image is not None and not path.image.damage and _fits(path)


def _modules(path: BootPath, stack: RootStack) -> Iterator[str]:
    for fate in (*path.root_filesystem(stack).failing(Means.DISK), *path.layers(stack).failing(Means.DISK)):
        yield f"{fate.module} (the type of the root filesystem)" if (fate.module,) in stack.fs_modules else fate.module


def _programs(path: BootPath, stack: RootStack) -> Iterator[str]:
    image: Initramfs | None = path.image
    if image is None or image.generator not in _KNOWN or path.rebuilt is not None:
        return
    for kind, (what, names) in _PROGRAMS.items():
        if stack.of_kind(kind) and not image.has_program(*names):
            yield f"the program {names[0]} ({what})"


def _unsigned(boot: DefaultBoot, stack: RootStack, landing: Landing, secure: SecureBoot) -> Iterator[Cause[str]]:
    """Modules for the disks and the root filesystem that a locked kernel does not load: those that carry no signature."""
    path = boot.path
    if path is None or secure.first is None:
        return
    locked = _locks(path.kernel)
    drives = (*map(path.controller, landing.controllers), path.layers(stack), path.root_filesystem(stack))
    fates = (fate for drive in drives for fate in drive.fates if fate.means is Means.IMAGE)
    for name in dict.fromkeys(fate.module for fate in fates) if locked is not False else ():
        file, fs = path.kernel.tree.path(name), path.kernel.fs
        if file and fs and is_signed(fs, file) is False:
            reason = f"Secure Boot: the storage driver {name} is not signed, and the kernel loads signed modules only"
            refusal = SecureBootRefusal(reason, certain=locked is True and not boot.assumed)
            yield secure.refused(refusal, reason, WholeFile(file))


def _locks(kernel: Kernel) -> bool | None:
    """Whether the kernel refuses unsigned modules under Secure Boot; None without its configuration."""
    config = kernel.known_config
    if config is None:
        return None
    symbols = ("LOCK_DOWN_IN_EFI_SECURE_BOOT", "EFI_SECURE_BOOT_LOCK_DOWN", "MODULE_SIG_FORCE", "LOCK_DOWN_KERNEL_FORCE_INTEGRITY")
    return config.is_set("MODULE_SIG") and any(config.is_set(symbol) for symbol in symbols)


def _drives(boot: DefaultBoot, stack: RootStack, landing: Landing) -> Iterator[Cause[None]]:
    """Every controller, layer and filesystem has a driver, built in or in the image, unless a cause above says otherwise."""
    choice, path = boot.choice, boot.path
    where = choice.initrd_where or choice.where
    if path is None:
        yield Cause(Fate.UNKNOWN, f"{' or '.join(choice.initrds) or choice.kernel_path} does not exist", choice.where)
        return
    fates = [path.controller(controller) for controller in landing.controllers]
    fates += [path.root_filesystem(stack), path.layers(stack)]
    for fate in fates:
        if fate.usable is False and path.image is None and tries_again(path):
            yield Cause(Fate.UNKNOWN, _words(fate), choice.where)
        elif fate.usable is False and fate is fates[-1] and not _is_root(path, stack):
            yield doubt(True, _words(fate), fate.failing()[0].where, None)
        elif fate.usable is False:
            yield boot.fault(_words(fate), fate.failing()[0].where, None)
        elif fate.usable is None:
            yield Cause(Fate.UNKNOWN, _words(fate), fate.unknown[0].where)
    made = "virt-v2v's new initramfs" if path.rebuilt is not None else path.image and (path.image.generator or "an initramfs")
    drives = f"{made or 'no initramfs; the kernel itself'} drives {', '.join(fate.name for fate in fates[:-2])}"
    if not fates[-2].fates:  # that of the root filesystem, whose type is unknown
        locked = stack.of_kind("luks")
        unknown = (
            f"{drives} and opens LUKS; what is in {locked[0].name} is not known" if locked else "the root filesystem was not recognised"
        )
        yield Cause(Fate.UNKNOWN, unknown, where)
    yield boot.passes(f"{drives} and mounts {stack.fs_type}", where)


def _words(fate: DriveFate) -> str:
    part = (fate.failing() or fate.unknown)[0]
    return f"{fate.name}: {part}"


class InitramfsVerdict(Verdict, stage=Stage.INITRAMFS, place=50):
    """Can the initramfs reach the root disk through the target's controller and mount the root filesystem?"""

    image = Judge(_image)
    kernel_drivers = Judge(_kernel_drivers)
    blocked = Judge(_blocked)
    other_kernel = Judge(_other_kernel)
    none_loaded = Judge(_none_loaded)
    drivers = Judge(_drivers)
    root_filesystem = Judge(_root_filesystem)
    unsigned = Judge(_unsigned)
    drives = Judge(_drives)
