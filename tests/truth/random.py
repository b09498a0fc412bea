"""Draw guests, forecast each, boot it, and add what was found to the table: ``python -m tests.truth.random --first 1 --count 10``.

A number makes the same guest again; ``--show`` says which, and boots nothing. Numbers that the table has are left out unless ``--again``.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from guestbuild.tools import BuildError
from tests.proving.truth import TARGETS
from tests.truth import images, record
from tests.truth.bases import BASES
from tests.truth.build import build
from tests.truth.draw import DEFECTS, Drawn, drawn
from tests.truth.draw import TARGETS as DRAWN_TARGETS
from v2vlint import target
from v2vlint.facts.network.landing import NetworkLanding
from v2vlint.facts.registry import FactStore
from v2vlint.guest.open import open_guest
from v2vlint.model.definition import Definition
from v2vlint.model.errors import FactUnavailable, V2vlintError
from v2vlint.model.finding import Mover, Stage
from v2vlint.model.proof import Proof, Via
from v2vlint.model.report import Fate, Forecast
from v2vlint.model.source import GuestRef, Key, Keys
from v2vlint.model.target import Target
from v2vlint.proving import Wish, forecast, prove
from v2vlint.source.locate import locate

TIMEOUT = 900.0
MEMORY = 768
# A kernel whose timer did not tick while the host had other work.
_STARVED = "IO-APIC + timer doesn't work"
_KEYS = Keys((Key(images.KEY),))
_RENAMED = re.compile(r"(\w+): renamed from (\w+)")
_COUNTED = re.compile(r"\beth\d\b")


def run(cell: Drawn, keep: Path | None = None) -> record.Row:
    """Build, forecast and boot one cell."""
    with tempfile.TemporaryDirectory(prefix="v2vlint-random-", dir="/dev/shm") as name:
        image = build(cell, Path(name))
        guest = GuestRef("guest", "disks", (str(image),))
        own = TARGETS / f"{cell.target}.toml"
        there = target.load(str(own) if own.exists() else cell.target)
        said = forecast(guest, there, _KEYS)
        assert said, f"{cell.seed}: no Linux root found"
        logs = keep / str(cell.seed) if keep else Path(name) / "logs"
        proof = prove(guest, there, Wish(_via(cell, said), timeout=TIMEOUT, memory=MEMORY, artifacts=logs, keys=_KEYS))
        names = _names_seen((logs / "serial.log").read_text("utf-8", "replace")) if proof.came_up else ""
        return _row(cell, said, proof, _names_said(guest, there) if proof.came_up else "", names)


def _via(cell: Drawn, said: Forecast) -> Via:
    """OVMF has no driver for VMware's controller: such a guest starts with its kernel. BuildError when it stops before that."""
    if cell.guest.firmware == "bios" or cell.target != "vmware":
        return "firmware"
    if _stop(said) in (Stage.FIRMWARE, Stage.LOADER, Stage.ENTRY, Stage.KERNEL):
        raise BuildError("OVMF has no driver for PVSCSI, and the guest's kernel is said not to start")
    return "kernel"


def _names_said(guest: GuestRef, there: Target) -> str:
    """What we say that the card is called."""
    found = open_guest(locate(guest), _KEYS)
    root = found.roots[0]
    try:
        names = FactStore((root.fs, found.blocks, root.os, Definition("", ""), there, Mover.RAW)).get(NetworkLanding).usual_names
    except FactUnavailable as error:
        return error.reason
    return " or ".join(names)


def _names_seen(log: str) -> str:
    """What the kernel says that the card is called."""
    names = dict(_RENAMED.findall(log))
    last = [new for new in names if new not in names.values()]
    return ", ".join(last) or next(iter(_COUNTED.findall(log)), "")


def _row(cell: Drawn, said: Forecast, proof: Proof, names_said: str, names_seen: str) -> record.Row:
    network = next((one.fate for one in said.stages if one.stage is Stage.NETWORK), Fate.UNKNOWN)
    return record.Row(
        seed=str(cell.seed),
        commit=record.commit(),
        cell=cell.name,
        forecast=_said(said),
        seen=_outcome(proof.came_up, proof.stage),
        network_forecast=str(network) if said.will_boot else "",
        network_seen=proof.milestones[-1].evidence if proof.came_up else "",
        seconds=f"{proof.seconds:.0f}",
        verdict=verdict(said, proof),
        reason=f"{'started with its kernel: ' if proof.via == 'kernel' else ''}{proof.reason}",
        names_forecast=names_said,
        names_seen=names_seen,
    )


def _outcome(came_up: bool | None, stage: Stage | None) -> str:
    return {True: "comes up", False: f"stops: {stage}" if stage else "stops", None: "could not tell"}[came_up]


def _said(said: Forecast) -> str:
    return _outcome(said.will_boot, _stop(said) if said.will_boot is False else None)


def _stop(said: Forecast) -> Stage | None:
    return next((one.stage for one in said.stages if one.fate is Fate.FAIL), None)


def verdict(said: Forecast, proof: Proof) -> str:
    """``agree``, ``differ``, ``elsewhere`` (both stop, at different places), ``network`` (what the card does differs) or ``open``."""
    if proof.came_up is None or said.will_boot is None or _STARVED in proof.reason:
        return "open"
    if not proof.differences(said):
        return "agree"
    if proof.came_up is not said.will_boot:
        return "differ"
    return "network" if proof.came_up else "elsewhere"


def _among(name: str, wanted: list[str] | None) -> bool:
    return wanted is None or name in wanted


def main() -> int:
    """Run cells from the command line; 1 when one of them does not agree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seed", type=int, action="append", metavar="N", help="these numbers, instead of --first and --count")
    parser.add_argument("--base", action="append", choices=tuple(BASES), help="only guests that are installed from it")
    parser.add_argument("--machine", action="append", choices=DRAWN_TARGETS, help="only guests that land on it")
    parser.add_argument("--wrong", action="store_true", help="only guests with a defect")
    parser.add_argument(
        "--defect", action="append", choices=[one.name for one in DEFECTS], help="only guests that have it, or another of these"
    )
    parser.add_argument("--show", action="store_true", help="say what the numbers make, boot nothing")
    parser.add_argument("--again", action="store_true", help="also numbers that the table has")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep logs and screens of every boot there")
    parser.add_argument("--until", metavar="HH:MM", help="begin no cell after this time")
    parser.add_argument("--table", type=Path, default=record.BOOTS, help="where what is found is added")
    options = parser.parse_args()
    known = {row.seed for row in record.rows(options.table)}
    wrong = 0
    for seed in options.seed or range(options.first, options.first + options.count):
        cell = drawn(seed)
        unwanted = options.wrong and not cell.defects
        unwanted |= options.defect is not None and not any(_among(one.name, options.defect) for one in cell.defects)
        if unwanted or not (_among(cell.guest.base, options.base) and _among(cell.target, options.machine)):
            continue
        if options.show or (str(seed) in known and not options.again):
            print(f"{seed}: {cell.name}" if options.show else f"{seed}: known", flush=True)
            continue
        if options.until and record.is_past(options.until):
            break
        try:
            row = run(cell, options.keep)
        except (AssertionError, BuildError, OSError, V2vlintError, subprocess.CalledProcessError) as error:
            print(f"! not run  {seed}: {cell.name}: {str(error)[-400:]}", flush=True)
            continue
        record.add(options.table, row)
        wrong += row.verdict != "agree"
        print(f"{row.verdict:9} {seed}: {cell.name}: forecast {row.forecast}, boot {row.seen} ({row.reason}) {row.seconds} s", flush=True)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
