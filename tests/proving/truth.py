"""The truth table: real Debian guests, each forecast and booted on several controllers.

``python -m tests.proving.truth`` boots what has no result yet, in order, and writes docs/truth-table.md; ``--only GLOB`` picks cells. Boots
are kept by image and target in ``build/truth.jsonl``, so that an interrupted run goes on and a changed forecast costs no boot.
"""

from __future__ import annotations

import argparse
import datetime
import fnmatch
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from guestbuild.debian import BuildError, Spec, build, image_path
from tests.truth import page as drawn
from v2vlint import __version__, target
from v2vlint.accel import QEMU, acceleration
from v2vlint.model.errors import V2vlintError
from v2vlint.model.finding import Stage
from v2vlint.model.report import Fate, Forecast
from v2vlint.model.source import GuestRef
from v2vlint.model.target import Target
from v2vlint.proving import Wish, forecast, prove

ROOT = Path(__file__).resolve().parents[2]
TARGETS = Path(__file__).parent / "targets"
RESULTS = ROOT / "build" / "truth.jsonl"
PAGE = ROOT / "docs" / "truth-table.md"
TIMEOUT = 900.0
_SAME_PLACE = ({Stage.LOADER, Stage.ENTRY, Stage.KERNEL}, {Stage.INITRAMFS, Stage.ROOT, Stage.UNLOCK})


@dataclass(frozen=True, slots=True)
class Cell:
    """One boot: a guest on a target of ``tests/prove/targets``."""

    spec: Spec
    target: str

    @property
    def name(self) -> str:
        """``bookworm-bios-ext4@ide``."""
        return f"{self.spec.name}@{self.target}"

    @property
    def key(self) -> str:
        """What a kept boot is found by: the image's name has a hash of everything it is made of."""
        return f"{image_path(self.spec).name}@{self.target}"


@dataclass(frozen=True, slots=True)
class Boot:
    """What a boot gave. ``network`` is what the network card was seen to do."""

    key: str
    came_up: bool | None
    stage: str
    reason: str
    network: str
    has_network: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """A cell with its forecast and its boot."""

    cell: Cell
    forecast: Forecast
    boot: Boot

    @property
    def agrees(self) -> bool:
        """Whether both say the same about coming up, and neither is in doubt."""
        return self.boot.came_up is not None and self.boot.came_up == self.forecast.will_boot

    @property
    def predicted_stop(self) -> Stage | None:
        """The stage that the forecast fails at."""
        return next((one.stage for one in self.forecast.stages if one.fate is Fate.FAIL), None)

    @property
    def same_place(self) -> bool:
        """Whether both stop at the same place, as far as a boot can be told apart from outside."""
        if not self.boot.stage or self.predicted_stop is None:
            return True
        stages = {Stage(self.boot.stage), self.predicted_stop}
        return len(stages) == 1 or any(stages <= places for places in _SAME_PLACE)


_CLEAN = Spec()
_UEFI = Spec(firmware="uefi")
_LIST = Spec(modules="list")
_GUESTS: tuple[Spec, ...] = (
    _CLEAN,
    Spec(suite="bullseye"),
    Spec(suite="trixie"),
    _UEFI,
    Spec(suite="bullseye", firmware="uefi"),
    Spec(suite="trixie", firmware="uefi"),
    Spec(fs="xfs"),
    Spec(fs="btrfs"),
    Spec(lvm=True),
    Spec(suite="trixie", firmware="uefi", fs="btrfs"),
    Spec(firmware="uefi", lvm=True),
    _LIST,
    Spec(suite="trixie", modules="list"),
    Spec(lvm=True, modules="list"),
    Spec(root="device"),
    Spec(fstab_device=True),
    Spec(firmware="uefi", fallback=False),
    Spec(resume=True),
    Spec(missing_disk="required"),
    Spec(missing_disk="nofail"),
    Spec(initramfs="dracut"),
    Spec(initramfs="dracut", modules="list"),
    Spec(initramfs="dracut", lvm=True),
    Spec(initramfs="dracut", root="device"),
    Spec(blacklist=("virtio_blk",)),
    Spec(blacklist=("virtio_scsi",)),
    Spec(network="ifupdown"),
    Spec(network="pinned"),
)
_IDE = frozenset({_CLEAN, _LIST, Spec(root="device"), Spec(initramfs="dracut", modules="list"), Spec(suite="bullseye")})
CELLS: tuple[Cell, ...] = (
    *(Cell(spec, name) for spec in _GUESTS for name in (("ide",) if spec in _IDE else ("sata",)) + ("virtio-blk", "virtio-scsi")),
    Cell(_CLEAN, "sata"),
    Cell(_LIST, "sata"),
    Cell(_CLEAN, "virtio-blk-v1"),
    Cell(_CLEAN, "virtio-blk-v3"),
    *(Cell(Spec(cpu_v3=True), name) for name in ("sata", "virtio-blk", "virtio-scsi", "virtio-blk-v1", "virtio-blk-v3")),
)
FAST: tuple[Cell, ...] = (
    Cell(_CLEAN, "virtio-blk"),
    Cell(_LIST, "virtio-scsi"),
    Cell(Spec(root="device"), "virtio-blk"),
    Cell(Spec(firmware="uefi", fallback=False), "virtio-blk"),
)


