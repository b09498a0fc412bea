"""Combinations of fstab, units, masks and command lines against Debian's own systemd: ``python -m tests.truth.nspawn --first N --count N``.

What was found goes to the table of containers, with seed and commit. Three seconds a cell on a quiet machine.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.facts.systemd.cells import drawn, forecast, may_differ
from tests.facts.systemd.nspawn import Cell, available, reached
from tests.truth import record


def run(seed: int) -> record.Row:
    """One combination, told and seen."""
    start = time.monotonic()
    seen = reached(drawn(seed))
    return _row(seed, seen, f"{time.monotonic() - start:.0f}")


def _row(seed: int, seen: str, seconds: str) -> record.Row:
    cell = drawn(seed)
    told = forecast(cell)
    verdict = "agree" if told == seen else "either" if may_differ(cell, told, seen) else "differ"
    return record.Row(str(seed), record.commit(), _words(cell), told, seen, "", "", seconds, verdict)


def retell(table: Path) -> int:
    """Forecast every known combination by the present code: what was seen stays as it was seen. The number that differs."""
    known = record.rows(table)
    told = [_row(int(row.seed), row.seen, row.seconds) for row in known if row.cell == _words(drawn(int(row.seed)))]
    table.unlink(missing_ok=True)
    for row in told:
        record.add(table, row)
    return sum(row.verdict == "differ" for row in told)


def _words(cell: Cell) -> str:
    lines = "; ".join(cell.fstab.split("\n")).rstrip("; ")
    files = ", ".join(path.removeprefix("/etc/systemd/system/") for path in cell.files)
    return " | ".join(part for part in (lines, files, cell.cmdline) if part)


def main() -> int:
    """Run cells from the command line; 1 when one of them differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--until", metavar="HH:MM", help="begin no cell after this time")
    parser.add_argument("--table", type=Path, default=record.CONTAINERS, help="where what is found is added")
    parser.add_argument("--retell", action="store_true", help="run nothing: forecast what the table has by the present code")
    options = parser.parse_args()
    if options.retell:
        return int(bool(retell(options.table)))
    if not available():
        parser.error("containers cannot be started here: systemd-nspawn as root and an overlay filesystem are needed")
    known = {row.seed for row in record.rows(options.table)}
    wrong = 0
    for seed in range(options.first, options.first + options.count):
        if options.until and record.is_past(options.until):
            break
        if str(seed) in known:
            continue
        row = run(seed)
        record.add(options.table, row)
        if row.verdict == "differ":
            wrong += 1
            print(f"{seed}: told {row.forecast}, seen {row.seen}: {row.cell}", flush=True)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
