"""Portage's build settings (make.conf(5)): the ``-march=`` and ``-mcpu=`` that all packages in the guest are compiled with."""

from __future__ import annotations

import re

from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.conf_vars import conf_vars
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Token

MAIN = ("/etc/make.conf", "/etc/portage/make.conf")
MAX_FILES = 100
_FLAGS = frozenset({"CFLAGS", "CXXFLAGS", "COMMON_FLAGS", "FFLAGS", "FCFLAGS", "CHOST", "RUSTFLAGS"})
_MARCH = re.compile(r"-m(?:arch|cpu|tune)=\S+|(?:-C)?target-cpu=\S+")


@dataclass(frozen=True, slots=True)
class CompileFlags:
    """``march`` are the words that select a CPU, in reading order (``-march=native``, ``target-cpu=znver4``)."""

    march: tuple[Token, ...] = ()

    @property
    def native(self) -> tuple[Token, ...]:
        """The words that mean the CPU of the building machine."""
        # -mtune only arranges instructions; the result still runs on other CPUs.
        return tuple(token for token in self.march if token.value.endswith("=native") and not token.value.startswith("-mtune"))


@provides
def parse_compile_flags(fs: GuestFS) -> CompileFlags:
    """Read make.conf, which may be a folder of files. Missing files count as empty."""
    paths = [path for path in MAIN if fs.is_file(path)]
    for folder in MAIN:
        paths += [f"{folder}/{name}" for name in fs.listdir(folder)[:MAX_FILES] if fs.is_file(f"{folder}/{name}")]
    settings = conf_vars(fs.text(path) for path in paths)
    words = dict.fromkeys(word for var in settings.vars if var.name in _FLAGS for word in var.words)
    return CompileFlags(tuple(word for word in words if _MARCH.fullmatch(word.value)))
