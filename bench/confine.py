"""Measures the confinement: one child that does nothing, with and without it, alternately. Processor time of the whole process.

The difference is a few milliseconds of eighty, hence the pairs. Writes a Markdown table.
"""

from __future__ import annotations

import argparse
import resource
import statistics
from collections.abc import Iterator
from pathlib import Path

from v2vlint import isolate
from v2vlint.confine import Grant, forks, lacking

NOTHING = isolate.Call("builtins:int", "7", Grant(("/usr/share",)))
CONFINED = forks._BOOT
BARE = CONFINED.replace(
    "from v2vlint.isolate import serve as child", "from v2vlint import isolate; isolate.confine = lambda grant: None; child = isolate.serve"
)


def milliseconds(boot: str) -> float:
    """User and system time of a server started with ``boot`` and its one child."""
    forks._BOOT = boot
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    if isolate.run(NOTHING) != isolate.Answer(7):
        raise SystemExit("the child does not answer")
    forks.end()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def pairs(count: int) -> Iterator[tuple[float, float]]:
    """``count`` pairs with and without confinement, after one that is not counted."""
    for number in range(count + 1):
        pair = milliseconds(CONFINED), milliseconds(BARE)
        if number:
            yield pair


def table(found: list[tuple[float, float]]) -> str:
    """The figures in Markdown."""
    differences = sorted(one - other for one, other in found)
    quarter = len(differences) // 4
    spread = f"{differences[quarter]:.1f} to {differences[-quarter - 1]:.1f}"
    return f"""# What the confinement costs

A child that does nothing, from its start to its end, user and system time in milliseconds; {len(found)} pairs, one after the other.
Written by `bench/confine.py`. Lacking here: {", ".join(lacking()) or "nothing"}.

| | median |
|---|---|
| with Landlock, seccomp and limits | {statistics.median(one for one, _other in found):.1f} |
| without | {statistics.median(other for _one, other in found):.1f} |
| difference of a pair | {statistics.median(differences):.1f} (middle half: {spread}) |
"""


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--output", type=Path, default=Path("bench/confine.md"))
    options = parser.parse_args()
    options.output.write_text(table(list(pairs(options.pairs))), "utf-8")


if __name__ == "__main__":
    main()
