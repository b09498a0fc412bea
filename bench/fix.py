"""Measures fixing: both back-ends, a bare libguestfs launch, the guest's own tool in virt-customize, and virt-v2v, on the same guests.

``bench/fix.py [--output FILE] [--skip-rebuild] [--skip-convert] [--times N] [--limit S] [--beside]``. Everything runs without KVM on the
same machine, on copies of real Debian guests from the cache. Direct writing runs N times, of which the best counts, everything else once.
The rebuild (``virt-customize --run-command 'update-initramfs -u'``) and the conversion (``virt-v2v -i disk -o local``) run last, or with
``--beside`` in parallel, and are stopped after ``--limit`` seconds. On a busy machine, compare processor times rather than wall times: they
include all processes that a command started.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "sample-guests"))

from guestbuild.debian import Spec, build  # noqa: E402
from guestbuild.samples import cached  # noqa: E402

EMULATED = {**os.environ, "LIBGUESTFS_BACKEND": "direct", "LIBGUESTFS_BACKEND_SETTINGS": "force_tcg"}
LEAN = Spec(modules="list")
"""A bookworm whose initramfs has no virtio."""


@dataclass(frozen=True, order=True)
class Taken:
    """Seconds: processor time of all processes, and wall time. ``split`` is v2vlint's own breakdown."""

    cpu: float
    wall: float
    split: str = ""
    ended: bool = True


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    name: str
    taken: Taken
    remark: str = ""


class Running:
    """A started command. Its output goes to a file."""

    def __init__(self, *words: str | Path) -> None:
        self.words, self.start = list(map(str, words)), time.monotonic()
        self.output = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(self.words, env=EMULATED, stdout=self.output, stderr=subprocess.STDOUT, start_new_session=True)

    def taken(self, limit: float | None = None) -> Taken:
        """The time it took, or had taken when it was stopped ``limit`` seconds after its start; RuntimeError when it fails."""
        while (ended := os.wait4(self.process.pid, os.WNOHANG if limit else 0))[0] == 0:
            if limit and time.monotonic() - self.start > limit:
                spent = _spent(self.process.pid)
                os.killpg(self.process.pid, signal.SIGTERM)
                return Taken(round(spent, 2), round(time.monotonic() - self.start, 2), ended=False)
            time.sleep(0.05)
        wall, code = time.monotonic() - self.start, os.waitstatus_to_exitcode(ended[1])
        self.output.seek(0)
        said = self.output.read()
        fixed = next((line for line in said.splitlines() if " fixed in " in line), "")
        if code not in (0, 1) or (code and not fixed):
            raise RuntimeError(f"{self.words[0]} exited {code}: {said.strip()[-500:]}")
        return Taken(round(ended[2].ru_utime + ended[2].ru_stime, 2), round(wall, 2), fixed.partition("(")[2].rstrip(")"))


def timed(*words: str | Path) -> Taken:
    """The time that one command takes."""
    return Running(*words).taken()


def _spent(pid: int) -> float:
    """Processor time of a process and all its descendants, including those that have exited."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK") + sum(_spent(int(child)) for child in below)


def best(times: int, measure: Callable[[], Taken]) -> Taken:
    """The run with the least processor time."""
    return min(measure() for _time in range(times))


def fix(image: Path, writer: str, folder: Path) -> Taken:
    """``v2vlint --fix`` on a copy."""
    copy = Path(shutil.copy(image, folder / "fixed.qcow2"))
    taken = timed(sys.executable, "-m", "v2vlint", "--fix", "--no-config", "--writer", writer, copy)
    if not taken.split:
        raise RuntimeError("nothing was fixed")
    for left in folder.glob("fixed.qcow2*"):
        left.unlink()
    return taken


def slow(folder: Path, args: argparse.Namespace) -> dict[str, Callable[[], Running]]:
    """Start the commands that take minutes, by name."""
    found: dict[str, Callable[[], Running]] = {}
    lean = build(LEAN)
    if not args.skip_rebuild:
        other = Path(shutil.copy(lean, folder / "other.qcow2"))
        command = "printf 'virtio_blk\\nvirtio_pci\\n' >> /etc/initramfs-tools/modules; update-initramfs -u -k all"
        found["virt-customize, update-initramfs"] = lambda: Running("virt-customize", "-q", "-a", other, "--run-command", command)
    if not args.skip_convert:
        found["virt-v2v -i disk -o local"] = lambda: Running("virt-v2v", "-i", "disk", lean, "-o", "local", "-os", folder)
    return found


def rows(folder: Path, args: argparse.Namespace) -> list[Row]:
    """The measurements."""
    (text,) = cached("debian-vmware-desktop")
    lean, waiting = build(LEAN), slow(folder, args)
    beside = {name: start() for name, start in waiting.items()} if args.beside else {}
    found: list[Row] = []
    repair = Taken(1.0, 1.0)
    for what, image in (("text only", text), ("initramfs repair", lean)):
        for writer in ("direct", "libguestfs"):
            taken = best(args.times if writer == "direct" else 1, lambda: fix(image, writer, folder))  # noqa: B023
            found.append(Row(f"v2vlint --fix --writer {writer}, {what}", taken, taken.split))
            print(found[-1], flush=True)
            repair = taken if (what, writer) == ("initramfs repair", "direct") else repair
    found.append(Row("bare libguestfs launch", timed("guestfish", "--ro", "-a", text, "run")))
    for name, start in waiting.items():
        taken = (beside.get(name) or start()).taken(args.limit)
        found.append(Row(name, taken, _against(taken, repair)))
    return found


def _against(taken: Taken, repair: Taken) -> str:
    least = "" if taken.ended else "stopped before its end; more than "
    return f"{least}{taken.wall / repair.wall:.0f} × the direct repair on the clock, {taken.cpu / repair.cpu:.0f} × in processor time"


def main() -> int:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=HERE / "fix.md")
    parser.add_argument("--skip-rebuild", action="store_true")
    parser.add_argument("--skip-convert", action="store_true")
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--limit", type=float)
    parser.add_argument("--beside", action="store_true")
    args = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="v2vlint-bench-") as name:
        measured = rows(Path(name), args)
    version = json.dumps(subprocess.run(["guestfish", "--version"], capture_output=True, text=True, check=True).stdout.strip())
    lines = [f"| {row.name} | {row.taken.cpu:.1f} s | {row.taken.wall:.1f} s | {row.remark} |" for row in measured]
    machine = f"{os.cpu_count()} CPUs ({platform.machine()}), no KVM, {version[1:-1]}"
    head = [
        "# Fixing, measured",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {machine}. Written by `bench/fix.py`: direct writing is the best of {args.times} runs.",
        f"The load of the machine was {load:.0f} when it began: where that is above 1, compare processor time.",
        "",
        "| what | processor time | wall time | |",
        "| --- | --- | --- | --- |",
    ]
    args.output.write_text("\n".join([*head, *lines, ""]), "utf-8")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
