"""Every fix of every sample guest and case that both back-ends can write leaves the same files."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from guestbuild.samples import HOME, cached, recipes
from tests.cases.test_cases import GUESTS, table
from tests.fixing import both
from v2vlint import target
from v2vlint.engine.protocol import CheckAsk
from v2vlint.fixing import appliance, session
from v2vlint.fixing.direct.terms import Declined
from v2vlint.fixing.direct.write import write as write_directly
from v2vlint.fixing.orders import Orders
from v2vlint.fixing.protocol import FixAsk
from v2vlint.fixing.request import checked
from v2vlint.model.errors import ImageError
from v2vlint.model.finding import Mover
from v2vlint.model.fix import Applicability
from v2vlint.model.source import GuestRef

SHARDS = 10
"""Each has some of the guests, those of one in as few appliances as can be: one takes half a minute to start."""


@dataclass(frozen=True)
class Job:
    """Orders for one guest, and its disks after they were carried out directly."""

    name: str
    images: tuple[Path, ...]
    orders: Orders
    direct: tuple[Path, ...]

    @property
    def groups(self) -> frozenset[str]:
        """The volume groups that it has, of which an appliance can have one of a name."""
        devices = (mount["device"] for root in self.orders["roots"] for mount in root["mounts"])
        return frozenset(device["name"].partition("/")[0] for device in devices if device["kind"] == "lv")


def asks(name: str, home: Path) -> Iterator[FixAsk]:
    """A sample guest is fixed for every target, the guest of a case for what its cases ask, and for the default target."""
    images = tuple(map(str, cached(name, home)))
    ref = GuestRef("+".join(images), "disks", images)
    wanted = {("kvm", Mover.RAW): None}
    if home == HOME:
        wanted |= {(one, Mover.RAW): None for one in target.names() if one != "any"}
    for case in table():
        if home == GUESTS and case.guest == name:
            wanted[case.ask.targets[0].name, case.ask.mover] = None
    yield from (FixAsk(CheckAsk(ref, (target.load(one),), mover), Applicability.UNSAFE) for one, mover in wanted)


def orders(name: str, home: Path) -> Iterator[Orders]:
    """The different orders that fixes of a guest come to."""
    known: list[Orders] = []
    for ask in asks(name, home):
        prepared = session.preview(ask)
        if prepared.has_work:
            found = checked(prepared.request, ask, len(ask.ask.guest.paths))
            for root in found["roots"]:
                root["selinux"] = ""  # Debian's libguestfs sets no labels
            if found not in known:
                known.append(found)
                yield found


def jobs(folder: Path, shard: int) -> Iterator[Job]:
    """The fixes of the guests of a shard that can be written directly."""
    for home in (HOME, GUESTS):
        for name in sorted(recipes(home))[shard::SHARDS]:
            for number, found in enumerate(orders(name, home)):
                if job := _directly(folder / f"{name}-{number}", cached(name, home), found):
                    yield job


def _directly(own: Path, images: tuple[Path, ...], orders: Orders) -> Job | None:
    own.mkdir()
    work = both.work(own, images, orders, "qcow2")
    try:
        write_directly(work)
    except (Declined, ImageError) as error:
        print(f"{own.name}: not directly: {error}", flush=True)
        shutil.rmtree(own)
        return None
    return Job(own.name, images, orders, both.flat(work, own))


def _shifted(value: Any, first: int) -> Any:
    """Orders for a guest whose first disk is number ``first`` of many."""
    if isinstance(value, list):
        return [_shifted(item, first) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: _shifted(item, first) for key, item in value.items()}
    if "kind" in found and "disk" in found:
        found["disk"] += first
    return found


def _batches(found: list[Job]) -> Iterator[list[Job]]:
    while found:
        batch: list[Job] = []
        for job in found:
            if not any(job.groups & other.groups for other in batch):
                batch.append(job)
        found = [job for job in found if job not in batch]
        yield batch


@pytest.mark.truth
@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_fix_leaves_the_same_files_whoever_writes(tmp_path: Path, shard: int) -> None:
    found = list(jobs(tmp_path, shard))
    compared = 0
    for number, batch in enumerate(_batches(found)):
        folder = tmp_path / f"batch{number}"
        folder.mkdir()
        images, roots = list[Path](), list[Any]()
        for job in batch:
            roots += _shifted(copy.deepcopy(job.orders["roots"]), len(images))
            images += job.images
        work = both.work(folder, tuple(images), {"roots": roots, "unlock": []}, "qcow2")
        appliance.write(work)
        flat = list(both.flat(work, folder))
        for job in batch:
            mine, flat = tuple(flat[: len(job.images)]), flat[len(job.images) :]
            (folder / job.name).mkdir()
            compared += both.compare(job.direct, mine, folder / job.name, "raw")
            print(f"{job.name}: the same", flush=True)
            shutil.rmtree(folder / job.name)
        shutil.rmtree(folder)
    assert found
    assert compared > 100
