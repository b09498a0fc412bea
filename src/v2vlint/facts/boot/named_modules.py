"""Modules that a guest lists for its init to load by name, and whether that init heeds a blacklist.

systemd-modules-load(8) does (``KMOD_PROBE_APPLY_BLACKLIST`` in module-util.c); Debian's init script calls ``modprobe NAME`` for each
line, which ignores it (modprobe.d(5))::

    # /etc/modules
    virtio_net csum=0
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from types import MappingProxyType

from v2vlint.facts.boot.init import Init
from v2vlint.facts.kernel.module_names import normal
from v2vlint.facts.registry import FactStore, provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable

LIST = "/etc/modules"
_FOLDERS = tuple(f"{top}/modules-load.d" for top in ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"))
_SCRIPTS = ("/etc/rcS.d/S??kmod", "/etc/rcS.d/S??module-init-tools")


@dataclass(frozen=True, slots=True)
class NamedModules:
    """``modules`` maps names to the file that lists them. ``heeds`` says whether a blacklist keeps them from loading; None if unknown.

    Where ``unknown`` says why they cannot be read, :meth:`ignores_blacklist` raises it.
    """

    modules: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    heeds: bool | None = True
    unknown: FactUnavailable | None = None

    def ignores_blacklist(self, module: str) -> bool | None:
        """Whether ``module`` is listed and loaded although it is blacklisted; None when that depends on an init that is not understood."""
        if self.unknown is not None:
            # The same object is raised every time, and would gather the tracebacks of all.
            raise self.unknown.with_traceback(None)
        if module not in self.modules or self.heeds:
            return False
        return None if self.heeds is None else True


@provides
def find_named_modules(fs: GuestFS, store: FactStore) -> NamedModules:
    """``/etc/modules`` and modules-load.d, as the guest's init reads them. systemd reads the former by a link only."""
    try:
        found = {name: path for path in (*_folders(fs), LIST) for name in _names(fs, path)}
        init = store.get(Init).name if found else "systemd"
    except FactUnavailable as reason:
        return NamedModules(unknown=reason)
    if init == "systemd":
        return NamedModules(MappingProxyType(found))
    by_script = init == "sysv" and any(fs.glob(script) for script in _SCRIPTS)
    return NamedModules(MappingProxyType(found), False if by_script else None)


def _folders(fs: GuestFS) -> Iterator[str]:
    winners: dict[str, str] = {}
    for folder in _FOLDERS:
        for name in fs.listdir(folder):
            if name.endswith(".conf"):
                winners.setdefault(name, f"{folder}/{name}")
    yield from winners.values()


def _names(fs: GuestFS, path: str) -> Iterator[str]:
    text = fs.text(path)
    for line in text.lines() if text else ():
        words = line.text.strip(" \t").replace("\t", " ").split(" ")
        if words[0] and not line.text.startswith("#"):
            yield normal(words[0])
