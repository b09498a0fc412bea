"""Entry points of installed distributions, as :mod:`importlib.metadata` finds them.

That module and its parsing of every distribution's entry points would be a tenth of the start of a check. It is asked only where something
other than folders is on the path, or a finder of another kind is installed.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder

from v2vlint.model.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """An entry point: ``name = value`` in its distribution's ``entry_points.txt``."""

    name: str
    value: str

    @property
    def module(self) -> str:
        """The module that ``value`` names."""
        return re.split(r"[:\[]", self.value, maxsplit=1)[0].strip()


def entry_points(group: str) -> tuple[EntryPoint, ...]:
    """The entry points of a group. If a distribution is installed twice, the first on the path counts."""
    if _ordinary():
        return tuple(entry for text in _texts() if group in text for entry in _parsed(text, group))
    from importlib import metadata

    return tuple(EntryPoint(one.name, one.value) for one in metadata.entry_points(group=group))


def _ordinary() -> bool:
    finders = [finder for finder in sys.meta_path if hasattr(finder, "find_distributions")]
    return finders == [PathFinder] and not any(map(os.path.isfile, sys.path))


def _texts() -> Iterator[str]:
    """The text of every distribution's ``entry_points.txt``."""
    seen: set[str] = set()
    for folder in sys.path:
        with contextlib.suppress(OSError):
            for name in os.listdir(folder or "."):  # noqa: PTH208
                stem, extension = os.path.splitext(name)  # noqa: PTH122
                # Two spellings of a distribution are one (PyPA's name normalization).
                distribution = re.sub(r"[-_.]+", "_", stem.partition("-")[0]).lower()
                if extension.lower() in (".dist-info", ".egg-info") and distribution not in seen:
                    seen.add(distribution)
                    with contextlib.suppress(OSError), open(f"{folder or '.'}/{name}/entry_points.txt", encoding="utf-8") as stream:  # noqa: PTH123
                        yield stream.read()


def _parsed(text: str, group: str) -> Iterator[EntryPoint]:
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif section == group and line and not line.startswith("#"):
            name, _equals, value = line.partition("=")
            yield EntryPoint(name.strip(), value.strip())
