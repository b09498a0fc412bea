"""Measures a run of many guests against the work for the guests themselves, and one guest alone. Processor time; writes a Markdown table.

``bench/estate.py [--guests N] [--rounds N] [--small IMAGE…] [--real IMAGE] [--output FILE]``. Two kinds of guests in one run: small sample
guests, of which nearly everything is read, and a real Debian of 265 MB, of which each guest is a qcow2 overlay with bytes of its own.

The work for a guest is a check in a process that has everything imported and has judged such a guest before. A run of many is the command
line with all its child processes, and is measured between two halves of the guests' own work, so that other load affects both.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import v2vlint
import v2vlint_checks
from v2vlint import target
from v2vlint.engine import worker
from v2vlint.engine.protocol import CheckAsk
from v2vlint.model.codec import encode
from v2vlint.model.source import GuestRef

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "sample-guests"))

from guestbuild.debian import Spec, build  # noqa: E402
from guestbuild.samples import cached  # noqa: E402

SMALL = ("rhel5-hda", "debian-portable", "alpine-extlinux", "gentoo-native", "windows-xp-ide")

ALONE = 5
"""Runs of one guest in each round: short as they are, other load affects them most."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of processor time: the guest's own work and a guest's share in a run of many, by round, and of the first guest alone."""

    own: list[float]
    shared: list[float]
    alone: list[float]
    alone_own: list[float]


def own_work(images: Sequence[Path]) -> float:
    """Seconds for all guests, one after the other, in this process, which has judged such guests before."""
    asks = [encode(CheckAsk(GuestRef(str(path), "disks", (str(path),)), (target.load("kvm"),))) for path in images]
    started = time.process_time()
    for ask in asks:
        json.dumps(worker.check(ask))
    return time.process_time() - started


def command(arguments: Sequence[str], folder: Path) -> float:
    """Seconds of the command line and all its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "v2vlint", "check", *arguments, "-q", "--no-cache", "--no-config"],
        cwd=folder,
        check=False,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache")},
    )
    if done.returncode not in (0, 1):
        raise SystemExit(f"v2vlint exited {done.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def copies(sources: Sequence[Path], count: int, folder: Path) -> Iterator[Path]:
    """``count`` guests: copies of ``sources``, in turn."""
    for at in range(count):
        source = sources[at % len(sources)]
        yield Path(shutil.copyfile(source, folder / f"{at:03}-{source.name}"))


def overlays(source: Path, count: int, folder: Path) -> Iterator[Path]:
    """``count`` guests: overlays of a copy of ``source``, each with a block of its own where the disk has none."""
    base = Path(shutil.copyfile(source, folder / "base.img"))
    size = json.loads(subprocess.run(["qemu-img", "info", "--output=json", base], capture_output=True, check=True).stdout)["virtual-size"]
    for at in range(count):
        path = folder / f"{at:03}.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base.name, path], check=True, cwd=folder)
        subprocess.run(["qemu-io", "-c", f"write -q -P {1 + at % 255} {size - (1 << 20)} 64k", path], check=True)
        yield path


def measured(make: Callable[[Path], Iterator[Path]], kinds: int, rounds: int) -> Cost:
    """The costs of the guests that ``make`` puts into a folder; the first ``kinds`` are the different ones."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = list(make(folder))
        own_work(images[:kinds])
        command([str(images[0])], folder)  # the disk's blocks are in memory afterwards
        cost = Cost([], [], [], [])
        for _round in range(rounds):
            before = own_work(images[::2])
            cost.shared.append(command([path.name for path in images], folder) / len(images))
            cost.own.append((before + own_work(images[1::2])) / len(images))
            for _time in range(ALONE):
                cost.alone.append(command([images[0].name], folder))
                cost.alone_own.append(own_work(images[:1]))
    return cost


def page(small: Cost, real: Cost, guests: int, rounds: int) -> str:
    """The figures in Markdown."""

    def row(title: str, figures: Callable[[Cost], Sequence[float]], digits: int = 3) -> str:
        return f"| {title} | {' | '.join(f'{statistics.median(figures(cost)):.{digits}f}' for cost in (small, real))} |"

    rows = [
        row("own work of a guest", lambda cost: cost.own),
        row("a guest's share in `v2vlint check` of all", lambda cost: cost.shared),
        row("ratio of the two (median of the rounds)", lambda cost: [one / own for own, one in zip(cost.own, cost.shared, strict=True)], 2),
        row("`v2vlint check` of one guest", lambda cost: cost.alone),
        row("the best of them", lambda cost: [min(cost.alone)]),
        row("of it the guest's own work", lambda cost: cost.alone_own),
        row("the rest: start and imports, first use", lambda cost: [x - y for x, y in zip(cost.alone, cost.alone_own, strict=True)]),
    ]
    return "\n".join([
        "# What a run of many guests costs", "",
        f"Processor time in seconds, {guests} guests of each kind, {rounds} rounds, {os.cpu_count()} cores; written by `bench/estate.py`.",
        f"Load average at the end: {os.getloadavg()[0]:.1f}; above the number of processors all times are inflated, least so the ratio.",
        f"Small guests are {', '.join(SMALL)};",
        "the real one is a Debian 12 of 265 MB, each guest an overlay of its own.",
        "Own work is a check in a process that has everything imported and has judged such a guest before: opening the disks, reading",
        "the facts, judging every rule, the answer as JSON.", "",
        "| | small sample guests | a real Debian |", "|---|---:|---:|", *rows, "",
    ])  # fmt: skip


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--small", nargs="+", type=Path, help="the small guests (some samples)")
    parser.add_argument("--real", type=Path, help="the real guest, a qcow2 image (a Debian that is built)")
    parser.add_argument("--guests", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--output", type=Path, default=HERE / "estate.md")
    options = parser.parse_args()
    small, real = options.small or [cached(name)[0] for name in SMALL], options.real or build(Spec())
    # As an installation has them: without compiled modules, every start would compile its own.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for package in (v2vlint, v2vlint_checks):
        compileall.compile_dir(Path(str(package.__file__)).parent, quiet=2)
    worker.preload(True)
    costs = (
        measured(lambda folder: copies(small, options.guests, folder), len(small), options.rounds),
        measured(lambda folder: overlays(real, options.guests, folder), 1, options.rounds),
    )
    options.output.write_text(page(*costs, options.guests, options.rounds), "utf-8")


if __name__ == "__main__":
    main()
