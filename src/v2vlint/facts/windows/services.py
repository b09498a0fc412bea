"""Windows services and drivers: ``Services`` in the control set that boots, and whether each program exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field

from v2vlint.facts.registry import provides
from v2vlint.facts.windows.driver_file import driver_problem
from v2vlint.facts.windows.registry import Registry, RegistryNode, RegistryValue, set_value
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.fix import RegistrySet
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import RegistryKey
from v2vlint.model.registry import dword

BOOT, SYSTEM, AUTO, DEMAND, DISABLED = range(5)  # SERVICE_BOOT_START to SERVICE_DISABLED
_DRIVERS = frozenset({1, 2, 8})  # SERVICE_KERNEL_DRIVER, SERVICE_FILE_SYSTEM_DRIVER, SERVICE_RECOGNIZER_DRIVER
_STARTS = ("boot", "system", "auto", "demand", "disabled")
_DRIVE = re.compile(r"[a-z]:")


@dataclass(frozen=True, slots=True)
class WindowsService:
    """A service. ``start`` is 0 (boot) to 4 (disabled), None when not stated; ``override`` is ``StartOverride\\0``, which takes precedence.

    ``image`` is the guest path of its program, ``present`` whether that exists; ``group`` is its load order group.
    """

    name: str
    type: int
    start: int | None
    override: int | None
    image: str
    present: bool
    group: str
    where: RegistryKey
    _start: RegistryValue | None = field(default=None, repr=False, compare=False)
    _override: RegistryValue | None = field(default=None, repr=False, compare=False)

    @property
    def at_boot(self) -> tuple[RegistrySet, ...]:
        """The edits that make it start at boot; empty when it does."""
        edits = [] if self.start == BOOT else [set_value(self.place("Start"), dword(BOOT), self._start)]
        if self._override is not None and self.override != BOOT:
            edits.append(set_value(self._override.where, dword(BOOT), self._override))
        return tuple(edits)

    @property
    def effective(self) -> int | None:
        """The effective start type."""
        return self.start if self.override is None else self.override

    @property
    def is_driver(self) -> bool:
        """Whether it is a kernel or file system driver."""
        return self.type in _DRIVERS

    @property
    def starts_early(self) -> bool:
        """Whether the boot loader or the kernel starts it, before any service."""
        return self.effective in (BOOT, SYSTEM)

    @property
    def start_words(self) -> str:
        """The start type in ``sc.exe``'s terms."""
        found = self.effective
        return _STARTS[found] if found is not None and 0 <= found < len(_STARTS) else "unknown"

    def place(self, value: str = "") -> RegistryKey:
        """The place of one of its values."""
        return RegistryKey(self.where.path, self.where.key, value)


@dataclass(frozen=True, slots=True)
class WindowsServices:
    """All services, read one by one on demand."""

    where: RegistryKey
    _node: RegistryNode | None = field(repr=False, compare=False)
    _fs: GuestFS = field(repr=False, compare=False)
    _root: str = field(default="/Windows", repr=False, compare=False)
    _arch: str = field(default="", repr=False, compare=False)

    def get(self, name: str) -> WindowsService | None:
        """The service called ``name``, ignoring case, or None. Keys without ``Start`` (event sources, settings) do not count."""
        node = self._node.key(name) if self._node else None
        start = node.value("Start") if node else None
        return None if node is None or start is None else _service(node, start, self._fs, self._root)

    def unusable(self, driver: WindowsService) -> str:
        """Why the file of a driver cannot be loaded, in words with its path; empty when it can. FactUnavailable: it cannot be read."""
        problem = driver_problem(_reader(self._fs, driver.start), driver.image, self._arch) if driver.image else ""
        return f"{driver.image} {problem}" if problem else ""

    def path_of(self, text: str) -> str:
        """The guest path of an ``ImagePath`` or of a folder in the registry: see :func:`image_path`."""
        return image_path(text, self._root)

    def place(self, name: str) -> RegistryKey:
        """The place of the service ``name``, whether or not it exists."""
        return RegistryKey(self.where.path, f"{self.where.key}\\{name}")

    def named(self, *names: str) -> Iterator[WindowsService]:
        """Those of ``names`` that exist."""
        yield from (found for name in names if (found := self.get(name)) is not None)


@provides
def parse_services(registry: Registry, fs: GuestFS, os: OsInfo) -> WindowsServices:
    """The services in the control set that boots."""
    return WindowsServices(registry.place("Services"), registry.control("Services"), fs, os.system_root, os.arch)


def _service(node: RegistryNode, start: RegistryValue, fs: GuestFS, root: str) -> WindowsService:
    override = node.key("StartOverride")
    kind = node.number("Type") or 0
    # Without ImagePath, the kernel loads the file that has the name of the service.
    image = image_path(node.text("ImagePath"), root) or (f"{root}/System32/drivers/{node.name}.sys" if kind in _DRIVERS else "")
    return WindowsService(
        name=node.name,
        type=kind,
        start=start.number,
        override=override.number("0") if override else None,
        image=image,
        present=bool(image) and _reader(fs, start.number).is_file(image),
        group=node.text("Group"),
        where=node.where,
        _start=start,
        _override=override.value("0") if override else None,
    )


def _reader(fs: GuestFS, start: int | None) -> GuestFS:
    """The files as they are when a service starts: the loader reads those of the first kind before ``$LogFile`` is replayed."""
    return fs.as_it_lies() if start == BOOT else fs


def image_path(text: str, root: str = "/Windows") -> str:
    """The guest path of an ``ImagePath``: relative to ``root``, the Windows folder; ``\\SystemRoot\\…``, ``\\??\\C:\\…``, a command…"""
    path = text.strip()
    if path.startswith('"'):
        path = path[1:].partition('"')[0]
    path = path.replace("\\", "/").removeprefix("/??/")
    lower = path.lower()
    for prefix in ("/systemroot/", "%systemroot%/", "%windir%/"):
        if lower.startswith(prefix):
            return f"{root}/{path[len(prefix) :]}"
    if _DRIVE.match(lower):
        return path[2:]
    return f"{root}/{path.lstrip('/')}" if path else ""
