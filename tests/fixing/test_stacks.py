"""Writing through every layer: LUKS with a key, RAID, LVM over RAID; made by libguestfs, fixed, read again, undone."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.cli.conftest import DEBIAN
from tests.disk.images import run
from v2vlint import target
from v2vlint.engine.protocol import CheckAsk
from v2vlint.fixing import session, transaction
from v2vlint.fixing.protocol import FixAsk
from v2vlint.guest.open import open_guest
from v2vlint.model.fix import Applicability
from v2vlint.model.source import GuestRef, Key, Keys
from v2vlint.source.locate import locate

SECRET = "correct horse"
FSTAB = "/dev/sda1 /boot ext4 defaults 0 2\n"
PARTED = ("part-init /dev/sda mbr", "part-add /dev/sda p 2048 40960", "part-add /dev/sda p 43008 -1", "mkfs ext4 /dev/sda1")
SECOND = ("part-init /dev/sdb mbr", "part-add /dev/sdb p 2048 40960", "part-add /dev/sdb p 43008 -1")
RAID = 'md-create md0 "/dev/sda2 /dev/sdb2" level:raid1'
STACKS = [
    pytest.param(
        1, (*PARTED, "luks-format /dev/sda2 0", "luks-open /dev/sda2 crypt"), "/dev/mapper/crypt", id="luks", marks=pytest.mark.slow
    ),
    pytest.param(2, (*PARTED, *SECOND, RAID), "/dev/md/md0", id="raid1", marks=pytest.mark.truth),
    pytest.param(
        2,
        (*PARTED, *SECOND, RAID, "pvcreate /dev/md/md0", "vgcreate vg /dev/md/md0", "lvcreate-free root vg 90"),
        "/dev/vg/root",
        id="lvm-on-raid1",
        marks=pytest.mark.truth,
    ),
]


def _digest(image: Path) -> str:
    raw = image.with_suffix(".raw-copy")
    run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", image, raw)
    with raw.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    raw.unlink()
    return found


def _made(folder: Path, disks: int, commands: tuple[str, ...], root: str) -> tuple[Path, ...]:
    """A guest whose root is on top of the layers that the guestfish ``commands`` make."""
    tree = folder / "tree"
    for name, content in {**DEBIAN, "/etc/fstab": FSTAB}.items():
        path = tree / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    with tarfile.open(folder / "root.tar", "w") as archive:
        archive.add(tree, ".")
    images = tuple(folder / f"disk{number}.qcow2" for number in range(disks))
    for image in images:
        run("qemu-img", "create", "-q", "-f", "qcow2", image, "120M")
    script = [*(f"add {image} format:qcow2" for image in images), "run", *commands]
    script += [f"mkfs ext4 {root}", f"mount {root} /", f"tar-in {folder / 'root.tar'} /", "umount-all"]
    keyed = "\n".join(f"{line}\n{SECRET}" if line.startswith("luks-") else line for line in script)
    environment = {**os.environ, "LIBGUESTFS_BACKEND": "direct", "LIBGUESTFS_BACKEND_SETTINGS": "force_tcg"}
    subprocess.run(["guestfish", "--keys-from-stdin"], input=keyed + "\n", text=True, env=environment, check=True, timeout=300)
    return images


@pytest.mark.parametrize(("disks", "commands", "root"), STACKS)
def test_a_fix_reaches_the_root_through_its_layers(tmp_path: Path, disks: int, commands: tuple[str, ...], root: str) -> None:
    images = _made(tmp_path, disks, commands, root)
    before = [_digest(image) for image in images]
    guest = GuestRef("+".join(map(str, images)), "disks", tuple(map(str, images)))
    keys = Keys((Key(SECRET.encode()),))
    level = Applicability.SAFE if disks == 1 else Applicability.UNSAFE  # which of several disks is sda there is a guess
    outcome = session.fix_in_place(FixAsk(CheckAsk(guest, (target.load("kvm"),), keys=keys), level))
    assert "fstab-device-name" in {chosen.rule for chosen in outcome.applied}, outcome
    (found,) = open_guest(locate(guest), keys).roots
    assert (found.fs.read("/etc/fstab") or b"").startswith(b"UUID=")
    assert SECRET not in repr(outcome)
    transaction.undo(images[0])
    assert [_digest(image) for image in images] == before
