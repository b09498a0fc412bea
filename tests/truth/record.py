"""The table of cells: one line of tab-separated values each, added as they are run, with seed and commit."""

from __future__ import annotations

import dataclasses
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BOOTS = Path(__file__).parent / "boots.tsv"
CONTAINERS = Path(__file__).parent / "containers.tsv"


@dataclass(frozen=True, slots=True)
class Row:
    """A cell with what was said and what was seen: ``comes up``, ``stops: root``, ``could not tell``; ``…`` where nothing was said."""

    seed: str
    commit: str
    cell: str
    forecast: str
    seen: str
    network_forecast: str
    network_seen: str
    seconds: str
    verdict: str
    reason: str = ""
    names_forecast: str = ""
    names_seen: str = ""


def rows(path: Path) -> list[Row]:
    """The rows of a table; of a cell that was run again, the last one."""
    if not path.exists():
        return []
    lines = (line.split("\t") for line in path.read_text("utf-8").splitlines()[1:])
    names = [field.name for field in dataclasses.fields(Row)]
    found = [Row(**dict(zip(names, line, strict=False))) for line in lines]
    return list({row.seed: row for row in found}.values())


def add(path: Path, row: Row) -> None:
    """Append a row at once, so that an interrupted run keeps what it found."""
    names = [field.name for field in dataclasses.fields(Row)]
    if not path.exists():
        path.write_text("\t".join(names) + "\n", "utf-8")
    clean = (" ".join(str(getattr(row, name)).split()) for name in names)
    with path.open("a", encoding="utf-8") as stream:
        stream.write("\t".join(clean) + "\n")


def is_past(clock: str, now: str = "") -> bool:
    """Whether the time of day ``clock``, as HH:MM, is over since less than twelve hours."""
    return (_minutes(now or time.strftime("%H:%M")) - _minutes(clock)) % 1440 < 720


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def commit() -> str:
    """The last commit that changed what forecasts, with a ``+`` when the files differ from it."""
    command = ["git", "log", "-1", "--format=%h", "--", "src"]
    head = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    changed = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", "src"], cwd=ROOT, check=False).returncode
    return f"{head}{'+' if changed else ''}"
