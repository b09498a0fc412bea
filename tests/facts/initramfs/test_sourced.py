"""The files of initramfs-tools, asked of the lines of mkinitramfs(8) that source them."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from v2vlint.facts.initramfs.initramfs_tools import sourced
from v2vlint.facts.initramfs.resume_conf import parse_resume_conf
from v2vlint.model.rule import Link
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


@pytest.mark.parametrize(
    ("text", "device", "editable"),
    [
        ("RESUME=UUID=0a3f resume_offset=34816\n", "UUID=0a3f", True),
        ('RESUME="UUID="0a3f\n', "UUID=0a3f", False),
        ("RESUME=UUID=\\\n0a3f\n", "UUID=0a3f", False),
        ("RESUME=UUID=1\nunset RESUME\n", None, False),
        ("SWAP=/dev/sda2\nRESUME=${SWAP:-none}\n", "/dev/sda2", True),
        ("RESUME=${SWAP:-none}\n", "none", True),
        ("RESUME=/dev/sda2\r\n", "/dev/sda2\r", True),
        ("true && RESUME=none\n", "none", True),
        ("export RESUME=none # off\n", "none", True),
    ],
)
def test_the_value_that_the_shell_has(text: str, device: str | None, editable: bool) -> None:
    conf = parse_resume_conf(memory_guest({"/etc/initramfs-tools/conf.d/resume": text}))
    assert conf.untold is None
    assert (conf.device.value if conf.device else None) == device
    assert bool(conf.replace("x")) == editable


@pytest.mark.parametrize(
    "text",
    ["RESUME=$(swap)\n", "[ -e /x ] && RESUME=none\n", "RESUME=a\n. /missing\n", "RESUME='a\n", "if :; then RESUME=a; fi\n", "RESUME=a\nf"],
)
def test_a_value_that_cannot_be_told_is_unknown(text: str) -> None:
    text = text.replace("\nf", "\nf() { RESUME=b; }\nf\n")
    conf = parse_resume_conf(memory_guest({"/etc/initramfs-tools/conf.d/resume": text}))
    assert conf.untold
    assert not conf.names_device


def test_plus_and_equals_depend_on_the_guest_s_shell() -> None:
    files = {"/etc/initramfs-tools/conf.d/resume": "RESUME=UUID=\nRESUME+=0a3f\n"}
    device = parse_resume_conf(memory_guest(files)).device
    assert device is not None
    assert device.value == "UUID=0a3f"
    assert parse_resume_conf(memory_guest({**files, "/bin/dash": "", "/bin/sh": Link("dash")})).untold
