"""Where the guest is told to go: to a login, or to a shell for maintenance, to power-off, to a bare shell in place of an init.

systemd: the default target, or what stands for it (:mod:`v2vlint.facts.systemd.goal`). SysV init and upstart: a word of the command line,
else the level of ``initdefault`` (inittab(5)). Whatever the init: the kernel's own choice of the first program (init/main.c).
"""

from __future__ import annotations

from v2vlint.facts.boot.bootloader import default_entries
from v2vlint.facts.boot.choices import BootChoices
from v2vlint.facts.boot.cmdline import last_arg
from v2vlint.facts.boot.entry import BootEntry
from v2vlint.facts.boot.init import INITTAB, Init
from v2vlint.facts.boot.path import BootPaths
from v2vlint.facts.kernel.kernels import version_key
from v2vlint.facts.registry import FactStore, provides
from v2vlint.facts.systemd.goal import BootGoal, goal_of
from v2vlint.facts.systemd.mount_units import MountUnits
from v2vlint.facts.systemd.unit_files import UnitFiles
from v2vlint.facts.systemd.unstartable import unstartable
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.place import Where, WholeFile

_FIRST = ("/sbin/init", "/etc/init", "/bin/init", "/bin/sh")
_STORE = "/nix/store/"
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "csh", "tcsh", "fish"})
_ENDS = {
    "emergency": "ends in an emergency shell",
    "rescue": "ends in a shell for maintenance",
    "poweroff": "turns the machine off",
    "halt": "halts the machine",
    "reboot": "restarts the machine again and again",
    "kexec": "restarts the machine again and again",
}
_FOLDER = "/etc/systemd/system"
_DEFAULT = f"{_FOLDER}/default.target"
_LEVELS = {"0": "halts the machine", "6": "restarts the machine again and again", **dict.fromkeys(("1", "s", "S"), _ENDS["rescue"])}


@dataclass(frozen=True, slots=True)
class BootEnd:
    """``shell`` says that the first program is a shell, that there is none, or that it freezes, ``maintenance`` that an init is told not to
    go to a login: lower-case fragments, each empty for a usual guest. ``where`` is the place that says so.
    """

    shell: str = ""
    maintenance: str = ""
    where: Where | None = None


@provides
def find_boot_end(fs: GuestFS, init: Init, store: FactStore) -> BootEnd:
    """By the default entry, where there is one; of several that differ, only what is true for all."""
    entries = default_entries(store)
    if (found := _asked_shell(fs, entries) or _nobody(fs, entries, store) or _last_resort(fs, entries)) is not None:
        return found
    if init.name == "systemd":
        return _systemd(store, entries)
    return _levels(fs, entries) if init.name in ("sysv", "upstart") else BootEnd()


def _asked(entries: tuple[BootEntry, ...]) -> set[str]:
    """The programs of ``init=``; an empty string where an entry names none."""
    return {(arg.value if (arg := last_arg(entry.early_args, "init")) else "") or "" for entry in entries} or {""}


def _asked_shell(fs: GuestFS, entries: tuple[BootEntry, ...]) -> BootEnd | None:
    """A shell that all entries ask for in place of an init."""
    asked = _asked(entries)
    path = next(iter(asked))
    shell = len(asked) == 1 and path and _is_shell(fs, path)
    return BootEnd(f"init={path} starts a shell in place of an init", where=entries[0].where) if shell else None


def _last_resort(fs: GuestFS, entries: tuple[BootEntry, ...]) -> BootEnd | None:
    """A shell that is the first program that exists, whatever the entries ask for."""
    started = {next((one for one in (own, *_FIRST) if one and fs.is_file(one)), "") for own in _asked(entries)}
    if started != {_FIRST[-1]}:
        return None
    return BootEnd(f"there is no init program, so that {_FIRST[-1]} starts in its place", where=WholeFile(_FIRST[0]))


