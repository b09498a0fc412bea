"""Estates for tests: guests in all formats and nested folders, some of them broken, as files that any server can have."""

from __future__ import annotations

import csv
import io
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.programs import running
from v2vlint.run.journal import PATTERN

FORMATS = {"qcow2": "qcow2", "raw": "img", "vmdk": "vmdk", "vdi": "vdi", "vhdx": "vhdx", "vpc": "vhd"}
VMX = 'displayName = "vm{at}"\nuuid.bios = "56 4d 00 00 00 00 40 00-80 00 00 00 00 00 {at:02x} {more:02x}"\nscsi0.present = "TRUE"\n' \
    'scsi0:0.present = "TRUE"\nscsi0:0.fileName = "disk.vmdk"\n'  # fmt: skip
BROKEN = 5
"""The ways in which :func:`break_one` breaks a guest."""
LINK = 2
"""The way that leaves a link that leads nowhere."""
PATIENCE = 120
"""Seconds for what an audit still does when it is interrupted, with servers that are slow."""


def convert(source: Path, kind: str, target: Path) -> Path:
    """``source`` as an image of another kind."""
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["qemu-img", "convert", "-O", kind, str(source), str(target)], check=True)
    return target


def build(top: Path, masters: Sequence[Path], good: int, broken: int) -> Path:
    """``good`` guests, copies of images in turn, and ``broken`` ones."""
    for at in range(good):
        master = masters[at % len(masters)]
        folder = top / f"site{at % 3}" / f"rack {at % 7}" / f"vm{at:03}"
        folder.mkdir(parents=True)
        subprocess.run(["cp", "--reflink=auto", str(master), str(folder / f"disk{master.suffix}")], check=True)
        if master.suffix == ".vmdk":
            (folder / "vm.vmx").write_text(VMX.format(at=at % 256, more=at // 256))
    for at in range(broken):
        break_one(top / f"site{at % 3}", at, masters[0])
    return top


def break_one(folder: Path, at: int, master: Path) -> None:
    """One broken guest."""
    path = folder / f"broken{at}.qcow2"
    match at % BROKEN:
        case 0:
            path.write_bytes(b"")
        case 1:
            path.write_bytes(master.read_bytes()[:70_000])
        case 2:  # LINK
            path.symlink_to("gone.qcow2")
        case 3:
            path.write_bytes(b"QFI\xfb" + bytes(range(256)) * 400)
        case 4:
            (folder / f"broken{at}.vmx").write_text(VMX.format(at=at, more=255).replace("disk.vmdk", "gone.vmdk"))


class Audit:
    """Runs of one ``v2vlint check`` with a journal, in a folder of its own."""

    def __init__(self, folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        self.folder, self._environment = folder, environment
        self._command = [sys.executable, "-m", "v2vlint", "check", *arguments, "--journal", "j", "-q", "--no-progress", "--no-cache"]
        folder.mkdir(exist_ok=True)

    @property
    def records(self) -> int:
        """How many guests have ended, in all runs."""
        return sum(path.read_bytes().count(b'"record": "guest"') for path in (self.folder / "j").glob(PATTERN))

    def interrupt(self, limit: int, number: int = signal.SIGINT, meanwhile: Callable[[int], object] = int) -> int:
        """Start, or go on, until there are ``limit`` records, and then end it: how many there are then. ``meanwhile`` is told of each."""
        more = ["--resume"] if self.records else []
        quiet = subprocess.DEVNULL
        with running([*self._command, *more], cwd=self.folder, stdout=quiet, stderr=quiet, env=self._environment) as run:
            while self.records < limit:
                assert run.poll() is None
                meanwhile(self.records)
                time.sleep(0.02)
            run.send_signal(number)
            run.wait(PATIENCE)
        assert run.returncode == (130 if number == signal.SIGINT else -number)
        return self.records

    def finish(self, *reports: str) -> subprocess.CompletedProcess[str]:
        """Go on, or start, to the end."""
        more = ["--resume"] if self.records else []
        wanted = [word for report in ("csv=rows.csv", *reports) for word in ("--report", report)]
        command = [*self._command, *more, *wanted]
        return subprocess.run(command, cwd=self.folder, check=False, capture_output=True, text=True, env=self._environment)

    def rows(self, place: str) -> dict[str, dict[str, str]]:
        """The roll-up by the guest's name below ``place``, without what names the place."""
        found = csv.DictReader(io.StringIO((self.folder / "rows.csv").read_text()))
        return {
            row["guest"].removeprefix(place).replace("%20", " "): {**row, "guest": "", "reason": row["reason"].replace(place, "")}
            for row in found
        }
