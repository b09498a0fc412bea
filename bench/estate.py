"""Measures a run of many guests against the work for the guests themselves, and one guest alone. Processor time; writes a Markdown table.

The work for a guest is a check in a process that has everything imported. A run of many is the command line with all its child processes.
Both are measured alternately in one run of this program, so that other load affects both.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from v2vlint import target
from v2vlint.engine import worker
from v2vlint.engine.protocol import CheckAsk
from v2vlint.model.codec import encode
from v2vlint.model.source import GuestRef


def own_work(images: Sequence[Path]) -> float:
    """Seconds for all guests, one after the other, in this process, after a warm-up with the first one."""
    asks = [encode(CheckAsk(GuestRef(str(path), "disks", (str(path),)), (target.load("kvm"),))) for path in images]
    for ask in asks[: len({path.name.partition("-")[2] for path in images})]:
        worker.check(ask)
    started = time.process_time()
    for ask in asks:
        json.dumps(worker.check(ask))
    return time.process_time() - started


def command(arguments: Sequence[str], folder: Path) -> float:
    """Seconds of the command line and all its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "v2vlint", "check", *arguments, "-q", "--no-cache", "--no-config"],
        cwd=folder,
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache")},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def copies(sources: Sequence[Path], count: int, folder: Path) -> list[Path]:
    """``count`` guests: copies of ``sources``, in turn."""
    made = [folder / f"{at:03}-{sources[at % len(sources)].name}" for at in range(count)]
    for at, path in enumerate(made):
        shutil.copyfile(sources[at % len(sources)], path)
    return made


def measure(sources: Sequence[Path], count: int, rounds: int) -> str:
    """The figures in Markdown."""
    worker.preload(True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = copies(sources, count, folder)
        pairs = [(own_work(images), command([str(path) for path in images], folder)) for _round in range(rounds)]
        alone = [command([str(images[0])], folder) for _round in range(rounds)]
        single = [own_work(images[:1]) for _round in range(rounds)]
    ratio = statistics.median(run / own for own, run in pairs)
    return f"""# What a run of many guests costs

Processor time, {count} guests ({len(sources)} different ones), {rounds} rounds, {os.cpu_count()} processors; written by `bench/estate.py`.
Load average at the end: {os.getloadavg()[0]:.1f}; above the number of processors all times are inflated, least so the ratio.

| | seconds |
|---|---|
| the guests' own work, each | {statistics.median(own for own, _run in pairs) / count:.3f} |
| `v2vlint check` of all, each | {statistics.median(run for _own, run in pairs) / count:.3f} |
| ratio of a pair (median) | {ratio:.2f} |
| `v2vlint check` of one | {statistics.median(alone):.3f} |
| of it the guest's own work | {statistics.median(single):.3f} |
"""


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", nargs="+", type=Path)
    parser.add_argument("--guests", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("bench/estate.md"))
    options = parser.parse_args()
    options.output.write_text(measure(options.images, options.guests, options.rounds), "utf-8")


if __name__ == "__main__":
    main()
