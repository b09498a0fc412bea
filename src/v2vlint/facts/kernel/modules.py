"""The module folder of one installed kernel: ``modules.dep``, ``modules.builtin``, ``modules.softdep`` (modules.dep(5), depmod(8)).

Typical input of ``modules.dep``::

    kernel/drivers/block/virtio_blk.ko: kernel/drivers/virtio/virtio_ring.ko kernel/drivers/virtio/virtio.ko
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from types import MappingProxyType
from typing import TypeVar

from v2vlint.facts.kernel.module_names import is_module_path, module_name, normal
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import split_lines
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable

MAX_LIST = 16 << 20

T = TypeVar("T")


def parse_types(text: str) -> frozenset[str]:
    """The filesystem types of ``alias fs-xfs xfs`` in ``modules.alias``; the kernel asks modprobe for such aliases."""
    lines = (line.split() for line in split_lines(text) if line.startswith("alias fs-"))
    return frozenset(words[1].removeprefix("fs-") for words in lines if len(words) == 3)


def parse_builtin_types(text: str) -> frozenset[str]:
    """The filesystem types of ``ext4.alias=fs-ext2`` in ``modules.builtin.modinfo``, whose strings end with a zero byte."""
    values = (string.partition(".alias=fs-")[2] for string in text.split("\0"))
    return frozenset(value for value in values if value)


@dataclass(frozen=True, slots=True)
class ModuleList:
    """A parsed ``modules.dep``: module name → its path. ``needs`` has the paths of the transitive dependencies that depmod computed, as
    written: of thousands of modules, few are asked for theirs.
    """

    paths: Mapping[str, str]
    needs: Mapping[str, str]

    def requires(self, module: str) -> tuple[str, ...] | None:
        """The names of the modules that must be loaded with ``module``; None when it is not listed."""
        needs = self.needs.get(normal(module))
        return None if needs is None else tuple(map(module_name, needs.split()))


def parse_dep(text: str) -> ModuleList:
    """Parse ``modules.dep``; lines without a colon are skipped."""
    paths: dict[str, str] = {}
    needs: dict[str, str] = {}
    for line in split_lines(text):
        path, colon, rest = line.partition(":")
        if colon and path:
            name = module_name(path)
            paths[name], needs[name] = path, rest
    return ModuleList(MappingProxyType(paths), MappingProxyType(needs))


def parse_names(text: str) -> frozenset[str]:
    """Module names from a list of paths, one per line (``modules.builtin``)."""
    return frozenset(module_name(line.strip()) for line in split_lines(text) if line.strip())


def parse_softdep(text: str) -> Mapping[str, tuple[str, ...]]:
    """``softdep ext4 pre: crc32c`` → ``{"ext4": ("crc32c",)}``, for ``pre:`` and ``post:`` alike."""
    found: dict[str, tuple[str, ...]] = {}
    for line in split_lines(text):
        words = line.split()
        if len(words) > 2 and words[0] == "softdep":
            names = tuple(normal(word) for word in words[2:] if not word.endswith(":"))
            found[normal(words[1])] = (*found.get(normal(words[1]), ()), *names)
    return MappingProxyType(found)


@dataclass(frozen=True)
class ModuleTree:
    """The modules of kernel ``version``, read from the guest on first use.

    ``at`` is their folder, empty when there is none. Where ``unknown`` says why the folders cannot be listed, whatever is asked raises it.
    """

    fs: GuestFS = field(repr=False, compare=False)
    version: str
    at: str
    unknown: FactUnavailable | None = None

    @property
    def folder(self) -> str:
        """The folder, empty when there is none."""
        self.raise_unknown()
        return self.at

    def raise_unknown(self) -> None:
        """Raise ``unknown``, if it is set."""
        if self.unknown is not None:
            # The same object is raised every time, and would gather the tracebacks of all.
            raise self.unknown.with_traceback(None)

    @functools.cached_property
    def dep(self) -> ModuleList | None:
        """``modules.dep``, or None when it does not exist."""
        return self._parsed("modules.dep", parse_dep)

    @functools.cached_property
    def builtin(self) -> frozenset[str] | None:
        """``modules.builtin``, or None when this kernel ships none."""
        return self._parsed("modules.builtin", parse_names)

    @functools.cached_property
    def softdeps(self) -> Mapping[str, tuple[str, ...]]:
        """``modules.softdep``; empty when it does not exist."""
        return self._parsed("modules.softdep", parse_softdep) or MappingProxyType({})

    @functools.cached_property
    def types(self) -> frozenset[str] | None:
        """The filesystem types that modules have (``modules.alias``) and built-in code names (``modules.builtin.modinfo``); None without
        the former.
        """
        found = self._parsed("modules.alias", parse_types)
        return None if found is None else found | (self._parsed("modules.builtin.modinfo", parse_builtin_types) or frozenset())

    @functools.cached_property
    def files(self) -> Mapping[str, str]:
        """Module name → path under ``folder``, for every module file that exists. Walks the folder, so use it sparingly."""
        top = f"{self.folder}/"
        names = (path.removeprefix(top) for path in self.fs.walk(self.folder)) if self.folder else ()
        return MappingProxyType({module_name(path): path for path in names if is_module_path(path)})

    def path(self, module: str) -> str | None:
        """The guest path of a module, from ``modules.dep`` or, without one, from the files."""
        listed = self.dep.paths if self.dep else self.files
        found = listed.get(normal(module))
        if found is None:
            return None
        # Old versions of depmod write absolute paths.
        return found if found.startswith("/") else f"{self.folder}/{found}"

    def exists(self, path: str) -> bool:
        """Whether the module file at a guest path exists."""
        return self.fs.is_file(path)

    def requires(self, module: str) -> tuple[str, ...]:
        """The modules that must be loaded with ``module``; empty when not known."""
        return (self.dep.requires(module) or ()) if self.dep else ()

    def closure(self, modules: Iterable[str]) -> tuple[str, ...]:
        """``modules`` and all their dependencies, sorted, including soft dependencies that exist as modules."""
        found: dict[str, None] = {}
        pending = [normal(module) for module in modules]
        known = self.dep.paths if self.dep else {}
        while pending:
            name = pending.pop()
            if name in found:
                continue
            found[name] = None
            pending.extend(self.requires(name))
            # Others are built in, or do not exist in this kernel.
            pending.extend(soft for soft in self.softdeps.get(name, ()) if soft in known)
        return tuple(sorted(found))

    def _parsed(self, name: str, parse: Callable[[str], T]) -> T | None:
        data = self.fs.read(f"{self.folder}/{name}", MAX_LIST) if self.folder else None
        return None if data is None else parse(data.decode("utf-8", "surrogateescape"))
