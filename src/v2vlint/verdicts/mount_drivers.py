"""Drivers of filesystems that boot mounts: the kernel calls ``modprobe fs-TYPE`` for a mount, where blacklists apply."""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.boot.choices import BootChoice, BootChoices
from v2vlint.facts.boot.named_modules import NamedModules
from v2vlint.facts.boot.path import BootPath, BootPaths, Means
from v2vlint.facts.kernel.modprobe import LateModprobe, Modprobe, ModprobeCommand
from v2vlint.facts.storage.fstab import FstabEntry
from v2vlint.facts.storage.mount_policy import MountPolicy
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.place import Where
from v2vlint.model.verdict import Cause, doubt, fault
from v2vlint.verdicts.mount_types import driver_of, is_plain


@dataclass(frozen=True, slots=True)
class Disabled:
    """A filesystem driver that may not be loaded for ``entry``; ``commands`` are all modprobe.d commands in the way."""

    commands: tuple[ModprobeCommand, ...]
    entry: FstabEntry


def disabled_drivers(
    policy: MountPolicy, choices: BootChoices, paths: BootPaths, late: LateModprobe, named: NamedModules, fs: GuestFS
) -> Iterator[Cause[Disabled]]:
    """The first mount of each type whose driver is a module that modprobe or the kernel refuses."""
    choice = choices.default
    path = BootPath(choice.kernel, None, late, choice, named=named) if choice and choice.kernel else None
    for kind, entry in _kinds(policy, fs):
        module = driver_of(kind)
        stopped = _stopped(path, module, kind, late.get())
        if stopped is not None and not (choice and _early(paths, choice, module)):
            reason, where, certain = stopped
            commands = tuple(command for command in late.get().commands if _is_in_the_way(command, module, kind, path))
            told = f"{reason}, but {entry.mount_point} is a {kind} filesystem mounted at boot"
            yield (fault if certain else doubt)(True, told, where, Disabled(commands, entry))


def _kinds(policy: MountPolicy, fs: GuestFS) -> Iterator[tuple[str, FstabEntry]]:
    """The filesystem types that boot waits for, except for that of the root, each with its first entry."""
    root = fs.mounts.get("/")
    seen = {driver_of(root.type)} if root is not None else set[str]()
    for entry in policy.entries:
        system = fs.mounts.get(entry.mount_point)
        kind = system.type if system is not None and entry.fs_type == "auto" else entry.fs_type
        if policy.stops(entry) and (is_plain(entry) or entry.fs_type == "auto") and driver_of(kind) not in seen:
            seen.add(driver_of(kind))
            yield kind, entry


def _stopped(path: BootPath | None, module: str, kind: str, modprobe: Modprobe) -> tuple[str, Where, bool] | None:
    """Why the driver does not load, where that stands, and whether it is certain."""
    fate = path.installed(module) if path else None
    if fate and fate.means is Means.BLOCKED:
        return str(fate), fate.where, True
    if fate and fate.means is Means.INSTALLED:
        command = modprobe.disabled(f"fs-{kind}") or next((c for c in modprobe.commands if _is_off(c, kind)), None)
    else:
        unclear = fate is None or fate.means is Means.UNKNOWN
        command = (modprobe.disabled(module) or modprobe.blacklisted(module)) if unclear else None
    return (f"{module} is disabled by `{command}`", command.where, fate is not None and fate.means is Means.INSTALLED) if command else None


def _is_off(command: ModprobeCommand, kind: str) -> bool:
    return command.command == "alias" and command.name == f"fs_{kind}" and command.argument == "off"


def _is_in_the_way(command: ModprobeCommand, module: str, kind: str, path: BootPath | None) -> bool:
    modules = {module, f"fs_{kind}", *(path.requires(module) if path else ())}
    stops = command.name in modules if command.disables else command.command == "blacklist" and command.name == module
    return stops or _is_off(command, kind)


def _early(paths: BootPaths, choice: BootChoice, module: str) -> bool:
    """Whether the initramfs loads the driver by its name."""
    try:
        path = paths.of(choice)
        return path is not None and module in path.forced() and bool(path.module(module).usable)
    except FactUnavailable:
        return False
