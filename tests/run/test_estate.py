"""An estate of 300 guests in mixed formats and nested folders, 20 of them broken: audited, interrupted, resumed, rolled up."""

from __future__ import annotations

import csv
import io
import json
import signal
from pathlib import Path

import pytest

from guestbuild.samples import cached
from tests.run.estates import FORMATS, Audit, build, convert
from v2vlint.run.journal import report_of_journals

pytestmark = pytest.mark.truth

SAMPLES = ("rhel5-hda", "xen-pv", "alpine-extlinux", "gentoo-native", "windows-xp-ide")
GOOD, BROKEN = 280, 20


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each sample once in each format; the guests are copies of those that share their blocks."""
    top = tmp_path_factory.mktemp("estate")
    masters = [
        convert(next(iter(cached(name))), kind, top / ".masters" / f"{name}.{end}") for name in SAMPLES for kind, end in FORMATS.items()
    ]
    return build(top, masters, GOOD, BROKEN)


def test_an_estate(estate: Path, tmp_path: Path) -> None:
    audit = Audit(tmp_path, str(estate), "-j", "2", "-t", "kvm", "-t", "azure")
    for number, limit in ((signal.SIGINT, 60), (signal.SIGKILL, 150)):
        assert audit.interrupt(limit, number) < GOOD
    done = audit.finish("estate=e.html", "csv=e.csv", "jsonl=e.jsonl", "sarif=e.sarif")
    assert done.returncode == 1, done.stderr
    assert GOOD + BROKEN <= audit.records <= GOOD + 2 * BROKEN + 4

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
