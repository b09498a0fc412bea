"""Fixing real images through a real appliance: findings go, nothing else changes, undo restores every byte."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from guestbuild.samples import cached
from tests.disk.images import run
from tests.fixing.stand_in import killed_at
from v2vlint import target
from v2vlint.engine.protocol import CheckAsk
from v2vlint.fixing import session, transaction
from v2vlint.fixing.protocol import FixAsk
from v2vlint.fixing.session import FixOutcome
from v2vlint.guest.open import open_guest
from v2vlint.model.errors import UsageError
from v2vlint.model.fix import Applicability
from v2vlint.model.source import GuestRef
from v2vlint.source.locate import locate

Files = dict[str, str]


def copies(sample: str, folder: Path) -> tuple[Path, ...]:
    """A sample guest's images, copied so that they may be written."""
    return tuple(Path(shutil.copy(image, folder / image.name)) for image in cached(sample))


def asked(images: tuple[Path, ...], level: Applicability = Applicability.SAFE) -> FixAsk:
    """Fix for the default target."""
    ref = GuestRef("+".join(map(str, images)), "disks", tuple(map(str, images)))
    return FixAsk(CheckAsk(ref, (target.load("kvm"),)), level)


def files(images: tuple[Path, ...]) -> Files:
    """Path, mode, owner and digest of every file of every root."""
    guest = open_guest(locate(asked(images).ask.guest))
    found: Files = {}
    for root in guest.roots:
        for path in root.fs.walk("/"):
            stat = root.fs.stat(path)
            assert stat is not None
            digest = hashlib.sha256(root.fs.read(path) or b"").hexdigest()
            found[f"{root.device}:{path}"] = f"{stat.mode:o} {stat.uid}:{stat.gid} {digest}"
    assert found
    return found


