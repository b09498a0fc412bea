"""virt-v2v's threshold of free space and inodes, for each mounted filesystem."""

from __future__ import annotations

import pytest

from tests.facts.conversion.test_conversion_facts import ALL
from tests.verdicts.asking import DATA, ROOT, disk, part, store
from v2vlint.facts.conversion.refusals import Refusals
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockTable
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.finding import Mover
from v2vlint.samples.memory import MemoryFileSystem


@pytest.mark.parametrize(
    ("free", "inodes", "boot_free", "kinds"),
    [
        (50 << 20, "100", None, []),
        ((50 << 20) - 1, "100", None, ["space"]),
        (200 << 20, "99", None, ["space"]),
        (200 << 20, "", None, []),
        ((100 << 20) - 1, "100", 10 << 20, ["space"]),
        (100 << 20, "100", 10 << 20, []),
        (100 << 20, "100", (10 << 20) - 1, ["space"]),
    ],
)
def test_free_space(free: int, inodes: str, boot_free: int | None, kinds: list[str]) -> None:
    devices = [disk(), part(1, "ext4", ROOT, details=(("free", str(free)), ("free_inodes", inodes)))]
    mounts = {"/": MemoryFileSystem(ALL, "ext4", ROOT)}
    if boot_free is not None:
        devices.append(part(2, "ext4", DATA, details=(("free", str(boot_free)), ("free_inodes", "500"))))
        mounts["/boot"] = MemoryFileSystem({}, "ext4", DATA)
    found = store({}, BlockTable(tuple(devices)), GuestFS(mounts), mover=Mover.VIRT_V2V).get(Refusals).found
    assert [one.kind for one in found if one.kind == "space"] == kinds


@pytest.mark.parametrize(("free", "boot_free"), [(200, ""), (1, ""), (200, "1"), (200, "20")])
def test_space_that_is_not_told_hides_no_refusal(free: int, boot_free: str) -> None:
    """A third filesystem does not say how much is free."""
    details = [(("free", str(free << 20)),), (("free", f"{boot_free and int(boot_free) << 20}"),), ()]
    devices = [part(number, "ext4", uuid, details=given) for number, uuid, given in zip((1, 2, 3), (ROOT, DATA, "c"), details, strict=True)]
    mounts = {
        "/": MemoryFileSystem(ALL, "ext4", ROOT),
        "/boot": MemoryFileSystem({}, "ext4", DATA),
        "/x": MemoryFileSystem({}, "ext4", "c"),
    }
    refusals = store({}, BlockTable((disk(), *devices)), GuestFS(mounts), mover=Mover.VIRT_V2V).get(Refusals)
    if free == 1 or boot_free == "1":
        assert [one.kind for one in refusals.of("space")] == ["space"]
        assert not refusals.converts
    else:
        with pytest.raises(FactUnavailable, match="not read"):
            refusals.of("space")


class _Counted(MemoryFileSystem):
    """Whose superblock is out of date, as of all that is in use."""

    left = 0

    def free(self) -> int:
        return self.left

    def free_inodes(self) -> int:
        return 99 if self.left else 500


@pytest.mark.parametrize(("left", "found"), [(0, "0.0 MiB are free on /, and"), (1 << 30, "99 inodes are free on /, and")])
def test_what_the_filesystem_counts_decides(left: int, found: str) -> None:
    system = _Counted(ALL, "ext4", ROOT)
    system.left = left
    device = part(1, "ext4", ROOT, details=(("free", str(1 << 30)), ("free_inodes", "500")))
    told = store({}, BlockTable((disk(), device)), GuestFS({"/": system}), mover=Mover.VIRT_V2V).get(Refusals).found
    assert [one.reason[: len(found)] for one in told] == [found]


def test_the_free_space_is_told_in_mebibytes() -> None:
    device = part(1, "ext4", ROOT, details=(("free", str(3 << 19)), ("free_inodes", "500")))
    given = (BlockTable((disk(), device)), GuestFS({"/": MemoryFileSystem(ALL, "ext4", ROOT)}))
    found = store({}, *given, mover=Mover.VIRT_V2V).get(Refusals).found
    assert [one.reason for one in found] == ["1.5 MiB are free on /, and virt-v2v requires 50"]
