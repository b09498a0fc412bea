"""Roots and /usr under dm-verity, whose hash names two partitions, and /usr by its name: the initramfs waits for all of them."""

from __future__ import annotations

import uuid

import pytest

from guestbuild.kernel import vmlinuz
from tests.verdicts.asking import DATA as DATA_FS
from tests.verdicts.asking import ROOT, disk, part, store
from v2vlint.model.blocks import BlockTable
from v2vlint.model.finding import Fate, Severity
from v2vlint.samples.boot import sample_initramfs
from v2vlint.verdicts.root import RootVerdict

HASH = "0123456789abcdef" * 2 + "02468ace13579bdf" * 2
DATA, HASHES = (str(uuid.UUID(hex=half)) for half in (HASH[:32], HASH[32:][-32:]))
USR = "fedcba9876543210" * 2 + "89abcdef01234567" * 2
GENERATOR = {f"usr/lib/systemd/system-generators/systemd-{name}-generator": "#!" for name in ("veritysetup", "fstab")}
KERNEL = "6.1.0-1-amd64"


def judged(words: str, parts: tuple[str, ...], *, runs: bool = True) -> RootVerdict:
    """For a command line, partitions with these PARTUUIDs, and an initramfs with or without the generator."""
    devices = [part(number, part_uuid=one, uuid=(ROOT, DATA_FS)[number > 1]) for number, one in enumerate(parts, 1)]
    menu = f"menuentry x {{\n linux /boot/vmlinuz-{KERNEL} {words}\n initrd /boot/initrd.img-{KERNEL}\n}}\n"
    files: dict[str, str | bytes] = {
        "/boot/grub/grub.cfg": menu,
        f"/boot/vmlinuz-{KERNEL}": vmlinuz(KERNEL),
        f"/boot/initrd.img-{KERNEL}": sample_initramfs(("virtio_blk",), GENERATOR if runs else {}),
    }
    return store(files, BlockTable((disk(), *devices))).get(RootVerdict)


@pytest.mark.parametrize(
    ("words", "parts", "runs", "fate"),
    [
        (f"roothash={HASH}", (DATA, HASHES), True, Fate.PASS),
        (f"roothash={HASH}", (DATA.upper(), HASHES), True, Fate.PASS),
        (f"roothash={HASH}", (DATA,), True, Fate.FAIL),
        (f"roothash={HASH}", (HASHES, ROOT), True, Fate.FAIL),
        (f"roothash={HASH}", (ROOT,), True, Fate.FAIL),
        (f"roothash={HASH}", (DATA, HASHES), False, Fate.UNKNOWN),
        (f"roothash={HASH}", (DATA,), False, Fate.UNKNOWN),
        (f"roothash={HASH} systemd.verity_root_data=PARTUUID={ROOT}", (ROOT, HASHES), True, Fate.PASS),
        (f"roothash={HASH} systemd.verity_root_data=/dev/disk/by-partuuid/{ROOT}", (DATA, HASHES), True, Fate.FAIL),
        (f"roothash={HASH} systemd.verity_root_hash=UUID={DATA}", (DATA,), True, Fate.FAIL),
        ("roothash=xyz", (DATA, HASHES), True, Fate.UNKNOWN),
        (f"roothash={HASH[:30]}", (DATA, HASHES), True, Fate.UNKNOWN),
    ],
)
def test_a_root_by_its_hash(words: str, parts: tuple[str, ...], runs: bool, fate: Fate) -> None:
    (cause,) = judged(words, parts, runs=runs).device
    assert (cause.fate, cause.severity) == (fate, Severity.ERROR if fate is Fate.FAIL else None)


def test_the_first_of_two_missing_partitions_is_named() -> None:
    (cause,) = judged(f"roothash={HASH}", (ROOT,), runs=True).device
    assert cause.reason == f"roothash= asks for PARTUUID={DATA}, which is on none of these disks"


@pytest.mark.parametrize(
    ("parts", "runs", "fates"),
    [((USR[:32], USR[32:]), True, [Fate.PASS]), ((USR[:32],), True, [Fate.FAIL]), ((), True, [Fate.FAIL]), ((), False, [])],
)
def test_usr_by_its_hash(parts: tuple[str, ...], runs: bool, fates: list[Fate]) -> None:
    """Besides a root of its own: the initramfs sets it up only when it can."""
    found = judged(f"root=UUID={ROOT} usrhash={USR}", (ROOT, *(str(uuid.UUID(hex=half)) for half in parts)), runs=runs)
    assert [cause.fate for cause in found.verity_usr] == fates
    assert [cause.fate for cause in found.device] == [Fate.PASS]


@pytest.mark.parametrize(
    ("words", "runs", "fates"),
    [
        (f"mount.usr=UUID={DATA_FS}", True, []),
        (f"mount.usr=UUID={HASHES}", True, [Fate.FAIL]),
        (f"mount.usr=UUID={HASHES}", False, []),
        ("mount.usr=/dev/hda2", True, [Fate.FAIL]),
        ("mount.usr=/dev/disk/by-path/pci-0000:00:10.0-scsi-0:0:0:0-part2", True, [Fate.FAIL]),
        ("mount.usr=/dev/vda9", True, [Fate.UNKNOWN]),
        ("mount.usr=192.0.2.1:/usr", True, []),
    ],
)
def test_usr_by_its_name(words: str, runs: bool, fates: list[Fate]) -> None:
    found = judged(f"root=UUID={ROOT} {words}", (DATA, HASHES), runs=runs)
    assert [cause.fate for cause in found.named_usr] == fates
    assert [cause.severity for cause in found.named_usr] == [Severity.ERROR if fate is Fate.FAIL else None for fate in fates]


def test_the_cause_points_to_the_hash() -> None:
    (cause,) = judged(f"quiet roothash={HASH}", (DATA,)).device
    assert "roothash= asks for PARTUUID=" in cause.reason
    assert HASHES in cause.reason
    assert "grub.cfg" in str(cause.where)
