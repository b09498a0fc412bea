"""The files of initramfs-tools, asked of the lines of mkinitramfs(8) that source them."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from v2vlint.facts.initramfs.initramfs_tools import sourced
from v2vlint.facts.initramfs.resume_conf import parse_resume_conf
from v2vlint.samples.memory import memory_guest

PROGRAM = Path("/usr/sbin/mkinitramfs")
NAMES = ("resume", "10-a", "a.b", "x.dpkg-old", "y.dpkg-new", ".hidden", "_under", "-minus", "a b", "z~", "Z", "b.conf", "\xe4")
FOLDERS = ("/usr/share/initramfs-tools/conf.d", "/etc/initramfs-tools/conf.d")


@pytest.mark.skipif(not PROGRAM.exists(), reason="initramfs-tools is not installed")
def test_the_same_files_in_the_same_order(tmp_path: Path) -> None:
    lines = PROGRAM.read_text().splitlines()
    first = lines.index('. "${CONFDIR}/initramfs.conf"')
    last = next(number for number in range(first, len(lines)) if lines[number] == "done" and "/conf.d/*" in lines[number - 2])
    draw = random.Random(3)
    for number in range(12):
        top = tmp_path / str(number)
        chosen = [(folder, name) for folder in FOLDERS for name in NAMES if draw.random() < 0.5]
        files = {"/etc/initramfs-tools/initramfs.conf": "RESUME=main\n"}
        files |= {f"{folder}/{name}": f"RESUME={folder[1:4]}{position}\n" for position, (folder, name) in enumerate(chosen)}
        for path, text in files.items():
            (top / path[1:]).parent.mkdir(parents=True, exist_ok=True)
            (top / path[1:]).write_text(text)
        script = "\n".join(lines[first : last + 1]).replace("/usr/share", f"{top}/usr/share")
        script = f'CONFDIR={top}/etc/initramfs-tools\n{script}\necho "$RESUME"\necho "$EXTRA_CONF"\n'
        done = subprocess.run(
            ["sh", "-c", script], capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
        )
        resume, extra = done.stdout.splitlines()
        guest = memory_guest(files)
        assert [f"{top}{path}" for path in sourced(guest)[1:]] == extra.split()
        device = parse_resume_conf(guest).device
        assert device is not None
        assert device.value == resume
