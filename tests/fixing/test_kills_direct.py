"""kill -9 at every named point of transactions that are written directly: the next run finds the old guest or the new one, sound."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.disk.images import run
from tests.fixing import both
from tests.fixing.stand_in import killed_at
from tests.fixing.test_session import Files, asked, copies, digests, files
from v2vlint.fixing import session, transaction
from v2vlint.fixing.direct.write import write as write_directly
from v2vlint.fixing.look import to_change
from v2vlint.fixing.protocol import FixAsk
from v2vlint.fixing.request import checked
from v2vlint.fixing.transaction import WritableDisk
from v2vlint.fixing.work import Work
from v2vlint.isolate import DEFAULT_LIMITS
from v2vlint.model.fix import Applicability
from v2vlint.model.source import GuestRef
from v2vlint.source.journal import pending

KILLS = 50
"""Of each guest: more than 200 together."""
GUESTS = ("debian-vmware-desktop", "uefi-no-fallback", "windows-10-vmware", "rhel5-hda")
RANDOM = 24
ANYWHERE = "anywhere"
EARLY = {"editing", "written", "shadow", "redo", "prepared"}


class Fix:
    """What a run of ``fix`` writes, without the checks before and after."""

    def __init__(self, images: tuple[Path, ...]) -> None:
        self.images = images
        self.ask: FixAsk = asked(images, Applicability.UNSAFE)
        self.prepared = session.preview(self.ask)
        self.orders = checked(self.prepared.request, self.ask, len(images))

    def __call__(self) -> None:
        with transaction.locked(self.images):
            transaction.recover(self.images[0])
            nodes = to_change(self.ask.ask.guest)
            kinds = [session.driver(image, kind) for image, kind in zip(self.images, self.prepared.formats, strict=True)]
            disks = [WritableDisk(*one) for one in zip(self.images, kinds, nodes, strict=True)]
            journal = transaction.begin(disks, ["a fix"])
            overlays = {disk.overlay: node for disk, node in zip(disks, nodes, strict=True)}
            below = tuple((node.path, node.format) for node in nodes)
            guest = GuestRef("guest", "disks", tuple(map(str, overlays)), below=below)
            write_directly(Work(self.orders, overlays, guest, self.ask.ask.keys, DEFAULT_LIMITS))
            transaction.reached("written")
            transaction.commit(journal)


def _recover(images: tuple[Path, ...]) -> None:
    with transaction.locked(images):
        transaction.recover(images[0])


def _settled(images: tuple[Path, ...], old: list[str], new: Files, point: str, scratch: Path) -> None:
    _recover(images)
    assert not list(pending(list(map(str, images))))
    for image in images:
        run("qemu-img", "check", "-q", image)
    assert point == ANYWHERE or (digests(images) == old) == (point in EARLY), point
    if digests(images) != old:
        assert files(images) == new
        scratch.mkdir(exist_ok=True)
        for volume in both.volumes(images, scratch).values():
            both.check(volume)
        transaction.undo(images[0])
    assert digests(images) == old
    assert sorted(images[0].parent.iterdir()) == sorted(images)


def _killed_after(fix: Fix, seconds: float) -> bool:
    """Kill a fix after so many seconds, wherever it is; whether it was still running."""
    child = os.fork()
    if child == 0:
        fix()
        os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _pid, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def _killed(name: str, folder: Path, at: list[int] | None = None) -> Counter[str]:
    (folder / name).mkdir()
    images = copies(name, folder / name)
    fix, old, points = Fix(images), digests(images), Counter[str]()
    started = time.monotonic()
    fix()
    seconds = time.monotonic() - started
    new = files(images)
    transaction.undo(images[0])
    for share in range(RANDOM if at is None else 0):
        points[ANYWHERE] += _killed_after(fix, seconds * (share + 0.5) / RANDOM)
        _settled(images, old, new, ANYWHERE, folder / "scratch")
    numbers = iter(at) if at is not None else iter(range(10_000))
    while (number := next(numbers, None)) is not None and (point := killed_at(number, fix)):
        points[point] += 1
        points["recovery"] += bool(killed_at(0, lambda: _recover(images)))
        _settled(images, old, new, point, folder / "scratch")
    return points


@pytest.mark.slow
def test_a_direct_fix_that_is_killed_leaves_the_old_guest_or_the_new_one(tmp_path: Path) -> None:
    points = _killed(GUESTS[0], tmp_path, [1, 4, 7])
    assert points.total() - points["recovery"] == 3


@pytest.mark.truth
@pytest.mark.parametrize("name", GUESTS)
def test_two_hundred_kills_of_direct_fixes(tmp_path: Path, name: str) -> None:
    points = _killed(name, tmp_path)
    print(name, points.total(), dict(points), flush=True)
    assert points.total() >= KILLS
    assert {"editing", "written", "shadow", "redo", "prepared", "committing", "marked", "changed", "applied", "done"} <= set(points)
