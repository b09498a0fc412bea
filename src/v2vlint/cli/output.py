"""Writing reports: rows to the terminal or a pipe, documents to stdout or to files."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from v2vlint.model.errors import UsageError
from v2vlint.model.report import Report
from v2vlint.report.escape import Family, visible, without_commands
from v2vlint.report.formats.text import ASCII, WIDTH, Look
from v2vlint.report.layout import Row, plain
from v2vlint.report.registry import check_name, documents

STYLES = {
    "title": "bold",
    "error": "bold red",
    "warning": "bold yellow",
    "info": "bold cyan",
    "unknown": "bold magenta",
    "ok": "green",
    "place": "cyan",
    "rule": "bold",
    "dim": "bright_black",
    "add": "green",
    "del": "red",
}


_FAMILIES: dict[str, Family] = {
    **dict.fromkeys(("json", "jsonl", "sarif", "gitlab", "yaml"), "json"),
    **dict.fromkeys(("junit", "html", "estate", "virt-inspector"), "xml"),
    "github": "raw",
}


def colours(choice: str) -> bool:
    """Whether to use colours on stdout: as requested, else when it is a capable terminal and $NO_COLOR is not set."""
    if choice != "auto":
        return choice == "always"
    # no-color.org: any value but an empty one.
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return sys.stdout.isatty() or bool(os.environ.get("FORCE_COLOR"))


def look() -> Look:
    """How to draw on this stdout: its width (80 in a pipe), and ASCII if its encoding lacks other characters."""
    width = min(max(_columns(), 40), 120)
    try:
        "─→│·✓✗".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return Look(width, ASCII.line, ASCII.arrow, ASCII.bar, ASCII.dot, ASCII.fates)
    return Look(width)


def _columns() -> int:
    if not (sys.stdout.isatty() or "COLUMNS" in os.environ):
        return WIDTH
    import shutil

    return shutil.get_terminal_size((WIDTH, 24)).columns


def show(rows: Sequence[Row], colour: bool) -> None:
    """Print rows on stdout."""
    write(_painted(rows) if colour else plain(rows))


def _painted(rows: Sequence[Row]) -> str:
    from rich.console import Console
    from rich.text import Text

    # The rows are wrapped already.
    console = Console(
        force_terminal=True, color_system="standard", highlight=False, markup=False, emoji=False, width=10_000, no_color=False
    )
    with console.capture() as capture:
        for row in rows:
            console.print(Text.assemble(*((piece.text, STYLES.get(piece.style, "")) for piece in row)), soft_wrap=True)
    return capture.get()


def write(text: str, family: Family = "text") -> None:
    """Write to stdout, neutralising text that a CI runner would take for commands.

    A closed pipe (``| head``) is not an error; characters that the encoding lacks are escaped.
    """
    data = without_commands(text, family).encode(sys.stdout.encoding or "utf-8", "backslashreplace")
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # Python flushes stdout once more when it exits, and would complain of the pipe again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def shell_word(text: str) -> str:
    """``text`` for a command line that can be copied; what is invisible, or is not text, as bash's ``$'…'`` spells it."""
    if visible(text) == text:
        return shlex.quote(text)
    return "$'" + "".join(map(_spelt, text.replace("\\", "\\\\").replace("'", "\\'"))) + "'"


def _spelt(char: str) -> str:
    """Bytes, and no ``\\u0085``: that is a character of bash's locale, which may have none."""
    if char.isascii() or char.isprintable():
        return visible(char)
    raw = char.encode("utf-8", "surrogateescape" if "\udc80" <= char <= "\udcff" else "surrogatepass")
    return "".join(f"\\x{byte:02x}" for byte in raw)


def say(*lines: str) -> None:
    """Write lines to stderr, with invisible characters escaped and without runner commands."""
    for line in lines:
        print(without_commands(visible(line)), file=sys.stderr)


def family(shape: str) -> Family:
    """The escaping rules for a report format. GitHub's format emits commands itself and guards the text in them."""
    return _FAMILIES.get(shape, "text")


def destinations(values: Sequence[str]) -> tuple[tuple[str, Path], ...]:
    """Parse ``FORMAT=FILE`` options. UsageError for an unknown format or a missing folder, before any work is done."""
    found: list[tuple[str, Path]] = []
    for value in values:
        name, separator, path = value.partition("=")
        if not separator or not path:
            raise UsageError(f"--report {value}: write it as FORMAT=FILE")
        check_name(name)
        if not Path(path).parent.is_dir():
            raise UsageError(f"--report {value}: no such folder: {Path(path).parent}")
        if Path(path).is_dir():
            raise UsageError(f"--report {value}: is a folder")
        found.append((name, Path(path)))
    return tuple(found)


def save(report: Report, targets: Sequence[tuple[str, Path]]) -> None:
    """Write the report files; UsageError when one cannot be written. Further files of a report are ``NAME-2``, ``NAME-3``…"""
    for name, path in targets:
        for number, document in enumerate(documents(name, report), 1):
            write_file(path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}"), document)


def write_file(path: Path, document: str | bytes) -> None:
    """Write a document; UsageError when that fails."""
    try:
        path.write_bytes(document if isinstance(document, bytes) else document.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or 'cannot be written').lower()}") from error


def summarise(report: Report) -> None:
    """Append GitHub's job summary to the file that $GITHUB_STEP_SUMMARY names, if it names one."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    from v2vlint.report.formats.github import summary

    try:
        with Path(path).open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(summary(report))
    except OSError as error:
        raise UsageError(f"$GITHUB_STEP_SUMMARY: {(error.strerror or 'cannot be written').lower()}") from error
