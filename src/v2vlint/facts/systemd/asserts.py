"""``Assert…=`` of a unit: where one is not so, the unit fails, unlike with ``Condition…=``, which only skips it (systemd.unit(5)).

Conditions come first (unit_start() of unit.c): a unit that may be skipped fails nothing. Judged are those about files of the root and about
the kernel command line; what is made, mounted or removed during boot is not known, and neither is what the others ask for. Compared
with Debian's systemd in a container: tests/facts/systemd/test_asserts.py.
"""

from __future__ import annotations

import bisect
import functools
from collections.abc import Callable, Iterable, Iterator

from v2vlint.facts.boot.cmdline import KernelArg
from v2vlint.facts.syntax.ini import IniSetting
from v2vlint.facts.syntax.systemd_unit import Unit
from v2vlint.facts.systemd.specifiers import expanded
from v2vlint.facts.systemd.tmpfiles import PATH_MAX, TmpFiles, parts, tmpfiles
from v2vlint.guest.fs import MAX_LINKS, GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.place import Token

_EARLY = frozenset(
    (
        "/dev", "/proc", "/sys", "/run", "/tmp", "/var/run", "/var/lock", "/var/tmp", "/var/log", "/var/lib/systemd", "/var/lib/private",
        "/etc/machine-id", "/etc/.updated", "/var/.updated", "/etc/ld.so.cache", "/etc/udev/hwdb.bin",
    )
)  # fmt: skip
"""Mounted, emptied or filled before or while units start: the machine's id before all (machine_id_setup() of machine-id-setup.c), the
others of /etc by services before sysinit.target.
"""
_FOUND = frozenset(("/efi", "/boot", "/home", "/srv", "/var"))
"""Where systemd-gpt-auto-generator(8) mounts partitions by their type, if there is nothing yet."""
_ADDED = frozenset(("BOOT_IMAGE", "initrd"))
"""Arguments that boot loaders add."""
_TAKE_PATHS = frozenset(
    (
        "PathExists", "PathExistsGlob", "PathIsDirectory", "PathIsSymbolicLink", "PathIsMountPoint", "PathIsReadWrite", "PathIsEncrypted",
        "PathIsSocket", "DirectoryNotEmpty", "FileNotEmpty", "FileIsExecutable", "NeedsUpdate",
    )
)  # fmt: skip
_KINDS = _TAKE_PATHS | {
    "Architecture", "Firmware", "Virtualization", "Host", "KernelCommandLine", "KernelVersion", "KernelModuleLoaded", "Version",
    "Credential", "Security", "Capability", "ACPower", "Memory", "CPUs", "CPUFeature", "Environment", "OSRelease", "MemoryPressure",
    "CPUPressure", "IOPressure", "FirstBoot", "User", "Group", "ControlGroupController", "Null",
}  # fmt: skip
"""What a condition or assertion may be about, in any version from 219 to 260 (systemd.unit(5)): systemd ignores other settings."""
_BACKUPS = (
    "~", ".rpmnew", ".rpmsave", ".rpmorig", ".dpkg-old", ".dpkg-new", ".dpkg-tmp", ".dpkg-dist", ".dpkg-bak", ".dpkg-backup",
    ".dpkg-remove", ".ucf-new", ".ucf-old", ".ucf-dist", ".swp", ".bak", ".old", ".new",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asserted:
    """An assertion that is not so: ``text`` is the setting as written. ``why`` follows it."""

    text: str
    value: Token
    why: str = "is not so"


@dataclass(frozen=True)
class Asserts:
    """What assertions are held to. ``args`` are the default entry's, None where that is not known; ``points`` the mount points of boot."""

    fs: GuestFS
    args: tuple[KernelArg, ...] | None
    points: frozenset[str]

    def failing(self, unit: Unit) -> Asserted | None:
        """The assertion that certainly fails ``unit``: one that stands alone, or the last of those with ``|``, of which one is enough."""
        found = list(self._outcomes(unit, "Assert"))
        alone = next((asserted for asserted, trigger, holds in found if not trigger and holds is False), None)
        triggers = [(asserted, holds) for asserted, trigger, holds in found if trigger]
        none = triggers and all(holds is False for _asserted, holds in triggers)
        failed = alone or (triggers[-1][0] if none else None)
        return failed if failed is not None and self._is_started(unit) else None

    def _is_started(self, unit: Unit) -> bool:
        """Whether all conditions are certainly met."""
        found = list(self._outcomes(unit, "Condition"))
        triggers = [holds for _setting, trigger, holds in found if trigger]
        return all(holds for _setting, trigger, holds in found if not trigger) and (not triggers or any(triggers))

    def _outcomes(self, unit: Unit, family: str) -> Iterator[tuple[Asserted, bool, bool | None]]:
        for setting in _stated(unit, family):
            token = setting.value
            rest = token.value.removeprefix("|").lstrip()
            negated, value = rest.startswith("!"), expanded(rest.removeprefix("!").lstrip(), unit.name, unit.host)
            kind = setting.key.removeprefix(family)
            if kind in _TAKE_PATHS and value is not None and not value.startswith("/"):
                continue  # with a warning, by every version; one with "..", only by newer ones
            holds = None if value is None else self._outcome(kind, value)
            yield (
                Asserted(f"{setting.key}={token.value}", token),
                token.value.startswith("|"),
                None if holds is None else holds is not negated,
            )

    def _outcome(self, kind: str, value: str) -> bool | None:
        if kind == "KernelCommandLine":
            return self._is_argument(value)
        if kind not in _PATHS:
            return None
        try:
            path = self._place(value, follow=kind != "PathIsSymbolicLink")
            return None if path is None else _PATHS[kind](self.fs, path)
        except FactUnavailable:
            return None

    def _is_argument(self, value: str) -> bool | None:
        if self.args is None or value.partition("=")[0] in _ADDED:
            return None
        return any(value == str(arg) or (value == arg.name and "=" not in value) for arg in self.args)

    def _place(self, path: str, follow: bool) -> str | None:
        """Where ``path`` leads, also if there is nothing. None unless all on the way is on the root filesystem from its first moment, and
        stays as it is; and for what systemd ignores (path_simplify_and_warn() of path-util.c).
        """
        if len(path) >= PATH_MAX or ".." in path.split("/"):
            return None
        pending, place, links = parts(path), "", 0
        while pending:
            name = pending.pop(0)
            step = place.rpartition("/")[0] if name == ".." else f"{place}/{name}"
            if self._is_changed(step):
                return None
            link = self.fs.readlink(step) if pending or follow else None
            if link is None:
                place = step
                continue
            pending, links = [*parts(link), *pending], links + 1
            place = "" if link.startswith("/") else place
            if links > MAX_LINKS:
                return None
        return None if self._leads_there(place) else place or "/"

    def _is_changed(self, step: str) -> bool:
        """Whether what is in this folder, or where the link leads, is not known."""
        changed = step in self.points or step in _EARLY or not {"", step}.isdisjoint(self._tmpfiles.trees)
        return changed or (step in _FOUND and not self.fs.listdir(step))

    @functools.cached_property
    def _tmpfiles(self) -> TmpFiles:
        """Everything where they cannot be read: a property that raises is not kept, and all files would be read again."""
        try:
            return tmpfiles(self.fs)
        except FactUnavailable:
            return TmpFiles(trees=frozenset([""]))

    @functools.cached_property
    def _made(self) -> list[str]:
        return sorted(f"{path}/" for path in self.points | self._tmpfiles.paths | self._tmpfiles.trees)

    def _leads_there(self, place: str) -> bool:
        """Whether this is made at boot, or a folder in which something is: hostile lists of paths are long."""
        index = bisect.bisect_left(self._made, f"{place}/")
        return index < len(self._made) and self._made[index].startswith(f"{place}/")


def _stated(unit: Unit, family: str) -> list[IniSetting]:
    """The assertions or conditions in order. An empty one empties the whole list, of whatever kind (config_parse_unit_condition_path())."""
    found, known = list[IniSetting](), {f"{family}{kind}" for kind in _KINDS}
    for section in unit.ini.named("Unit"):
        for setting in section.settings:
            if setting.key not in known:
                continue
            if setting.value.value:
                found.append(setting)
            else:
                found.clear()
    return found


def _holds_something(fs: GuestFS, path: str) -> bool | None:
    """Whether the folder is not empty. Some versions of systemd overlook hidden files and backups (hidden_or_backup_file())."""
    names = fs.listdir(path)
    plain = any(not name.startswith((".", "aquota.")) and not name.endswith(_BACKUPS) and name != "lost+found" for name in names)
    return plain or (None if names else False)


def _filled(fs: GuestFS, path: str) -> bool:
    found = fs.stat(path)
    return fs.is_file(path) and found is not None and found.size > 0


def _runs(fs: GuestFS, path: str) -> bool:
    found = fs.stat(path)
    return fs.is_file(path) and found is not None and bool(found.mode & 0o111)


_PATHS: dict[str, Callable[[GuestFS, str], bool | None]] = {
    "PathExists": lambda fs, path: fs.exists(path),
    "PathIsDirectory": lambda fs, path: fs.is_dir(path),
    "PathIsSymbolicLink": lambda fs, path: fs.readlink(path) is not None,
    "DirectoryNotEmpty": _holds_something,
    "FileNotEmpty": _filled,
    "FileIsExecutable": _runs,
}


def asserts(fs: GuestFS, entries: Iterable[tuple[KernelArg, ...]], points: Iterable[str]) -> Asserts:
    """``entries`` are the command lines that may be the default; assertions about them are judged where there is one."""
    lines = tuple(entries)
    return Asserts(fs, lines[0] if len(lines) == 1 else None, frozenset("/".join(("", *parts(point))) for point in points) - {""})
