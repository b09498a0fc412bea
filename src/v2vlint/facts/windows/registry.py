"""The registry of a Windows guest: the hives SYSTEM, SOFTWARE and (on the boot partition) BCD, read on demand.

Key paths are those inside the hive file (``ControlSet001\\Services``), as offline tools show them. Names are compared ignoring case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import field
from typing import TypeVar

from v2vlint.disk.hives.log import MAX_LOG
from v2vlint.disk.hives.reader import HiveFile, HiveKey, HiveValue
from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.fix import RegistrySet
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import RegistryKey, WholeFile
from v2vlint.model.registry import RegistryData

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RegistryValue:
    """A value with its place. ``number`` is None, and ``text``, ``texts`` and ``data`` are empty, when the type does not match."""

    name: str
    where: RegistryKey
    number: int | None
    text: str
    texts: tuple[str, ...]
    data: bytes
    type: int

    @property
    def raw(self) -> RegistryData:
        """Its type and bytes, as edits expect them."""
        return RegistryData(self.type, self.data)


def set_value(where: RegistryKey, new: RegistryData, old: RegistryValue | None) -> RegistrySet:
    """The edit that sets the value at ``where`` to ``new``; ``old`` is its present content."""
    return RegistrySet(where.path, where.key, where.value, new, old.raw if old else None)


@dataclass(frozen=True, slots=True)
class RegistryNode:
    """An existing key. Reading a damaged one raises FactUnavailable with its place."""

    path: str
    key_path: str
    _key: HiveKey = field(repr=False, compare=False)

    @property
    def where(self) -> RegistryKey:
        """The place of the key."""
        return RegistryKey(self.path, self.key_path)

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.key_path.rsplit("\\", 1)[-1]

    def key(self, path: str) -> RegistryNode | None:
        """The key at a path below this one, or None."""
        found = _guarded(self.where, lambda: self._key.key(path))
        return None if found is None else RegistryNode(self.path, f"{self.key_path}\\{path}".strip("\\"), found)

    def keys(self) -> tuple[RegistryNode, ...]:
        """The direct subkeys."""
        found = _guarded(self.where, lambda: tuple(self._key.children()))
        return tuple(RegistryNode(self.path, f"{self.key_path}\\{key.name}".strip("\\"), key) for key in found)

    def values(self) -> tuple[RegistryValue, ...]:
        """All values."""
        return tuple(self._value(value) for value in _guarded(self.where, lambda: tuple(self._key.values())))

    def value(self, name: str) -> RegistryValue | None:
        """The value called ``name``, or None; an empty name means the default value."""
        return next((value for value in self.values() if value.name.lower() == name.lower()), None)

    def number(self, name: str) -> int | None:
        """The number in the value ``name``; None when it does not exist or is not a number."""
        value = self.value(name)
        return None if value is None else value.number

    def text(self, name: str) -> str:
        """The text in the value ``name``, or an empty string."""
        value = self.value(name)
        return "" if value is None else value.text

    def _value(self, value: HiveValue) -> RegistryValue:
        where = RegistryKey(self.path, self.key_path, value.name)
        return RegistryValue(value.name, where, value.number, value.text, value.texts, value.data, value.type)


@dataclass(frozen=True, slots=True)
class UnsavedHive:
    """A hive file whose last changes are only in its log files; ``replayed`` says that they were read from there."""

    path: str
    replayed: bool


@dataclass(frozen=True, slots=True)
class Registry:
    """The machine's registry. ``control_set`` is the key of the control set that boots (``ControlSet001``): the loader uses
    ``Select\\Default``, and Windows then writes its number to ``Current``. ``last`` is that number, i.e. the set that ran last.

    ``software`` is the other hive; None when it is absent, the reason where it cannot be read. ``unsaved`` lists the hives that Windows
    has not written out.
    """

    system: RegistryNode
    software: RegistryNode | FactUnavailable | None
    control_set: str
    unsaved: tuple[UnsavedHive, ...] = ()
    last: int | None = None

    def control(self, path: str) -> RegistryNode | None:
        """A key below the control set that boots, or None."""
        return self.system.key(f"{self.control_set}\\{path}")

    def soft(self, path: str) -> RegistryNode | None:
        """A key of SOFTWARE, or None (also when there is no such hive). FactUnavailable when the hive cannot be read."""
        software = known(self.software)
        return software.key(path) if software else None

    def place(self, path: str, value: str = "") -> RegistryKey:
        """The place of a key (or a value) below the control set, whether or not it exists."""
        return RegistryKey(self.system.path, f"{self.control_set}\\{path}", value)

    def soft_place(self, path: str, value: str = "") -> RegistryKey:
        """The place of a key in SOFTWARE, whether or not it exists."""
        return RegistryKey(f"{self.system.path.rpartition('/')[0]}/SOFTWARE", path, value)


@dataclass(frozen=True, slots=True)
class SystemHive:
    """The hive SYSTEM."""

    top: RegistryNode
    unsaved: UnsavedHive | None


@dataclass(frozen=True, slots=True)
class SoftwareHive:
    """The hive SOFTWARE; ``found`` is None when there is none, the reason where it cannot be read."""

    found: RegistryNode | FactUnavailable | None
    unsaved: UnsavedHive | None

    @property
    def top(self) -> RegistryNode | None:
        """Its top key, or None. FactUnavailable when it cannot be read."""
        return known(self.found)


@provides
def open_system(fs: GuestFS, os: OsInfo) -> SystemHive:
    """Open SYSTEM, which the loader reads before anything replays ``$LogFile``. FactUnavailable when it is absent or damaged."""
    path = f"{os.system_root}/System32/config/SYSTEM"
    top, unsaved = open_hive(fs.as_it_lies(), path)
    if top is None:
        raise FactUnavailable(WholeFile(path), "is absent")
    return SystemHive(top, unsaved)


@provides
def open_software(fs: GuestFS, os: OsInfo) -> SoftwareHive:
    """Open SOFTWARE, which the running system reads. One that is damaged costs what is asked of it, not what SYSTEM says."""
    try:
        return SoftwareHive(*open_hive(fs, f"{os.system_root}/System32/config/SOFTWARE"))
    except FactUnavailable as reason:
        return SoftwareHive(reason, None)


@provides
def parse_registry(system_hive: SystemHive, software_hive: SoftwareHive) -> Registry:
    """Put the hives together. FactUnavailable when SYSTEM cannot be read, or has no control set."""
    system = system_hive.top
    select = system.key("Select")
    chosen = {name: select.number(name) if select else None for name in ("Default", "Current")}
    names = [f"ControlSet{number:03d}" for number in chosen.values() if number is not None]
    control = next((name for name in (*names, "ControlSet001") if system.key(name)), None)
    if control is None:
        raise FactUnavailable(RegistryKey(system.path, "Select", "Default"), "there is no control set")
    unsaved = tuple(hive.unsaved for hive in (system_hive, software_hive) if hive.unsaved)
    return Registry(system, software_hive.found, control, unsaved, chosen["Current"])


def open_hive(fs: GuestFS, path: str) -> tuple[RegistryNode | None, UnsavedHive | None]:
    """The root key of the hive in a file (None when it does not exist), with the changes in its log files, which are reported."""
    stream = fs.open(path)
    if stream is None:
        return None, None
    hive = _guarded(WholeFile(path), lambda: HiveFile(stream, lambda: tuple(_logs(fs, path))))
    return RegistryNode(path, "", hive.root), UnsavedHive(path, hive.replayed) if hive.in_transaction else None


def known(found: RegistryNode | FactUnavailable | None) -> RegistryNode | None:
    """The key, if there is one; raises the reason why that cannot be known."""
    if isinstance(found, FactUnavailable):
        raise found.with_traceback(None)  # raised for every question: tracebacks would pile up on it
    return found


def _logs(fs: GuestFS, path: str) -> Iterator[bytes]:
    for suffix in (".LOG1", ".LOG2", ".LOG"):  # .LOG is that of Windows before Vista
        try:
            yield fs.read(path + suffix, MAX_LOG) or b""
        except FactUnavailable:
            continue


def _guarded(where: RegistryKey | WholeFile, action: Callable[[], T]) -> T:
    try:
        return action()
    except (FactUnavailable, MemoryError):
        raise
    except Exception as error:
        detail = str(error).strip() or type(error).__name__
        raise FactUnavailable(where, f"cannot be read: {detail}") from error


def subkeys(node: RegistryNode | None) -> Iterator[RegistryNode]:
    """The subkeys of ``node``; none when it is None."""
    if node is not None:
        yield from node.keys()
