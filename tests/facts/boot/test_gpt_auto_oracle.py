"""Roots that nobody names, asked of systemd itself: udev says which partition is the root, the generators whether and what they mount."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest

from tests.disk.images import need, open_paths, run
from v2vlint.facts.boot.cmdline import KernelArg
from v2vlint.facts.boot.early_usr import GENERATORS as FSTAB
from v2vlint.facts.boot.early_usr import early_usr
from v2vlint.facts.boot.gpt_auto import GENERATORS, ROOT_TYPES, gpt_auto
from v2vlint.facts.boot.verity import GENERATORS as VERITY
from v2vlint.facts.boot.verity import verity_volumes
from v2vlint.facts.initramfs.content import Initramfs
from v2vlint.model.blocks import BlockTable
from v2vlint.model.place import WholeFile

WORLD = Path(__file__).with_name("efi_world.sh")
FOLDER = Path("/usr/lib/systemd/system-generators")
ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
BOOTED = "11111111-2222-4333-8444-555555555555"
IMAGE = Initramfs(WholeFile("/i"), files=frozenset({GENERATORS[0], VERITY[0], FSTAB[0]}))
HASH = "0123456789abcdef" * 2 + "02468ace13579bdf" * 2


def in_the_world(folder: Path, script: str) -> str:
    """What a shell script prints there; skips where that world cannot be made."""
    if os.geteuid() != 0 or not (FOLDER / "systemd-gpt-auto-generator").exists() or not shutil.which("unshare"):
        pytest.skip("needs root and systemd's generators")
    place = folder / "world"
    place.mkdir()
    done = subprocess.run(["unshare", "-m", "sh", WORLD, place, BOOTED, "sh", "-c", script], capture_output=True, text=True, check=False)
    if done.returncode and "mount" in done.stderr:
        pytest.skip(f"no such mounts here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return done.stdout


def table(draw: random.Random) -> str:
    """A random GPT for sfdisk, the ESP among roots of two processors, other types, labels with versions and flags."""
    parts = [f'type={ESP}, uuid={BOOTED}, name="esp"']
    for _number in range(draw.randrange(1, 5)):
        kind = draw.choice((ROOT_TYPES["x86_64"], ROOT_TYPES["x86_64"], ROOT_TYPES["aarch64"], "0fc63daf-8483-4772-8e79-3d69d8477de4"))
        name = draw.choice(("", "root", "os_1", "os_2", "os_10", "os_2~rc1", "os_2-1", "os_2.1", "a", "b"))
        flags = ', attrs="GUID:63"' if draw.random() < 0.2 else ', attrs="GUID:60"' if draw.random() < 0.2 else ""
        parts.append(f'type={kind}, uuid={uuid.UUID(int=draw.getrandbits(128), version=4)}, name="{name}"{flags}')
    draw.shuffle(parts)
    return "label: gpt\n" + "".join(f"size=64, {part}\n" for part in parts)


@pytest.mark.skipif(os.geteuid() != 0, reason="sets up loop devices")
def test_udev_takes_the_same_partition(tmp_path: Path) -> None:
    need("sfdisk", "udevadm", "losetup")
    draw = random.Random(11)
    images = [tmp_path / f"disk{number}" for number in range(24)]
    for image in images:
        image.write_bytes(b"")
        os.truncate(image, 4 << 20)
        run("sfdisk", "-q", image, input=table(draw))
    loops = [run("losetup", "-f", "--show", image).strip() for image in images]
    try:
        asked = "; ".join(f"echo DISK; udevadm test-builtin blkid /sys/class/block/{Path(loop).name} 2>/dev/null" for loop in loops)
        answers = in_the_world(tmp_path, asked).split("DISK\n")[1:]
    finally:
        run("losetup", "-d", *loops)
    theirs = [next(iter(re.findall(r"GPT_AUTO_ROOT_UUID=(\S+)", answer)), "") for answer in answers]
    found = [gpt_auto(open_paths(image).blocks, "x86_64", "uki", IMAGE, ()).root for image in images]
    assert [one.part_uuid if one else "" for one in found] == theirs
    assert len({bool(one) for one in theirs}) == 2


LINES = (
    "quiet", "root=gpt-auto", "root=/dev/sda1", "root=UUID=1234", "root=", "root", "systemd.gpt_auto=0", "systemd.gpt-auto=no",
    "rd.systemd.gpt_auto=off", "systemd.gpt_auto=0 systemd.gpt_auto=1", "systemd.gpt_auto=yes rd.systemd.gpt_auto=f", "systemd.gpt_auto",
    "systemd.gpt_auto=maybe", f"roothash={HASH}", "gpt_auto=0", f"usrhash={HASH}", "root=/dev/sda1 root=gpt-auto",
)  # fmt: skip


def args(line: str) -> tuple[KernelArg, ...]:
    return tuple(
        KernelArg(name, value if equals else None, WholeFile("/x")) for name, equals, value in (w.partition("=") for w in line.split())
    )


def test_the_generator_looks_for_a_root_when_we_say_so(tmp_path: Path) -> None:
    test = "test -e $o/sysroot.mount && echo yes || echo no"
    theirs = in_the_world(tmp_path, "; ".join(f"{_generate('gpt-auto', *case)}; {test}" for case in enumerate(LINES))).split()
    ours = ["yes" if gpt_auto(BlockTable(), "x86_64", "uki", IMAGE, args(line)).runs else "no" for line in LINES]
    assert dict(zip(LINES, ours, strict=True)) == dict(zip(LINES, theirs, strict=True))


def _generate(name: str, number: int, line: str) -> str:
    """The generator of this name, run as in an initramfs with this command line; ``$o`` is where it writes to."""
    world = f"SYSTEMD_IN_INITRD=1 SYSTEMD_PROC_CMDLINE='{line}'"
    return f"o=/tmp/out{number}; mkdir $o; {world} {FOLDER}/systemd-{name}-generator $o $o $o 2>/dev/null"


VERITY_LINES = (
    f"roothash={HASH}",
    f"usrhash={HASH}",
    f"roothash={HASH[:40]}",
    f"roothash={HASH[:33]}",
    "roothash=zz",
    f"roothash={HASH} usrhash={HASH[::-1]}",
    f"roothash={HASH} systemd.verity_root_data=/dev/vda2",
    f"roothash={HASH} systemd.verity_root_hash=LABEL=x systemd.verity_root_data=/dev/vda2",
    f"usrhash={HASH} systemd.verity_usr_data=PARTUUID=12345678-1234-1234-1234-123456789abc",
)


def test_the_partitions_of_a_hash(tmp_path: Path) -> None:
    show = "cat $o/systemd-veritysetup@*.service 2>/dev/null"
    script = "; ".join(f"echo CASE; {_generate('veritysetup', *case)}; {show}" for case in enumerate(VERITY_LINES))
    answers = in_the_world(tmp_path, f"{script}; true").split("CASE\n")[1:]
    for line, answer in zip(VERITY_LINES, answers, strict=True):
        theirs = {match[1]: (match[2], match[3]) for match in re.finditer(r"attach '?(\w+)'? '?([^ ']+)'? '?([^ ']+)'?", answer)}
        ours = {volume.name: tuple(map(_link, volume.specs)) for volume in verity_volumes(args(line), IMAGE)}
        assert ours == theirs, line


USR_LINES = (
    "root=/dev/sda1", "mount.usr=/dev/sda2", "root=/dev/sda1 mount.usr=UUID=1234", "mount.usr=/dev/sda2 mount.usr=PARTLABEL=usr mount.usr",
    "mount.usr=", "mount.usr=/dev/sda2 mount.usr=", "mount.usr=gpt-auto", "mount.usr=/dev/nfs", f"mount.usr=LABEL=u usrhash={HASH}",
    "mount_usr=/dev/sda2", "rd.fstab=no mount.usr=/dev/sda2", "rd.mount.usr=/dev/sda2", "mount.usrflags=ro mount.usrfstype=ext4",
)  # fmt: skip


def test_the_usr_that_is_named(tmp_path: Path) -> None:
    show = "sed -n s/^What=//p $o/sysusr-usr.mount 2>/dev/null"
    script = "; ".join(f"echo CASE; {_generate('fstab', *case)}; {show}" for case in enumerate(USR_LINES))
    answers = in_the_world(tmp_path, f"{script}; true").split("CASE\n")[1:]
    found = {line: early_usr(args(line), IMAGE) for line in USR_LINES}
    ours = {line: _link(argument.value or "") if argument else "" for line, argument in found.items()}
    assert ours == {line: answer.strip().replace("\\x2d", "-") for line, answer in zip(USR_LINES, answers, strict=True)}


def _link(spec: str) -> str:
    tag, equals, value = spec.partition("=")
    return f"/dev/disk/by-{tag.lower()}/{value}" if equals else spec
