"""The entries of an ESP and their order, asked of ``bootctl list``, which reads and sorts them as systemd-boot's menu does.

bootctl is in Debian's package systemd-boot, which tests do not install: it puts a loader onto the ESP that it finds. Unpack it, and put it
into PATH. Names with other characters than letters, digits and ``+-_.`` are left out by bootctl alone.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from guestbuild import pe
from tests.disk.images import need
from v2vlint.facts.boot.systemd_boot import systemd_boot_menu
from v2vlint.samples.memory import memory_guest

TREES = int(os.environ.get("V2VLINT_ESPS", "12"))
MACHINES = ("", "5f2c8d3a6b1e4f7c9a0d2e8b7c6f5a41", "00000000000000000000000000000001")
VERSIONS = ("", "6.1.0", "6.1.10", "6.1.0~rc1", "6.1.0-1", "6.1.0-1.fc39", "1@6.1", "10@6.1", "6.1.0^post", "b", "A")
NAMES = ("linux", "arch", "6.1.0", "6.1.10", "a-6.1", "Debian", "zz_1", "zz-1")
COUNTS = ("", "", "", "+3", "+0", "+0-3", "+1-2", "+x")


def entry(draw: random.Random) -> str:
    """A random entry file."""
    lines = [f"title T{draw.randrange(9)}", "linux\t/k/vmlinuz"]
    lines += [f"version {version}"] if (version := draw.choice(VERSIONS)) else []
    lines += [f"sort-key {key}"] if (key := draw.choice(("", "", "debian", "arch", "b-1"))) else []
    lines += [f"machine-id {machine}"] if (machine := draw.choice(MACHINES)) else []
    lines += draw.choice(([], ["options a=1", "options  b=2 "], ["# note"], ["architecture x64"], ["", "initrd /k/initrd"]))
    draw.shuffle(lines)
    return "\n".join(lines) + "\n"


def unified(draw: random.Random) -> bytes:
    """A random unified kernel image."""
    release = draw.choice(([], ["ID=debian"], ["ID=arch", 'PRETTY_NAME="P"'], ["NAME=n"], ["ID=arch"]))
    release += draw.choice(
        ([], ["VERSION_ID=12", "VERSION=3"], ["BUILD_ID=rolling"], ["IMAGE_ID=img", "IMAGE_VERSION=7"], ["VERSION_ID='9'"])
    )
    sections = {".osrel": "\n".join(release).encode(), ".linux": b"x", ".cmdline": b"quiet"}
    return pe.application({**sections, **({".uname": b"6.1.0"} if draw.random() < 0.5 else {})})


def tree(seed: int) -> dict[str, bytes]:
    """The files of a random ESP. Two entries of one name, of which one is not counted, come in the order of the folder."""
    draw = random.Random(seed)
    files = {"/k/vmlinuz": b"x", "/k/initrd": b"x", "/loader/loader.conf": b"timeout 3\n"}
    for _number in range(draw.randrange(1, 8)):
        files[f"/loader/entries/{draw.choice(NAMES)}{draw.choice(COUNTS)}.conf"] = entry(draw).encode()
    for _number in range(draw.randrange(0, 4)):
        files[f"/EFI/Linux/{draw.choice(NAMES)}{draw.choice(COUNTS)}.efi"] = unified(draw)
    return {
        path: content for path, content in files.items() if "+" in path or not any(other.startswith(path[:-5] + "+") for other in files)
    }


def listed(folder: Path, trees: list[dict[str, bytes]]) -> list[list[str]]:
    """What bootctl lists of each, by file."""
    need("bootctl", "unshare")
    if os.geteuid() != 0:
        pytest.skip("needs root")
    for number, files in enumerate(trees):
        for path, content in files.items():
            place = folder / str(number) / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
    point = folder / "esp"
    point.mkdir()
    ask = f"SYSTEMD_RELAX_ESP_CHECKS=1 bootctl --esp-path={point} --json=short list"
    script = "; ".join(
        f"mount -t tmpfs none {point} && cp -r {folder}/{number}/. {point}/ && {ask}; umount {point}; echo NEXT"
        for number in range(len(trees))
    )
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, check=False)
    found = done.stdout.split("NEXT\n")[: len(trees)]
    return [[json.loads(line)["path"].removeprefix(str(point)) for line in part.splitlines() if line.startswith("{")] for part in found]


def test_the_same_entries_in_the_same_order(tmp_path: Path) -> None:
    trees = [tree(seed) for seed in range(TREES)]
    theirs = listed(tmp_path, trees)
    for seed, (files, wanted) in enumerate(zip(trees, theirs, strict=True)):
        menu = systemd_boot_menu(memory_guest({f"/efi{path}": content for path, content in files.items()}), "/efi")
        assert [one.source.removeprefix("/efi") for one in menu.entries] == wanted, seed
    assert any(theirs)
    assert shutil.which("bootctl")
