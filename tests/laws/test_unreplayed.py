"""The law on filesystems whose journal cannot be replayed: nothing that the kernel reads there is known, so nothing passes or fails by it.

Every sample guest and case is judged as if all its filesystems were such copies, and four are made into such images.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

from tests.disk.images import need, run
from tests.disk.spoiled import spoil
from tests.laws.court import GUEST_IDS, Bench, findings, opened, ref, targets
from v2vlint.disk.filesystems.node import FileSystem, Node, as_it_lies
from v2vlint.engine.boot import FORECAST
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.open import GuestContents, Root, open_ref
from v2vlint.model.finding import Fate, Mover, Severity, Stage
from v2vlint.model.report import Status, TargetReport
from v2vlint.model.source import GuestRef

pytestmark = [pytest.mark.slow, pytest.mark.sweep]

REASON = "the law says so"


class Unreplayed:
    """A filesystem that the kernel cannot be foreseen to show: whoever looks into it all the same fails."""

    def __init__(self, system: FileSystem) -> None:
        self.system, self.stale = system, REASON
        self.type, self.uuid, self.label = system.type, system.uuid, system.label

    @property
    def root(self) -> Node:
        """Nothing that may be asked."""
        return cast("Node", Forbidden())

    def as_it_lies(self) -> FileSystem:
        """What boot programs read."""
        return as_it_lies(self.system)


class Forbidden:
    """A node that is not to be read."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"{name} was asked of a filesystem that is not known")


def judged(guest: GuestContents, root: Root, fs: GuestFS, number: int) -> list[TargetReport]:
    """For one of the targets and both movers."""
    wanted = (targets()[number % len(targets())],)
    bench = Bench(guest, root, fs)
    return [report for mover in Mover for report in bench.judge(wanted, mover)]


def certain(report: TargetReport) -> set[tuple[str, str, str]]:
    """Passes, and findings with their place and whether they are errors."""
    passes = {(result.rule, "", "pass") for result in report.results if result.status is Status.PASS and result.rule != FORECAST.id}
    return passes | {(one.rule, str(one.where), str(one.severity is Severity.ERROR)) for one in findings(report)}


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in GUEST_IDS])
def test_nothing_is_certain_that_was_not_by_the_other_view(name: str) -> None:
    guest, number = opened(name), list(GUEST_IDS).index(name)
    for root in guest.roots:
        systems: dict[int, Unreplayed] = {}
        mounts = {point: systems.setdefault(id(system), Unreplayed(system)) for point, system in root.fs.mounts.items()}
        others = {device: systems.setdefault(id(system), Unreplayed(system)) for device, system in root.fs.by_device.items()}
        unsure = judged(guest, root, GuestFS(mounts, others), number)
        for before, after in zip(judged(guest, root, root.fs.as_it_lies(), number), unsure, strict=True):
            places = {place for _rule, place, _fails in certain(before)}
            new = certain(after) - certain(before)
            # The forecast stands in for a rule that needs more than its verdict, and is unknown here.
            assert {one for one in new if one[0] != "forecast" or one[1] not in places} == set()
            assert not [result.reason for result in after.results if result.crashed]
            if after.forecast and root.os.kind == "linux":
                fates = {stage.stage: stage.fate for stage in after.forecast.stages}
                assert fates[Stage.ROOT] in (Fate.UNKNOWN, Fate.FAIL, Fate.SKIPPED)
                assert after.forecast.outcome is not Fate.PASS


IMAGES = ("debian-portable", "rhel9-vsphere", "sles15-btrfs", "windows-10-vmware")


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_that_cannot_be_replayed_is_told_of_once(tmp_path: Path, name: str) -> None:
    need("qemu-img")
    image = tmp_path / "disk.img"
    run("qemu-img", "convert", "-O", "raw", ref(name).paths[0], image)
    clean = open_ref(GuestRef("clean", "disks", (str(image),)))
    device = clean.blocks.named(clean.roots[0].device)
    assert device is not None
    spoil(image, device.fs_type, clean.roots[0].fs.mounts["/"].uuid)
    root = open_ref(GuestRef("spoiled", "disks", (str(image),))).roots[0]
    assert root.os == clean.roots[0].os
    assert set(root.fs.mounts) == set(clean.roots[0].fs.mounts)
    words = [sys.executable, "-m", "v2vlint", "check", "--strict", str(image), "--report", f"json={tmp_path / 'out.json'}"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["exit_code"] == done.returncode == (1 if report["summary"]["errors"] else 3)
    assert [problem["where"] for problem in report["images"][0]["problems"]] == [device.name]
    unknown = {point for point, system in root.fs.mounts.items() if system.stale}
    told = re.sub(r"\s+", " ", done.stdout).count("its filesystem was copied while it was in use, and")
    assert 1 <= told <= 1 + len(unknown), "once for the stages, once for the rules of each place"
