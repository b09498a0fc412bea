"""Recipe lines: which line of the kickstart, Packer, Ansible, mkosi or cloud-init files that built an image is responsible for a finding.

The files are searched as text, whatever their format: for the guest's line as it stands, or for the device names, addresses and paths in
it. A line is named only when no other line can be responsible.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from v2vlint.engine.config import Config
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import UsageError
from v2vlint.model.place import Span, WholeFile
from v2vlint.model.report import FindingReport, RecipeLine

MAX_FILE = 1 << 20
MAX_TOTAL = 8 << 20
MAX_FILES = 500
# Shorter lines are found in too many places.
_SHORTEST = 6
_NEAR = 60
# "#cloud-config" begins a document, and so is no comment.
_COMMENT = re.compile(r"\s*(?:#|//|;)(?!cloud-config)")
_TOKEN = re.compile(r"[A-Za-z0-9/][A-Za-z0-9_.:/@%+-]{2,}[A-Za-z0-9]")
_VALUE = re.compile(
    r"(?i)/dev/\S+|\d+(?:\.\d+){3}|(?:[0-9a-f]{1,4}:){2,}[0-9a-f:]+|[0-9a-f]{8}-[0-9a-f-]{27}"
    r"|(?:eth|ens|eno|enp|em|wl|ib|bond|br|team|vmnic)\d\w*|by-(?:id|path)\S*|\S+\.\S*\d\S*|\S*\d\S*-\S+"
)
_WRITES = re.compile(r">|\b(?:tee|cp|install|touch|ln|dest|destination|path|target|copy|upload|write_files|mv)\b")


@dataclass(frozen=True, slots=True)
class RecipeFile:
    """A recipe as the report names it, and its text."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """Images matching the glob ``image`` are built from ``files``; the first one is named when no line is known."""

    image: str
    files: tuple[RecipeFile, ...]


def load(config: Config) -> tuple[Recipe, ...]:
    """The recipes that ``config`` names. UsageError for one that does not exist, is not text, or is too large."""
    read = _Reader(config.folder)
    return tuple(Recipe(one.image, tuple(file for name in one.files for file in read.files(name))) for one in config.recipes)


class _Reader:
    """Reads each file once, with limits on the total."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, RecipeFile] = {}
        self._size = 0

    def files(self, name: str) -> Iterator[RecipeFile]:
        """The file ``name``, or all files below the folder of that name."""
        top = self._folder / name
        if not top.is_dir():
            yield self._one(name, top)
            return
        for path in sorted(top.rglob("*")):
            # A link could lead out of the repository.
            if path.is_file() and not path.is_symlink():
                yield self._one(f"{name.rstrip('/')}/{path.relative_to(top)}", path)

    def _one(self, name: str, path: Path) -> RecipeFile:
        if name not in self._known:
            self._known[name] = RecipeFile(name, self._read(name, path))
        return self._known[name]

    def _read(self, name: str, path: Path) -> str:
        try:
            if not path.is_file():
                raise UsageError(f"recipes: {name}: no such file")
            size = path.stat().st_size
            self._size += size
            if size > MAX_FILE or self._size > MAX_TOTAL or len(self._known) >= MAX_FILES:
                raise UsageError(f"recipes: {name}: too much: at most {MAX_FILES} files of 1 MiB, 8 MiB together")
            data = path.read_bytes()
        except OSError as error:
            raise UsageError(f"recipes: {name}: {(error.strerror or 'cannot be read').lower()}") from error
        return "" if b"\0" in data else data.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class _Line:
    file: RecipeFile
    number: int
    text: str


def written(report: FindingReport, files: Sequence[RecipeFile]) -> RecipeLine | None:
    """The line of ``files`` that is responsible for ``report``; None when that is not certain."""
    where = report.finding.where
    if not isinstance(where, Span | WholeFile) or not where.path.startswith("/"):
        return None
    lines = [line for file in files for line in _lines(file)]
    guest = _guest_line(report)
    tries = (_copied(guest, where.path, lines), _same(guest, lines), _near(guest, where.path, lines), _telling(guest, lines))
    found = next((found for found in tries if found), _making(where.path, lines) if isinstance(where, WholeFile) else [])
    return RecipeLine(found[0].file.path, found[0].number) if len(found) == 1 else None


def _guest_line(report: FindingReport) -> str:
    where, shown = report.finding.where, report.excerpt
    if not isinstance(where, Span) or shown is None:
        return ""
    at = where.line - shown.first
    return shown.lines[at] if 0 <= at < len(shown.lines) else ""


def _lines(file: RecipeFile) -> Iterator[_Line]:
    return (_Line(file, number, text) for number, text in enumerate(file.text.splitlines(), 1))


def _plain(text: str) -> str:
    """Words separated by single blanks, without quotes and escapes: as a shell, YAML or HCL would pass them on."""
    return " ".join(re.sub(r"\\[nt]|[\\'\"`]", " ", text).split())


def _copied(guest: str, path: str, lines: Iterable[_Line]) -> list[_Line]:
    """The same line of a file in a tree that is copied into the guest, such as ``mkosi.extra/etc/fstab``."""
    return [line for line in lines if guest.strip() and f"/{line.file.path}".endswith(path) and line.text.strip() == guest.strip()]


def _same(guest: str, lines: Iterable[_Line]) -> list[_Line]:
    """Lines that contain the guest's whole line."""
    wanted = _plain(guest)
    if len(wanted) < _SHORTEST:
        return []
    pattern = re.compile(rf"(?<![\w./-]){re.escape(wanted)}(?![\w./-])")
    return [line for line in lines if not _is_comment(line, wanted) and pattern.search(_plain(line.text))]


def _is_comment(line: _Line, wanted: str = "") -> bool:
    return bool(_COMMENT.match(line.text)) and not wanted.startswith(("#", ";"))


def _values(guest: str) -> frozenset[str]:
    """The distinctive words of a guest's line: devices, addresses, interfaces, identifiers."""
    words = {word for part in re.split(r"[\s,;=\"'()\[\]{}]+", guest) for word in (part, part.partition("/")[0]) if word}
    return frozenset(word for word in words if _TOKEN.fullmatch(word) and _VALUE.fullmatch(word))


def _telling(guest: str, lines: Iterable[_Line]) -> list[_Line]:
    """Lines that contain such words."""
    values = _values(guest)
    if not values:
        return []
    pattern = re.compile(rf"(?<![\w./-])(?:{'|'.join(map(re.escape, sorted(values, key=len, reverse=True)))})(?![\w-])")
    return [line for line in lines if not _is_comment(line) and pattern.search(line.text)]


def _near(guest: str, path: str, lines: Sequence[_Line]) -> list[_Line]:
    """Lines that contain such words, or the whole line, after the only place that names the guest's file."""
    named = [at for at, line in enumerate(lines) if _names(path, line.text) and not _is_comment(line)]
    if len(named) != 1:
        return []
    after = [line for line in lines[named[0] : named[0] + _NEAR] if line.file is lines[named[0]].file]
    paths = [word for word in guest.split() if word.startswith("/") and len(word) > 1]
    return _same(guest, after) or [line for line in _telling(guest, after) if all(_names(word, line.text) for word in paths)]


def _names(path: str, text: str) -> bool:
    return re.search(rf"(?<![\w.-]){re.escape(path)}(?![\w./-])", text) is not None


def _making(path: str, lines: Iterable[_Line]) -> list[_Line]:
    """Lines that name the guest's file and seem to write it."""
    return [line for line in lines if not _is_comment(line) and _names(path, line.text) and _WRITES.search(line.text)]
