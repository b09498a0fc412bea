"""Mounts of disks and partitions, by their kernel names, that the guest does not have."""

from __future__ import annotations

import dataclasses

import pytest

from tests.verdicts.asking import DATA, DISKS, FAILS, UNKNOWN, WARNS, Told, disk, landing, part, told
from tests.verdicts.test_mounts import NOBODY, asked
from v2vlint.model.blocks import BlockTable
from v2vlint.target import load

BOTH = BlockTable((*DISKS.devices, disk(2, fs_type="xfs", uuid=NOBODY)))


@pytest.mark.parametrize(
    ("line", "blocks", "found"),
    [
        ("/dev/sda2 /data xfs defaults 0 2", DISKS, []),
        ("/dev/sda7 /data xfs defaults 0 2", DISKS, [FAILS]),
        ("/dev/sda7 /data xfs nofail 0 2", DISKS, [WARNS]),
        ("/dev/sda7 / xfs defaults 0 1", DISKS, []),
        ("/dev/sdb1 /data xfs defaults 0 2", DISKS, [FAILS]),
        ("/dev/sdb none swap sw 0 0", DISKS, [WARNS]),
        ("/dev/sdb1 /data xfs defaults 0 2", BOTH, []),
        ("/dev/sdb7 /data xfs defaults 0 2", BOTH, [FAILS]),
        ("/dev/sdc /data xfs defaults 0 2", BOTH, [FAILS]),
    ],
)
def test_disks_and_partitions_that_the_guest_does_not_have(line: str, blocks: BlockTable, found: Told) -> None:
    """Drawn guests 3007 and 4012 stopped for such a line."""
    verdict = asked(line, landing("sd"), blocks)
    assert told(verdict.missing) == found
    assert not (found and verdict.unmatched)


@pytest.mark.parametrize(
    ("device", "prefix", "blocks", "missing", "unmatched"),
    [
        ("xvde1", "xvd", DISKS, [], [UNKNOWN]),
        ("xvde7", "xvd", DISKS, [FAILS], []),
        ("hdc1", "hd", BOTH, [], [UNKNOWN]),
        ("hdc7", "hd", BOTH, [FAILS], []),
        ("vde1", "vd", DISKS, [FAILS], []),
    ],
)
def test_letters_that_do_not_count_the_disks(device: str, prefix: str, blocks: BlockTable, missing: Told, unmatched: Told) -> None:
    """Those of Xen are chosen, those of IDE are channels: the second disk may be hdc."""
    verdict = asked(f"/dev/{device} /data xfs defaults 0 2", landing(prefix), blocks)
    assert (told(verdict.missing), told(verdict.unmatched)) == (missing, unmatched)


@pytest.mark.parametrize(
    ("source", "why"),
    [("/dev/mapper/other", ": not every disk could be read"), ("pool/data", ""), ("/srv/image", ""), ("tmpfs", "")],
)
def test_only_devices_may_be_on_disks_that_could_not_be_read(source: str, why: str) -> None:
    (cause,) = asked(f"{source} /data zonefs defaults 0 0").missing
    assert (told((cause,)), cause.reason) == ([UNKNOWN], f"it is not known whether {source} exists{why}")


def test_no_device_is_waited_for_where_only_its_filesystem_is_refused() -> None:
    small = BlockTable((DISKS.devices[0], part(1, "xfs", DATA, details=(("sector_size", "512"),))))
    (cause,) = asked(f"UUID={DATA} /data xfs defaults 0 2", small, dataclasses.replace(load("kvm"), sector_size=4096)).sectors
    assert (cause.reason.split(":")[0], cause.about.appears) == ("/data is on disk1p1", True)