def changed(before: Files, after: Files) -> set[str]:
    """Guest paths that differ."""
    return {path.partition(":")[2] for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


def digests(images: tuple[Path, ...]) -> list[str]:
    """SHA-256 of each image file."""
    return [hashlib.sha256(image.read_bytes()).hexdigest() for image in images]


def told(outcome: FixOutcome) -> set[tuple[str, str]]:
    """Rule and first place of each applied fix."""
    return {(chosen.rule, chosen.places[0]) for chosen in outcome.applied}


CASES = [
    pytest.param(
        "rhel9-vsphere",
        {"/etc/lvm/devices/system.devices", "/boot/initramfs-5.14.0-362.8.1.el9_3.x86_64.img"},
        {"initramfs-without-storage-driver", "lvm-devices-file"},
        id="xfs-lvm-vfat",
    ),
    pytest.param(
        "sles15-btrfs", {"/boot/grub2/grub.cfg", "/etc/fstab"}, {"resume-device-name", "fstab-hardware-path"}, id="btrfs-subvolumes"
    ),
    pytest.param("debian-vmware-desktop", {"/etc/fstab"}, {"fstab-device-name"}, id="ext4"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("sample", "touched", "rules"), CASES)
def test_fix_converges_touches_nothing_else_and_is_undone(tmp_path: Path, sample: str, touched: set[str], rules: set[str]) -> None:
    images = copies(sample, tmp_path)
    before, bytes_before = files(images), digests(images)
    outcome = session.fix_in_place(asked(images))
    assert not outcome.failed
    assert rules <= {rule for rule, _place in told(outcome)}
    assert touched <= changed(before, files(images))
    assert outcome.after is not None
    left = {found.finding.rule for found in session.findings(outcome.after).values()}
    assert not rules & left
    again = session.fix_in_place(asked(images))
    assert not again.applied
    transaction.undo(images[0])
    assert digests(images) == bytes_before
    assert sorted(tmp_path.iterdir()) == sorted(images)


@pytest.mark.slow
def test_only_the_files_of_the_diff_change(tmp_path: Path) -> None:
    images = copies("debian-vmware-desktop", tmp_path)
    before = files(images)
    outcome = session.fix_in_place(asked(images, Applicability.UNSAFE))
    in_diff = {line.split("\t")[0][5:].strip() for line in outcome.diff.splitlines() if line.startswith(("--- a/", "+++ b/"))}
    assert changed(before, files(images)) == {path if path.startswith("/") else f"/{path}" for path in in_diff}


@pytest.mark.slow
def test_copy_leaves_the_source_alone(tmp_path: Path) -> None:
    images = copies("debian-vmware-desktop", tmp_path)
    held = images[0].read_bytes()
    output = tmp_path / "fixed.vmdk"
    outcome = session.fix_copy(asked(images), output)
    assert outcome.applied
    assert images[0].read_bytes() == held
    assert output.read_bytes()[:4] == b"KDMV"
    assert not session.preview(asked((output,))).chosen


def test_streamoptimized_needs_a_copy(tmp_path: Path) -> None:
    image = tmp_path / "disk.vmdk"
    run("qemu-img", "create", "-q", "-f", "vmdk", "-o", "subformat=streamOptimized", image, "8M")
    with pytest.raises(UsageError, match="streamOptimized") as caught:
        session.driver(image, "vmdk")
    assert "-o" in caught.value.hint


def test_output_format_must_be_known(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown image format"):
        session.fix_copy(asked((tmp_path / "a.qcow2",)), tmp_path / "x.iso")


def test_an_output_folder_must_be_new_or_empty(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/file").write_bytes(b"")
    with pytest.raises(UsageError, match="no empty folder"):
        session.fix_copy(asked((tmp_path / "a.qcow2",)), tmp_path / "out")


def _start(image: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "v2vlint", "--fix", "--no-config", str(image)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def _filesystem_is_clean(image: Path) -> bool:
    """What ``e2fsck -n`` says of the first partition."""
    raw = image.with_suffix(".fsck")
    run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", image, raw)
    table = json.loads(run("sfdisk", "-J", raw))["partitiontable"]
    start = table["partitions"][0]["start"] * table.get("sectorsize", 512)
    done = subprocess.run(["e2fsck", "-fn", f"{raw}?offset={start}"], capture_output=True, check=False)
    raw.unlink()
    return done.returncode == 0


POINTS = ("editing", "shadow", "redo", "prepared", "committing", "renamed", "changed", "applied", "done")
"""Named points of a fix where it is killed; before the fifth, the image stays old."""


@pytest.mark.truth
def test_kill_real_fixes_at_a_dozen_moments(tmp_path: Path) -> None:
    """At named points, and three times anywhere, with all that it started: what it leaves is the old file or the new one."""
    (image,) = copies("debian-vmware-desktop", tmp_path)
    old, before = digests((image,)), files((image,))
    started = time.monotonic()
    assert _start(image).wait() in (0, 1)
    full, fixed = time.monotonic() - started, files((image,))
    transaction.undo(image)
    assert digests((image,)) == old
    for point in POINTS:
        assert killed_at(0, lambda: _fix(image), point) == point
        _settled(image, old, before if point in POINTS[:4] else fixed)
    for moment in (0.3, 0.6, 0.9):
        process = _start(image)
        time.sleep(full * moment)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        _settled(image, old, None)


def _fix(image: Path) -> None:
    assert session.fix_in_place(asked((image,))).applied


def _settled(image: Path, old: list[str], wanted: Files | None) -> None:
    """After the next run the image has the ``wanted`` files and is sound; undone, it is the old file, alone in its folder."""
    with transaction.locked([image]):
        transaction.recover(image)
    run("qemu-img", "check", "-q", "-f", "qcow2", image)
    assert wanted is None or files((image,)) == wanted
    assert _filesystem_is_clean(image)
    if digests((image,)) != old:
        transaction.undo(image)
    assert digests((image,)) == old
    assert list(image.parent.iterdir()) == [image]


def test_a_guest_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    image = tmp_path / "empty.qcow2"
    run("qemu-img", "create", "-q", "-f", "qcow2", image, "8M")
    outcome = session.fix_in_place(asked((image,)))
    assert not outcome.applied
    assert outcome.before.problems
