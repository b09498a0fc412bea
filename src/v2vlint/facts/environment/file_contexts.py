"""The SELinux labels of files: file_contexts(5) and the files that libselinux reads with it, searched as libselinux does
(``label_file.c``).
"""

from __future__ import annotations

import heapq

from v2vlint.disk.filesystems.node import Kind
from v2vlint.facts.environment.selinux import SelinuxConfig
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.path_regex import literal_prefix, matches
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass

MAX_LINES = 100_000
_TYPES = {"--": Kind.FILE, "-d": Kind.DIR, "-l": Kind.LINK}
_META = frozenset(".^$?*+|[({")


@dataclass(frozen=True, slots=True)
class ContextSpec:
    """One line: the paths that match ``regex``, for one type of file if ``kind`` is set (OTHER: a device, pipe or socket)."""

    regex: str
    kind: Kind | None
    context: str
    prefix: str


@dataclass(frozen=True, slots=True)
class FileContexts:
    """The lines by the first folder of the paths they match (empty: any), in order of precedence; substitutions of paths; types that an
    administrator chose, which relabelling leaves alone. ``path`` is empty when SELinux has no such file.
    """

    path: str = ""
    specs: dict[str, tuple[tuple[int, ContextSpec], ...]] | None = None
    substitutes: tuple[tuple[tuple[str, str], ...], ...] = ()
    customizable: frozenset[str] = frozenset()

    def label(self, path: str, kind: Kind) -> str:
        """The label of a file with this real path; empty when it gets none. Unsupported when an expression is not understood."""
        for pairs in self.substitutes:
            path = _substituted(path, pairs)
        specs = self.specs or {}
        for _rank, spec in heapq.merge(specs.get(_folder(path), ()), specs.get("", ()), key=lambda one: one[0]):
            if path.startswith(spec.prefix) and spec.kind in (None, kind) and (spec.regex == path or matches(spec.regex, path)):
                return "" if spec.context == "<<none>>" else spec.context
        return ""


def type_of(context: str) -> str:
    """The type in a label, ``shadow_t`` in ``system_u:object_r:shadow_t:s0``."""
    parts = context.split(":")
    return parts[2] if len(parts) > 2 else ""


@provides
def parse_file_contexts(fs: GuestFS, config: SelinuxConfig) -> FileContexts:
    """Read the files of the configured policy. Home directories and local additions take precedence, plain paths most of all."""
    if not config.contexts or not fs.is_file(config.contexts):
        return FileContexts()
    lines = [line for suffix in ("", ".homedirs", ".local") for line in _lines(fs, config.contexts + suffix)][:MAX_LINES]
    specs = [spec for words in lines if (spec := _spec(words)) is not None]
    # label_file.c sorts expressions before plain paths and searches from the end: the last line that matches wins.
    ranked = [one for one in specs if _is_expression(one.regex)] + [one for one in specs if not _is_expression(one.regex)]
    folders: dict[str, list[tuple[int, ContextSpec]]] = {}
    for rank, spec in enumerate(reversed(ranked)):
        folders.setdefault(_folder(spec.prefix), []).append((rank, spec))
    return FileContexts(
        config.contexts,
        {folder: tuple(found) for folder, found in folders.items()},
        tuple(_pairs(fs, config.contexts + suffix) for suffix in (".subs", ".subs_dist")),
        frozenset(words[0] for words in _lines(fs, config.contexts.rsplit("/", 2)[0] + "/customizable_types")),
    )


def _lines(fs: GuestFS, path: str) -> list[list[str]]:
    text = fs.text(path)
    return [words for line in text.content.split("\n") if (words := line.split()) and words[0][0] != "#"] if text else []


def _spec(words: list[str]) -> ContextSpec | None:
    regex, context = words[0], words[-1]
    if not 2 <= len(words) <= 3:
        return None
    kind = _TYPES.get(words[1], Kind.OTHER) if len(words) == 3 else None
    return ContextSpec(regex, kind, context, literal_prefix(regex))


def _is_expression(regex: str) -> bool:
    plain = regex.replace("\\\\", "").split("\\")
    return not _META.isdisjoint(plain[0]) or any(not _META.isdisjoint(part[1:]) for part in plain[1:])


def _folder(path: str) -> str:
    """``/etc`` for ``/etc/passwd``; empty when the first folder is incomplete."""
    end = path.find("/", 1)
    return path[:end] if end > 0 else ""


def _pairs(fs: GuestFS, path: str) -> tuple[tuple[str, str], ...]:
    return tuple((words[0], words[1]) for words in _lines(fs, path) if len(words) > 1)


def _substituted(path: str, pairs: tuple[tuple[str, str], ...]) -> str:
    """``path`` with its prefix substituted; the last matching pair counts."""
    fitting = [(old, new) for old, new in pairs if path == old or path.startswith(f"{old}/")]
    if not fitting:
        return path
    old, new = fitting[-1]
    return new.rstrip("/") + path[len(old) :] or "/"