def _nobody(fs: GuestFS, entries: tuple[BootEntry, ...], store: FactStore) -> BootEnd | None:
    """``init=`` with a program that is not there. initramfs-tools' and dracut's own scripts take another; systemd in the initramfs
    (``method_switch_root`` of dbus-manager.c), NixOS' stage-1-init.sh and a kernel without one (``kernel_init`` of init/main.c, since 4.0)
    do not."""
    asked = {arg.value if (arg := last_arg(entry.early_args, "init")) else None for entry in entries}
    path = next(iter(asked), None)
    if len(asked) != 1 or not path or fs.exists(path) or fs.readlink(path) or not _in_reach(fs, path):
        return None
    try:
        default = store.get(BootChoices).default
        booted = store.get(BootPaths).of(default) if default else None
    except FactUnavailable:
        return None
    if default is not None and booted is not None and booted.alone and version_key(default.version)[:1] >= version_key("4"):
        return BootEnd(f"init={path} is not there, and a kernel without an initramfs tries no other", where=entries[0].where)
    image = booted.image if booted is not None else None
    first = image.links.get("init", "") if image is not None else ""
    if first.endswith("-stage-1-init.sh"):
        return BootEnd(f"init={path} is not there, and NixOS' first stage stops without it", where=entries[0].where)
    if not first.endswith("lib/systemd/systemd"):
        return None
    return BootEnd(f"init={path} is not there, and systemd in the initramfs hands over to no other", where=entries[0].where)


def _in_reach(fs: GuestFS, path: str) -> bool:
    """Whether the folder of ``path`` is known: without it, it may be on a filesystem that the initramfs mounts, such as NixOS' /nix."""
    return fs.is_dir(path.rpartition("/")[0]) or (path.startswith(_STORE) and bool(fs.listdir(_STORE.rstrip("/"))))


def _is_shell(fs: GuestFS, path: str) -> bool:
    return fs.is_file(path) and path.rpartition("/")[2] in _SHELLS


def _systemd(store: FactStore, entries: tuple[BootEntry, ...]) -> BootEnd:
    if (frozen := _frozen(store, entries)) is not None:
        return frozen
    goal = store.get(BootGoal).target
    name, _, kind = goal.rpartition(".")
    if kind not in ("target", "service") or name not in _ENDS:
        return BootEnd()
    told = {goal_of(entry.args).target for entry in entries}
    # Where the entries differ, the default target counts.
    by_entry = len(told) == 1 and told != {BootGoal().target}
    place = entries[0].where if by_entry else WholeFile(store.get(UnitFiles).path("default.target") or _DEFAULT)
    return BootEnd(maintenance=f"systemd starts {goal}, which {_ENDS[name]}", where=place)


def _frozen(store: FactStore, entries: tuple[BootEntry, ...]) -> BootEnd | None:
    files, goal = store.get(UnitFiles), store.get(BootGoal)
    found = unstartable(files, store.get(MountUnits), goal)
    if found is None:
        return None
    place = found.place or files.path(goal.target) or f"{_FOLDER}/{goal.target}"
    where = entries[0].where if found.told and entries else WholeFile(place)
    return BootEnd(f"systemd freezes before it starts anything: {found.reason}", where=where)


def _levels(fs: GuestFS, entries: tuple[BootEntry, ...]) -> BootEnd:
    told = {goal_of(entry.args).target for entry in entries}
    if told and told <= {"rescue.target", "emergency.target"}:
        return BootEnd(maintenance=f"the command line asks init for a single user: it {_ENDS['rescue']}", where=entries[0].where)
    text = fs.text(INITTAB)
    for line in text.lines() if text is not None and told <= {"default.target"} else ():
        fields = line.text.strip().split(":")
        if not line.is_blank() and fields[2:3] == ["initdefault"]:
            effect = _LEVELS.get(fields[1][:1], "")
            return BootEnd(maintenance=f"init goes to level {fields[1][:1]}, which {effect}", where=line.where) if effect else BootEnd()
    return BootEnd()
