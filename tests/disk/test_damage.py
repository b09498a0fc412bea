"""Damaged images end in a report: randomly, by the real command, in its isolated children.

CI takes :data:`CASES` mutants. ``V2VLINT_DAMAGED=1000 python -m pytest tests/disk/test_damage.py`` takes more,
``V2VLINT_DAMAGED_FROM=5000`` other ones; a failure names the seed that makes the same image again.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.disk.images import blank, ext, make_tree, open_paths, partitioned, run

pytestmark = pytest.mark.slow

CASES = int(os.environ.get("V2VLINT_DAMAGED", "150"))
FIRST = int(os.environ.get("V2VLINT_DAMAGED_FROM", "0"))
BATCH = 50
MIB = 1 << 20
SECTOR = 4096
CONVERTED = (
    ("qcow2", ""),
    ("qcow2", "extended_l2=on"),
    ("vmdk", ""),
    ("vmdk", "subformat=streamOptimized"),
    ("vpc", ""),
    ("vhdx", ""),
    ("vdi", ""),
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Small images of every kind that can be made without root, all in order."""
    folder = tmp_path_factory.mktemp("sound")
    tree = make_tree(folder / "tree", odd=False)
    root = ext(folder / "ext4", tree, size=8 * MIB)
    whole = [root, ext(folder / "ext2", tree, "-t", "ext2", "-b", "1024", size=8 * MIB)]
    run("mkfs.btrfs", "-q", "--rootdir", tree, blank(folder / "btrfs", 120 * MIB))
    run("mksquashfs", tree, folder / "squashfs", "-noappend", "-quiet", "-no-progress")
    run("mkfs.vfat", "-F", "16", blank(folder / "vfat", 20 * MIB))
    run("mcopy", "-s", "-i", folder / "vfat", tree / "etc/fstab", tree / "usr", "::")
    whole += [folder / name for name in ("btrfs", "squashfs", "vfat")]
    gpt = partitioned(folder / "gpt", "label: gpt\n1 : start=2048, size=16384\n", {2048: root}, 12 * MIB)
    script = "label: dos\n1 : start=2048, size=2048\n2 : start=4096, type=f\n5 : start=6144, size=16384\n"
    whole += [gpt, partitioned(folder / "dos", script, {6144: root}, 12 * MIB)]
    for number, (form, options) in enumerate(CONVERTED):
        target = folder / f"{number}.{form}"
        run("qemu-img", "convert", "-f", "raw", "-O", form, *(["-o", options] if options else []), gpt, target)
        whole.append(target)
    return whole


def used(image: Path) -> list[int]:
    """Where the blocks are that hold anything."""
    with image.open("rb") as file:
        return [number * SECTOR for number, block in enumerate(iter(lambda: file.read(SECTOR), b"")) if any(block)]


Change = Callable[[random.Random, bytearray, int], None]


def _byte(noise: random.Random, block: bytearray, at: int) -> None:
    block[at] = noise.randrange(256)


def _bit(noise: random.Random, block: bytearray, at: int) -> None:
    block[at] ^= 1 << noise.randrange(8)


def _word(noise: random.Random, block: bytearray, at: int) -> None:
    width = noise.choice((2, 4, 8))
    at = at // width * width
    block[at : at + width] = noise.choice((b"\xff" * width, bytes(width), noise.randbytes(width), (1).to_bytes(width, "big")))


def _shift(noise: random.Random, block: bytearray, at: int) -> None:
    count = min(noise.randrange(1, 400), len(block) - at)
    block[at : at + count] = b""
    block += bytes(count)


def _fill(noise: random.Random, block: bytearray, _at: int) -> None:
    block[:] = noise.choice((bytes(len(block)), b"\xff" * len(block), noise.randbytes(len(block))))


CHANGES: tuple[Change, ...] = (_byte, _byte, _bit, _word, _word, _shift, _fill)


def damage(seed: int, sound: list[Path], target: Path) -> None:
    """One mutant: some changes in blocks that are in use, mostly near the start, where the structures are; sometimes cut short."""
    noise = random.Random(seed)
    source = sound[seed % len(sound)]
    run("cp", "--sparse=always", source, target)
    blocks = used(source)
    with target.open("r+b") as file:
        for _change in range(noise.choice((1, 1, 2, 3, 8, 30))):
            place = noise.choice(blocks[:12] if noise.random() < 0.5 else blocks)
            file.seek(place)
            block = bytearray(file.read(SECTOR))
            noise.choice(CHANGES)(noise, block, noise.choice([at for at, byte in enumerate(block) if byte] or [0]))
            file.seek(place)
            file.write(block)
    if noise.random() < 0.08:
        os.truncate(target, noise.randrange(target.stat().st_size))


BATCHES = [range(start, min(start + BATCH, FIRST + CASES)) for start in range(FIRST, FIRST + CASES, BATCH)]


def check(images: list[Path]) -> tuple[int, list[dict[str, Any]]]:
    """What ``v2vlint check`` says of them, two at a time."""
    limits = ("--cpu-limit", "60", "--time-limit", "120")
    command = (sys.executable, "-m", "v2vlint", "check", "--format", "json", "-j", "2", *limits, *map(str, images))
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout)["images"]


def test_sound_images_are_sound(sound: list[Path]) -> None:
    assert [image.name for image in sound if not open_paths(image).roots] == ["vfat"]


@pytest.mark.parametrize("seeds", BATCHES, ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}")
def test_damaged_images_end_in_a_report(tmp_path: Path, sound: list[Path], seeds: range) -> None:
    images = [tmp_path / f"seed{seed}-{sound[seed % len(sound)].name}" for seed in seeds]
    for seed, image in zip(seeds, images, strict=True):
        damage(seed, sound, image)
    status, reports = check(images)
    assert status in (0, 1, 3)
    assert len(reports) == len(images)
    for report in reports:
        reasons = [problem["reason"] for problem in report["problems"]]
        assert report["roots"] or reasons, report["name"]
        assert not [reason for reason in reasons if "reader failed" in reason or "killed by" in reason], (report["name"], reasons)
    shutil.rmtree(tmp_path)
