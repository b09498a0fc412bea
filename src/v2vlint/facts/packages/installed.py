"""The installed packages of any package manager (dpkg, rpm, apk, pacman, portage)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field

from v2vlint.facts.packages.package import Package
from v2vlint.facts.packages.rpmdb import rpm_packages
from v2vlint.facts.packages.text_databases import apk_packages, dpkg_packages, pacman_packages, portage_packages
from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.globs import matcher

MAX_PACKAGES = 100_000


@dataclass(frozen=True)
class Packages(Mapping[str, Package]):
    """Packages by name. ``managers`` are the package managers with a database in the guest; without any, nothing is known.

    For a name installed several times (rpm kernels, foreign dpkg architectures) lookup returns the last one; :meth:`all` returns each.
    """

    installed: tuple[Package, ...] = ()
    managers: tuple[str, ...] = ()
    _index: dict[str, list[Package]] = field(default_factory=dict, repr=False, compare=False)

    def _names(self) -> dict[str, list[Package]]:
        if not self._index:
            for package in self.installed:
                self._index.setdefault(package.name, []).append(package)
        return self._index

    def __getitem__(self, name: str) -> Package:
        return self._names()[name][-1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def all(self, name: str) -> tuple[Package, ...]:
        """Every installed package called ``name``."""
        return tuple(self._names().get(name, ()))

    def matching(self, *patterns: str) -> tuple[Package, ...]:
        """The packages whose name matches any shell pattern (``kernel-*``), in database order."""
        matchers = tuple(map(matcher, patterns))
        return tuple(p for p in self.installed if any(fits(p.name) for fits in matchers))

    @property
    def known(self) -> bool:
        """Whether the absence of a package means anything."""
        return bool(self.installed)


@provides
def parse_packages(fs: GuestFS) -> Packages:
    """All packages in all databases of the guest. FactUnavailable when a database exists but cannot be read."""
    found: list[Package] = []
    managers: list[str] = []
    for manager, packages in _databases(fs):
        if packages is not None:
            managers.append(manager)
            found.extend(packages)
    return Packages(tuple(found[:MAX_PACKAGES]), tuple(managers))


def _databases(fs: GuestFS) -> Iterable[tuple[str, Iterable[Package] | None]]:
    yield "dpkg", dpkg_packages(fs)
    yield "rpm", rpm_packages(fs)
    yield "apk", apk_packages(fs)
    yield "pacman", pacman_packages(fs)
    yield "portage", portage_packages(fs)