def outcome(cell: Cell, artifacts: Path | None = None, *, again: bool = False) -> Outcome:
    """Forecast a cell, and boot it unless its boot is known; with ``again``, boot it anyway and keep nothing."""
    image = build(cell.spec)
    guest = GuestRef(str(image), "disks", (str(image),))
    there = target.load(str(TARGETS / f"{cell.target}.toml"))
    predicted = forecast(guest, there)
    assert predicted, f"{cell.name}: no Linux root found"
    boot = None if again else known().get(cell.key)
    if boot is None:
        boot = _boot(cell, guest, there, artifacts)
        if not again:
            _keep(boot)
    return Outcome(cell, predicted, boot)


def _boot(cell: Cell, guest: GuestRef, there: Target, artifacts: Path | None) -> Boot:
    proof = prove(guest, there, Wish(timeout=TIMEOUT, artifacts=artifacts))
    assert proof.unchanged, f"{cell.name}: the image changed"
    network = proof.milestones[-1]
    stage = proof.stage.value if proof.stage else ""
    seen = network.seconds is not None
    return Boot(cell.key, proof.came_up, stage, proof.reason, network.evidence, seen, proof.seconds)


def known() -> dict[str, Boot]:
    """The boots of earlier runs."""
    if not RESULTS.exists():
        return {}
    boots = [Boot(**json.loads(line)) for line in RESULTS.read_text().splitlines()]
    return {boot.key: boot for boot in boots}


def _keep(boot: Boot) -> None:
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    with RESULTS.open("a") as stream:
        stream.write(json.dumps(asdict(boot)) + "\n")


def page(outcomes: Iterable[Outcome]) -> str:
    """docs/truth-table.md."""
    found = list(outcomes)
    return "\n".join([*_head(found), "", *_table(found), "", *_disagreements(found), "", *_reasons(found)]) + "\n"


def _head(found: list[Outcome]) -> Iterator[str]:
    agree = sum(one.agrees for one in found)
    yield "# The truth table"
    yield ""
    yield "Real Debian guests, built by `sample-guests/debian.py`, each forecast by `v2vlint` and then really booted by the prover on"
    yield "several disk controllers. `make truth` makes this page (it takes hours without KVM). A cell says what both found. From outside a"
    yield "missing driver and a wrong device name look the same: both end in the initramfs."
    yield ""
    yield f"- Date: {datetime.date.today().isoformat()}"
    yield f"- v2vlint {__version__}; {_first_line(QEMU, '--version')}; {acceleration().word}"
    yield f"- Firmware: SeaBIOS {_package('seabios')}, OVMF {_package('ovmf')}"
    contradicted = sum(_contradicts(one) for one in found)
    undecided = len(found) - agree - contradicted
    yield f"- Cells: {len(found)}; forecast and boot agree in {agree}, disagree in {contradicted}, no verdict in {undecided}"
    seconds = [one.boot.seconds for one in found]
    yield f"- Longest boot {max(seconds):.0f} s, all together {sum(seconds) / 60:.0f} min"


def _contradicts(one: Outcome) -> bool:
    return one.boot.came_up is not None and one.forecast.will_boot is not None and not one.agrees


def _first_line(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def _package(name: str) -> str:
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True, text=True, check=False)
    return done.stdout or "(version unknown)"


