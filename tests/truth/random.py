"""Draw guests, forecast each, boot it, and add what was found to the table: ``python -m tests.truth.random --first 1 --count 10``.

A number makes the same guest again; ``--show`` says which, and boots nothing. Numbers that the table has are left out unless ``--again``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.proving.truth import TARGETS
from tests.truth import record
from tests.truth.build import build
from tests.truth.draw import Drawn, drawn
from v2vlint import target
from v2vlint.model.finding import Stage
from v2vlint.model.proof import Proof
from v2vlint.model.report import Fate, Forecast
from v2vlint.model.source import GuestRef
from v2vlint.proving import Wish, forecast, prove

TIMEOUT = 900.0
# A kernel whose timer did not tick while the host had other work.
_STARVED = "IO-APIC + timer doesn't work"
_SAME_PLACE = ({Stage.LOADER, Stage.ENTRY, Stage.KERNEL}, {Stage.INITRAMFS, Stage.ROOT, Stage.UNLOCK})


def run(cell: Drawn, keep: Path | None = None) -> record.Row:
    """Build, forecast and boot one cell."""
    with tempfile.TemporaryDirectory(prefix="v2vlint-random-") as name:
        image = build(cell, Path(name))
        guest = GuestRef("guest", "disks", (str(image),))
        own = TARGETS / f"{cell.target}.toml"
        there = target.load(str(own) if own.exists() else cell.target)
        said = forecast(guest, there)
        assert said, f"{cell.seed}: no Linux root found"
        proof = prove(guest, there, Wish(timeout=TIMEOUT, artifacts=keep / str(cell.seed) if keep else None))
    return _row(cell, said, proof)


def _row(cell: Drawn, said: Forecast, proof: Proof) -> record.Row:
    network = next((one.fate for one in said.stages if one.stage is Stage.NETWORK), Fate.UNKNOWN)
    has_network = proof.milestones[-1].seconds is not None
    return record.Row(
        seed=str(cell.seed),
        commit=record.commit(),
        cell=cell.name,
        forecast=_said(said),
        seen=_outcome(proof.came_up, proof.stage),
        network_forecast=str(network) if said.will_boot else "",
        network_seen=proof.milestones[-1].evidence if proof.came_up else "",
        seconds=f"{proof.seconds:.0f}",
        verdict=verdict(said, proof, has_network, network),
        reason=proof.reason,
    )


def _outcome(came_up: bool | None, stage: Stage | None) -> str:
    return {True: "comes up", False: f"stops: {stage}" if stage else "stops", None: "could not tell"}[came_up]


def _said(said: Forecast) -> str:
    return _outcome(said.will_boot, _stop(said) if said.will_boot is False else None)


def _stop(said: Forecast) -> Stage | None:
    return next((one.stage for one in said.stages if one.fate is Fate.FAIL), None)


def verdict(said: Forecast, proof: Proof, has_network: bool, network: Fate) -> str:
    """``agree``, ``differ``, ``elsewhere`` (both stop, at different places), ``network`` (what the card does differs) or ``open``."""
    if proof.came_up is None or said.will_boot is None or _STARVED in proof.reason:
        return "open"
    if proof.came_up is not said.will_boot:
        return "differ"
    if not proof.came_up:
        stages = {proof.stage, _stop(said)}
        same = len(stages) == 1 or None in stages or any(stages <= places for places in _SAME_PLACE)
        return "agree" if same else "elsewhere"
    known = network in (Fate.PASS, Fate.FAIL)
    return "network" if known and (network is Fate.PASS) is not has_network else "agree"


def main() -> int:
    """Run cells from the command line; 1 when one of them does not agree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--show", action="store_true", help="say what the numbers make, boot nothing")
    parser.add_argument("--again", action="store_true", help="also numbers that the table has")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep logs and screens of every boot there")
    parser.add_argument("--until", metavar="HH:MM", help="begin no cell after this time")
    parser.add_argument("--table", type=Path, default=record.BOOTS, help="where what is found is added")
    options = parser.parse_args()
    known = {row.seed for row in record.rows(options.table)}
    wrong = 0
    for seed in range(options.first, options.first + options.count):
        cell = drawn(seed)
        if options.show or (str(seed) in known and not options.again):
            print(f"{seed}: {cell.name}" if options.show else f"{seed}: known", flush=True)
            continue
        if options.until and time.strftime("%H:%M") >= options.until:
            break
        row = run(cell, options.keep)
        record.add(options.table, row)
        wrong += row.verdict != "agree"
        print(f"{row.verdict:9} {seed}: {cell.name}: forecast {row.forecast}, boot {row.seen} ({row.reason}) {row.seconds} s", flush=True)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
