"""The shared judgement whether a kernel with its initramfs can reach the root disk on other hardware.

For every module that is needed it says where it comes from: built in, inside the initramfs with all it depends on, only on the disk that
it should make reachable, absent from the kernel, kept from loading, or unknown. Rules and the forecast ask the same object::

    path = paths.of(choices.default)
    path.controller(target.controllers[0]).usable      # True, False, or None: cannot be told
    path.module("virtio_blk").reason                   # "is not in the initramfs"
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Iterable, Iterator
from dataclasses import field

from v2vlint.facts.boot.choices import BootChoice, BootChoices
from v2vlint.facts.boot.cmdline import KernelArg, last_arg
from v2vlint.facts.boot.named_modules import NamedModules
from v2vlint.facts.initramfs.compiled_in import has_none
from v2vlint.facts.initramfs.content import Initramfs, merged
from v2vlint.facts.initramfs.images import Initramfses
from v2vlint.facts.kernel.kernels import Kernel, Presence
from v2vlint.facts.kernel.modprobe import LateModprobe, Modprobe, ModprobeCommand, image_modprobe
from v2vlint.facts.kernel.module_names import normal
from v2vlint.facts.kernel.modules import ModuleList, parse_dep, parse_names
from v2vlint.facts.registry import provides
from v2vlint.facts.storage.root_stack import RootStack
from v2vlint.guest.text import split_lines
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.place import Where
from v2vlint.model.target import Controller, Nic

MAX_TRIED = 4  # each may have an initramfs of its own to read
SCSI_DISK = "sd_mod"
_TRANSPORTS = ("virtio_pci", "virtio_mmio", "virtio_ccw")


class Means(enum.Enum):
    """How a module becomes available when the root disk is looked for."""

    BUILTIN = "is built in"
    IMAGE = "is in the initramfs"
    INSTALLED = "is installed"
    DISK = "is not in the initramfs"
    ABSENT = "is not part of the kernel"
    BLOCKED = "is kept from loading"
    UNKNOWN = "cannot be told"


@dataclass(frozen=True, slots=True)
class ModuleFate:
    """The verdict on one module. ``reason`` continues a sentence that starts with the module's name; ``where`` is the place that
    decides.
    """

    module: str
    means: Means
    reason: str
    where: Where

    @property
    def usable(self) -> bool | None:
        """Whether the module drives its device in time; None when that is unknown."""
        if self.means is Means.UNKNOWN:
            return None
        return self.means in (Means.BUILTIN, Means.IMAGE, Means.INSTALLED)

    def __str__(self) -> str:
        return f"{self.module} {self.reason}"


@dataclass(frozen=True, slots=True)
class DriveFate:
    """The verdict on a device that needs several modules. ``fates`` are those of the best of its alternatives."""

    name: str
    fates: tuple[ModuleFate, ...]

    @property
    def usable(self) -> bool | None:
        """True when every module is usable, False when one certainly is not, else None."""
        verdicts = {fate.usable for fate in self.fates}
        return False if False in verdicts else None if None in verdicts else True

    def failing(self, *means: Means) -> tuple[ModuleFate, ...]:
        """The modules that are not usable, for one of the given reasons (or for any)."""
        return tuple(fate for fate in self.fates if fate.usable is False and (not means or fate.means in means))

    @property
    def unknown(self) -> tuple[ModuleFate, ...]:
        """The modules whose availability is unknown."""
        return tuple(fate for fate in self.fates if fate.usable is None)


@dataclass(frozen=True)
class BootPath:
    """One kernel with its initramfs (None: it starts without one) and the settings that keep modules from loading there.

    ``rebuilt`` are the modules that the mover's rebuild of the image adds to those its generator included before and to those for the root
    filesystem; None when the image stays as it is. ``named`` are the modules that the guest lists for its init to load.
    """

    kernel: Kernel
    image: Initramfs | None
    modprobe: LateModprobe
    choice: BootChoice
    rebuilt: frozenset[str] | None = None
    named: NamedModules = NamedModules()
    alone: str = ""

    @property
    def early_args(self) -> tuple[KernelArg, ...]:
        """The arguments that count where the root is mounted: all for an initramfs, without one those that the kernel reads."""
        return self.choice.kernel_args if self.alone else self.choice.args

    def controller(self, controller: Controller) -> DriveFate:
        """Whether the disk controller has drivers, including its transport and the disk driver on top of it."""
        return self.any_of(controller.name, (_completed(modules, controller.prefix) for modules in controller.any_of))

    def network(self, nic: Nic) -> DriveFate:
        """Whether the network card has a driver once the root filesystem is mounted, from the initramfs or from the disk."""
        found = [DriveFate(nic.name, tuple(map(self.installed, modules))) for modules in nic.any_of]
        return min(found, key=_rank, default=DriveFate(nic.name, ()))

    def root_filesystem(self, stack: RootStack) -> DriveFate:
        """Whether the root filesystem can be mounted; without fates when its type is unknown."""
        return self.any_of(stack.fs_type, stack.fs_modules, by_name=True)

    def layers(self, stack: RootStack) -> DriveFate:
        """Whether the kernel can set up LVM, LUKS and MD under the root filesystem."""
        return DriveFate("root volume", tuple(self.module(name, by_name=True) for name in stack.layer_modules))

    def any_of(self, name: str, alternatives: Iterable[tuple[str, ...]], by_name: bool = False) -> DriveFate:
        """The best of alternative module sets: a usable one, else one that is unknown, else the one with the least missing."""
        found = [DriveFate(name, tuple(self.module(module, by_name=by_name) for module in modules)) for modules in alternatives]
        return min(found, key=_rank, default=DriveFate(name, ()))

    def module(self, name: str, by_name: bool = False) -> ModuleFate:
        """How ``name`` becomes available. Modules loaded ``by_name`` are not affected by a blacklist."""
        name = normal(name)
        presence = self.kernel.has(name)
        if presence is Presence.BUILTIN or name in self._image_builtin:
            return ModuleFate(name, Means.BUILTIN, Means.BUILTIN.value, self.kernel.where)
        inside = self._inside(name)
        if inside is None and presence is Presence.ABSENT:
            return ModuleFate(name, Means.ABSENT, f"is not part of kernel {self.kernel.version}", self.kernel.where)
        # The image's own modules.builtin would have listed the module if it were built in.
        if inside is None and presence is Presence.UNKNOWN and not self._image_builtin:
            reason = f"cannot be told for kernel {self.kernel.version or self.kernel.image}: {self.kernel.silent}"
            return ModuleFate(name, Means.UNKNOWN, reason, self.kernel.where)
        if self.rebuilt is not None and presence is Presence.MODULE and (by_name or name in self.rebuilt):
            return self._put_in(name, by_name)
        if inside is None or inside:
            return self._outside(name, inside)
        return self._blocked(name, by_name) or ModuleFate(name, Means.IMAGE, Means.IMAGE.value, self._image_where())

    def installed(self, name: str) -> ModuleFate:
        """How ``name`` becomes available once the root filesystem is mounted, subject to the guest's own modprobe configuration."""
        early = self.module(name)
        if early.usable or early.means in (Means.ABSENT, Means.UNKNOWN):
            return early
        return self._late(early.module) or ModuleFate(early.module, Means.INSTALLED, Means.INSTALLED.value, self.kernel.where)

    def _put_in(self, name: str, by_name: bool) -> ModuleFate:
        """A new image has the guest's own modprobe configuration."""
        stopped = self._stopped(name, self.modprobe.get(), self.requires(name), " in the initramfs", by_name)
        return stopped or ModuleFate(name, Means.IMAGE, "is put into the initramfs", self._image_where())

    def _outside(self, name: str, lacking: str | None) -> ModuleFate:
        if self.image is None:
            return ModuleFate(name, Means.DISK, "is a module, and the kernel starts without an initramfs", self.choice.where)
        if self.image.damage or not (self.image.generator or self.image.modules):
            why = self.image.damage or "holds no modules, and is of an unknown make"
            return ModuleFate(name, Means.UNKNOWN, f"cannot be told: {self.image.where} {why}", self._image_where())
        if lacking:
            return ModuleFate(name, Means.DISK, f"is in the initramfs, but {lacking}, which it depends on, is not", self._image_where())
        return ModuleFate(name, Means.DISK, Means.DISK.value, self._image_where())

    def _inside(self, name: str) -> str | None:
        """None when the image lacks the module, the name of a missing dependency, or an empty string when everything is there."""
        if self.image is None or not self.image.has(name, self.kernel.version):
            return None
        for dependency in self.requires(name):
            if not self.image.has(dependency, self.kernel.version) and not self._builtin(dependency):
                return dependency
        return ""

    def _builtin(self, name: str) -> bool:
        return name in self._image_builtin or self.kernel.has(name) is Presence.BUILTIN

    def requires(self, name: str) -> tuple[str, ...]:
        """The dependencies of ``name``, according to the image's own ``modules.dep`` or else the guest's."""
        listed = self._image_dep.requires(name) if self._image_dep else None
        return self.kernel.tree.requires(name) if listed is None else listed

    @functools.cached_property
    def _image_dep(self) -> ModuleList | None:
        text = self.image.tree_file("modules.dep", self.kernel.version) if self.image else None
        return None if text is None else parse_dep(text)

    @functools.cached_property
    def _image_builtin(self) -> frozenset[str]:
        text = self.image.tree_file("modules.builtin", self.kernel.version) if self.image else None
        return parse_names(text or "")

    def _image_where(self) -> Where:
        return self.image.where if self.image else self.choice.where

    def _blocked(self, name: str, by_name: bool) -> ModuleFate | None:
        forced = by_name or name in self.forced()
        return self._stopped(name, self._image_modprobe, self.requires(name), " in the initramfs", forced)

    def _stopped(self, name: str, modprobe: Modprobe, requires: tuple[str, ...], place: str, by_name: bool = False) -> ModuleFate | None:
        for part in (name, *requires):
            if arg := self._refused(part):
                return ModuleFate(name, Means.BLOCKED, f"is blocked by {arg}", arg.where)
            if command := modprobe.disabled(part):
                what = "is disabled" if part == name else f"needs {part}, which is disabled"
                return ModuleFate(name, Means.BLOCKED, f"{what} by `{command}`{place}", self._place(command))
        if by_name:
            return None
        # A blacklist concerns aliases only.
        if arg := self._listed(name, bool(place)):
            return ModuleFate(name, Means.BLOCKED, f"is blocked by {arg}", arg.where)
        if command := modprobe.blacklisted(name):
            return ModuleFate(name, Means.BLOCKED, f"is blocked by `{command}`{place}", self._place(command))
        return None

    def _refused(self, name: str) -> KernelArg | None:
        """The argument by which the kernel refuses a module, whoever loads it: the last one, with the kernel's own spelling of the name
        (``blacklisted()`` of kernel/module/main.c).
        """
        arg = next((arg for arg in reversed(self.choice.kernel_args) if normal(arg.name) == "module_blacklist"), None)
        return arg if arg is not None and name in (arg.value or "").split(",") else None

    def _listed(self, name: str, early: bool) -> KernelArg | None:
        """The argument that blacklists a module for modprobe. libkmod takes names as they are written; dracut writes its own arguments to a
        file in the initramfs, where ``-`` is ``_``.
        """
        written = next((arg for value, arg in self.choice.values("modprobe.blacklist") if value == name), None)
        own = self.choice.values("rd.driver.blacklist", "rdblacklist") if early else ()
        return written or next((arg for value, arg in own if normal(value) == name), None)

    def _late(self, name: str) -> ModuleFate | None:
        """What keeps a module that is not loaded early from loading later; None when nothing does."""
        requires = self.kernel.tree.requires(name)
        stopped = self._stopped(name, self.modprobe.get(), requires, "")
        ignored = self.named.ignores_blacklist(name) if stopped else False
        if stopped is None or ignored is False or self.modprobe.get().turned_off(name):
            return stopped
        if by_name := self._stopped(name, self.modprobe.get(), requires, "", by_name=True):
            return by_name
        if ignored:
            return None
        reason = f"{stopped.reason}, but {self.named.modules[name]} lists it, and whether this init then loads it is not known"
        return ModuleFate(name, Means.UNKNOWN, reason, stopped.where)

    @functools.cached_property
    def _image_modprobe(self) -> Modprobe:
        return image_modprobe(self.image) if self.image else Modprobe()

    def _place(self, command: ModprobeCommand) -> Where:
        """The line of the guest's own configuration that was copied into the image, else the image."""
        try:
            commands = self.modprobe.get().commands
        except FactUnavailable:
            return self._image_where()
        same = (own.where for own in commands if own.command == command.command and own.name == command.name)
        return next(same, self._image_where())

    def forced(self) -> frozenset[str]:
        """Modules that the image's init loads by name, in spite of blacklists."""
        found = {normal(value) for value, _ in self.choice.values("rd.driver.pre", "rd.driver.post", "rdloaddriver")}
        if self.image is not None:
            # load_modules() of initramfs-tools.
            lines = split_lines(self.image.text("conf/modules") or "")
            found |= {normal(line.split()[0]) for line in lines if line.split() and not line.lstrip().startswith("#")}
            # dracut's force_drivers become rd.driver.pre= in 20-force_drivers.conf.
            words = " ".join(self.image.under("etc/cmdline.d").values()).split()
            found |= {normal(m) for w in words if w.startswith("rd.driver.p") for m in w.partition("=")[2].split(",") if m}
        return frozenset(found)