def _table(found: list[Outcome]) -> Iterator[str]:
    columns = [name for name in dict.fromkeys(cell.target for cell in CELLS) if any(one.cell.target == name for one in found)]
    yield "| guest | " + " | ".join(columns) + " |"
    yield "|---|" + "---|" * len(columns)
    for spec in dict.fromkeys(one.cell.spec for one in found):
        cells = {one.cell.target: _cell(one) for one in found if one.cell.spec == spec}
        yield f"| {spec.name} | " + " | ".join(cells.get(name, "") for name in columns) + " |"


def _cell(one: Outcome) -> str:
    if one.agrees:
        return "✓ comes up" if one.boot.came_up else f"✓ stops: {one.boot.stage}"
    fate = {True: "comes up", False: "stops", None: "could not tell"}
    return f"**✗** forecast: {fate[one.forecast.will_boot]}, boot: {fate[one.boot.came_up]}"


def _disagreements(found: list[Outcome]) -> Iterator[str]:
    yield "## Disagreements"
    yield ""
    lines = [f"- {one.cell.name}: forecast {_forecast_words(one)}; boot: {one.boot.reason}" for one in found if not one.agrees]
    lines += [
        f"- {one.cell.name}: both say that it stops, the forecast at {one.predicted_stop}, the boot at {one.boot.stage}"
        for one in found
        if one.agrees and not one.same_place
    ]
    yield from lines or ["None."]
    yield ""
    yield "## Network"
    yield ""
    yield "Guests that came up, with what their network card did; the forecast's network stage beside it where it says otherwise."
    yield ""
    yield from _network(found) or ()


def _forecast_words(one: Outcome) -> str:
    reasons = [f"{stage.stage}: {stage.reason}" for stage in one.forecast.stages if stage.fate in (Fate.FAIL, Fate.UNKNOWN)]
    return f"{one.forecast.fate} ({'; '.join(reasons)})" if reasons else str(one.forecast.fate)


def _network(found: list[Outcome]) -> Iterator[str]:
    for one in found:
        if not one.boot.came_up:
            continue
        fate = next((stage.fate for stage in one.forecast.stages if stage.stage is Stage.NETWORK), Fate.UNKNOWN)
        agrees = fate is (Fate.PASS if one.boot.has_network else Fate.FAIL)
        yield f"- {one.cell.name}: {one.boot.network}" + ("" if agrees else f" (**forecast: {fate}**)")


def _reasons(found: list[Outcome]) -> Iterator[str]:
    yield "## Why guests stopped"
    yield ""
    yield "| guest | target | boot | forecast |"
    yield "|---|---|---|---|"
    for one in found:
        if one.boot.came_up is not True:
            reason = next((stage.reason for stage in one.forecast.stages if stage.fate is Fate.FAIL), "")
            yield f"| {one.cell.spec.name} | {one.cell.target} | {one.boot.reason} | {reason} |".replace("\n", " ")


def run(only: str = "*", artifacts: Path | None = None, *, known_only: bool = False) -> list[Outcome]:
    """Run the cells whose name matches, telling each as it ends; one that cannot be built or run is told and left out."""
    outcomes = []
    for cell in CELLS:
        if not fnmatch.fnmatch(cell.name, only) or (known_only and cell.key not in known()):
            continue
        try:
            one = outcome(cell, artifacts / cell.name if artifacts else None)
        except (AssertionError, BuildError, V2vlintError) as error:
            print(f"{'! not run':40} {cell.name}: {error}", flush=True)
            continue
        outcomes.append(one)
        print(f"{_cell(one):40} {cell.name}: {one.boot.reason} ({one.boot.seconds:.0f} s)", flush=True)
    return outcomes


def main() -> int:
    """Run the table from the command line; 1 when a cell disagrees."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="*", metavar="GLOB", help="cells to run, by name")
    parser.add_argument("--artifacts", type=Path, metavar="DIR", help="keep logs and screens of every boot there")
    parser.add_argument("--known", action="store_true", help="boot nothing: make the page from the boots at hand")
    args = parser.parse_args()
    outcomes = run(args.only, args.artifacts, known_only=args.known)
    if args.only == "*":
        PAGE.write_text(page(outcomes))
        drawn.write()
    return int(not outcomes or not all(one.agrees for one in outcomes))


if __name__ == "__main__":
    sys.exit(main())
