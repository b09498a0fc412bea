"""``Assert…=`` of a unit: where one is not so, the unit fails, unlike with ``Condition…=``, which only skips it (systemd.unit(5)).

Judged are those about files of the root and about the kernel command line; whatever is below a folder that is mounted during boot is
not known, and neither is what the others ask for. Compared with Debian's systemd in a container: tests/facts/systemd/test_nspawn.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from v2vlint.facts.boot.cmdline import KernelArg
from v2vlint.facts.syntax.systemd_unit import Unit
from v2vlint.facts.systemd.specifiers import expanded
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Token

_EARLY = ("/dev", "/proc", "/sys", "/run", "/tmp", "/var/run", "/var/lock", "/var/tmp")
"""Mounted, emptied or filled before or while units start."""


@dataclass(frozen=True, slots=True)
class Asserted:
    """An assertion that is not so: ``text`` is the setting as written."""

    text: str
    value: Token


@dataclass(frozen=True)
class Asserts:
    """What assertions are held to. ``args`` are the default entry's, None where that is not known; ``points`` the mount points of boot."""

    fs: GuestFS
    args: tuple[KernelArg, ...] | None
    points: frozenset[str]

    def failing(self, unit: Unit) -> Asserted | None:
        """The assertion that certainly fails ``unit``: one that stands alone, or the last of those with ``|``, of which one is enough."""
        found = list(self._outcomes(unit))
        alone = next((asserted for asserted, trigger, holds in found if not trigger and holds is False), None)
        triggers = [(asserted, holds) for asserted, trigger, holds in found if trigger]
        none = triggers and all(holds is False for _asserted, holds in triggers)
        return alone or (triggers[-1][0] if none else None)

    def _outcomes(self, unit: Unit) -> Iterator[tuple[Asserted, bool, bool | None]]:
        for key in (f"Assert{kind}" for kind in (*_PATHS, "KernelCommandLine")):
            for token in unit.ini.all("Unit", key):
                rest = token.value.removeprefix("|").lstrip()
                negated, value = rest.startswith("!"), expanded(rest.removeprefix("!").lstrip(), unit.name, unit.host)
                holds = None if value is None else self._holds(key.removeprefix("Assert"), value)
                yield Asserted(f"{key}={token.value}", token), token.value.startswith("|"), None if holds is None else holds is not negated

    def _holds(self, kind: str, value: str) -> bool | None:
        if kind == "KernelCommandLine":
            return None if self.args is None else any(value == str(arg) or (value == arg.name and "=" not in value) for arg in self.args)
        return _PATHS[kind](self.fs, value) if self._is_of_root(value) else None

    def _is_of_root(self, path: str) -> bool:
        """Whether the file is on the root filesystem from its first moment, and stays as it is."""
        if not path.startswith("/") or ".." in path.split("/"):
            return False
        parts = path.rstrip("/").split("/")
        heads = {"/".join(parts[:count]) for count in range(2, len(parts) + 1)}
        return not heads & self.points and not heads & set(_EARLY) and not any(self.fs.readlink(head) for head in heads - {path})


def _filled(fs: GuestFS, path: str) -> bool:
    found = fs.stat(path)
    return fs.is_file(path) and found is not None and found.size > 0


def _runs(fs: GuestFS, path: str) -> bool:
    found = fs.stat(path)
    return fs.is_file(path) and found is not None and bool(found.mode & 0o111)


_PATHS: dict[str, Callable[[GuestFS, str], bool]] = {
    "PathExists": lambda fs, path: fs.exists(path),
    "PathIsDirectory": lambda fs, path: fs.is_dir(path),
    "PathIsSymbolicLink": lambda fs, path: fs.readlink(path) is not None,
    "DirectoryNotEmpty": lambda fs, path: bool(fs.is_dir(path) and fs.listdir(path)),
    "FileNotEmpty": _filled,
    "FileIsExecutable": _runs,
}


def asserts(fs: GuestFS, entries: Iterable[tuple[KernelArg, ...]], points: Iterable[str]) -> Asserts:
    """``entries`` are the command lines that may be the default; assertions about them are judged where there is one."""
    lines = tuple(entries)
    return Asserts(fs, lines[0] if len(lines) == 1 else None, frozenset(point.rstrip("/") for point in points) - {""})