@dataclass(frozen=True)
class BootPaths:
    """The boot path of every choice, evaluated on demand: an initramfs is read only then."""

    choices: BootChoices
    initramfses: Initramfses
    modprobe: LateModprobe
    named: NamedModules = NamedModules()
    _known: dict[int, BootPath] = field(default_factory=dict, repr=False, compare=False)

    def of(self, choice: BootChoice) -> BootPath | None:
        """The path of ``choice``; None when its kernel or an initramfs that the loader insists on does not exist. FactUnavailable when
        one is unreadable.
        """
        if choice.kernel is None:
            return None
        if id(choice) not in self._known:  # choices live as long as this object, so their ids are not reused
            given = self.initramfses.joined(choice.initrds, choice.kernel) if choice.initrds else None
            if choice.initrds and given is None and (choice.unreadable or not choice.goes_on):
                return None
            image, alone = self._started(choice, choice.kernel, given)
            self._known[id(choice)] = BootPath(choice.kernel, image, self.modprobe, choice, named=self.named, alone=alone)
        return self._known[id(choice)]

    def _started(self, choice: BootChoice, kernel: Kernel, given: Initramfs | None) -> tuple[Initramfs | None, str]:
        """What the kernel unpacks, its own initramfs and the loader's on top, if it starts that; else nothing, and why."""
        config, read = kernel.known_config, given
        if config and config.options.get("BLK_DEV_INITRD") == "n":
            return None, f"kernel {kernel.version} reads no initramfs (CONFIG_BLK_DEV_INITRD is not set)"
        # A kernel that does not tell is taken apart only if nothing else could be its initramfs.
        own = self.initramfses.compiled_in(kernel) if given is None or has_none(config) is False else None
        if config and config.get("INITRAMFS_FORCE") == "y":
            read = None
        parts = tuple(part for part in (own, read) if part is not None)
        image = merged(parts) if parts else None
        if image is None and (given is not None or not choice.initrds):
            return None, "there is no initramfs" if given is None else "the kernel ignores the loader's initramfs (CONFIG_INITRAMFS_FORCE)"
        asked = last_arg(choice.kernel_args, "rdinit")
        program = (asked.value if asked else None) or "/init"
        # A link counts without what it leads to: a recreated or stripped guest has the names that dracut writes, not systemd itself.
        if image is None or image.damage or image.find(program) is not None or program.lstrip("/") in image.files:
            return image, ""
        return None, f"the initramfs has no {program}"

    @property
    def defaults(self) -> Iterator[BootPath]:
        """The paths of the defaults whose files exist."""
        return (path for choice in self.choices.defaults if (path := self.of(choice)) is not None)

    def way_back(self, controllers: Iterable[Controller]) -> BootChoice | None:
        """An entry other than the defaults that can drive every one of ``controllers``: a fallback or rescue image, an older kernel."""
        wanted = tuple(controllers)
        for choice in self.choices.others[:MAX_TRIED]:
            try:
                path = self.of(choice)
            except FactUnavailable:
                continue
            if path is not None and all(path.controller(controller).usable for controller in wanted):
                return choice
        return None


