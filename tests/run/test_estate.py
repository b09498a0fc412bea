"""An estate of 300 guests in mixed formats and nested folders, 20 of them broken: audited, interrupted, resumed, rolled up."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from guestbuild.samples import cached
from v2vlint.run.journal import PATTERN, report_of_journals

pytestmark = pytest.mark.truth

SAMPLES = ("rhel5-hda", "xen-pv", "alpine-extlinux", "gentoo-native", "windows-xp-ide")
FORMATS = {"qcow2": "qcow2", "raw": "img", "vmdk": "vmdk", "vdi": "vdi", "vhdx": "vhdx", "vpc": "vhd"}
GOOD, BROKEN = 280, 20
VMX = 'displayName = "vm{at}"\nuuid.bios = "56 4d 00 00 00 00 40 00-80 00 00 00 00 00 {at:02x} {more:02x}"\nscsi0.present = "TRUE"\n' \
    'scsi0:0.present = "TRUE"\nscsi0:0.fileName = "disk.vmdk"\n'  # fmt: skip


def _convert(source: Path, kind: str, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["qemu-img", "convert", "-O", kind, str(source), str(target)], check=True)
    return target


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each sample once in each format; the guests are copies of those that share their blocks."""
    top = tmp_path_factory.mktemp("estate")
    masters = [
        _convert(next(iter(cached(name))), kind, top / ".masters" / f"{name}.{end}") for name in SAMPLES for kind, end in FORMATS.items()
    ]
    for at in range(GOOD):
        master = masters[at % len(masters)]
        folder = top / f"site{at % 3}" / f"rack{at % 7}" / f"vm{at:03}"
        folder.mkdir(parents=True)
        vmware = master.suffix == ".vmdk"
        subprocess.run(["cp", "--reflink=auto", str(master), str(folder / f"disk{master.suffix}")], check=True)
        if vmware:
            (folder / "vm.vmx").write_text(VMX.format(at=at % 256, more=at // 256))
    for at in range(BROKEN):
        _break(top / f"site{at % 3}", at, masters[0])
    return top


def _break(folder: Path, at: int, master: Path) -> None:
    path = folder / f"broken{at}.qcow2"
    match at % 5:
        case 0:
            path.write_bytes(b"")
        case 1:
            path.write_bytes(master.read_bytes()[:70_000])
        case 2:
            path.symlink_to("gone.qcow2")
        case 3:
            path.write_bytes(b"QFI\xfb" + os.urandom(100_000))
        case 4:
            (folder / f"broken{at}.vmx").write_text(VMX.format(at=at, more=255).replace("disk.vmdk", "gone.vmdk"))


def test_an_estate(estate: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "v2vlint", "check", str(estate), "--journal", "j", "-j", "2", "-t", "kvm", "-t", "azure", "-q"]
    command += ["--no-progress", "--no-cache"]
    interrupted = 0
    for number, limit in ((signal.SIGINT, 60), (signal.SIGKILL, 150)):
        more = ["--resume"] if interrupted else []
        with subprocess.Popen([*command, *more], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
            while _records(tmp_path / "j") < limit:
                assert running.poll() is None
                time.sleep(0.1)
            running.send_signal(number)
        assert running.returncode == (130 if number is signal.SIGINT else -signal.SIGKILL)
        interrupted = _records(tmp_path / "j")
    reports = ["--report", "estate=e.html", "--report", "csv=e.csv", "--report", "jsonl=e.jsonl", "--report", "sarif=e.sarif"]
    done = subprocess.run([*command, "--resume", *reports], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert GOOD + BROKEN <= _records(tmp_path / "j") <= GOOD + 2 * BROKEN + 4

    report = report_of_journals([tmp_path / "j"])
    assert len(report.images) == GOOD + BROKEN
    assert {image.name for image in report.images if not image.roots} == {
        str(path) for path in estate.rglob("broken*") if path.suffix in (".qcow2", ".vmx")
    }
    assert sum(image.origin.kind == "vmx" for image in report.images) >= GOOD // len(FORMATS)
    lines = list(csv.DictReader(io.StringIO((tmp_path / "e.csv").read_text())))
    assert len(lines) == 2 * (GOOD + BROKEN)
    assert sum(line["verdict"] == "not-judged" for line in lines) == 2 * BROKEN
    assert len((tmp_path / "e.jsonl").read_text().splitlines()) == GOOD + BROKEN
    assert len(list(tmp_path.glob("e*.sarif"))) == 15
    assert all(len(json.loads(path.read_text())["runs"]) <= 20 for path in tmp_path.glob("e*.sarif"))
    assert (tmp_path / "e.html").read_text().count("<tr id=") == GOOD + BROKEN


def _records(folder: Path) -> int:
    return sum(path.read_bytes().count(b'"record": "guest"') for path in folder.glob(PATTERN))