@provides
def find_boot_paths(choices: BootChoices, initramfses: Initramfses, modprobe: LateModprobe, named: NamedModules) -> BootPaths:
    """Nothing is read before a path is asked for."""
    return BootPaths(choices, initramfses, modprobe, named)


def _completed(modules: tuple[str, ...], prefix: str) -> tuple[str, ...]:
    """``modules`` with dependencies that are not in modules.dep: the bus under a virtio device, the disk driver on top of a SCSI host."""
    names = tuple(map(normal, modules))
    if any(name.startswith("virtio_") for name in names) and not any(name in _TRANSPORTS for name in names):
        names = (*names, "virtio_pci")
    return (*names, SCSI_DISK) if prefix == "sd" and SCSI_DISK not in names else names


def _rank(fate: DriveFate) -> tuple[int, int, int]:
    order = {True: 0, None: 1, False: 2}
    return order[fate.usable], len(fate.failing(Means.ABSENT)), len(fate.failing())


def lacking(kernel: Kernel, alternatives: Iterable[tuple[str, ...]], prefix: str = "") -> tuple[str, ...] | None:
    """What the kernel lacks for the best alternative: nothing, some module names, or None when it is unknown."""
    found: list[tuple[str, ...] | None] = []
    for modules in alternatives:
        presence = {name: kernel.has(name) for name in _completed(modules, prefix)}
        absent = tuple(name for name, what in presence.items() if what is Presence.ABSENT)
        found.append(absent if absent or Presence.UNKNOWN not in presence.values() else None)
    if () in found or not found:
        return ()
    return None if None in found else min((names for names in found if names), key=len)
