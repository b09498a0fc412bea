"""A machine whose disks cannot be read is judged by its definition all the same, once, and every way to report or accept that works."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import CLEAN_FSTAB, MakeImage, Run

DOMAIN = """<domain type='kvm'>
<name>web</name>
<devices>
<disk type='file' device='disk'><source file='/nowhere/web.qcow2'/><target dev='vda' bus='virtio'/></disk>
<interface type='network'><mac address='52:54:00:00:00:01'/></interface>
<interface type='network'><mac address='52:54:00:00:00:01'/></interface>
</devices>
</domain>
"""
RULE = "duplicate-mac-address"
FOUND = f"web.xml: warning {RULE} web.xml:6:41: two network cards have the MAC address 52:54:00:00:00:01"
ONLY = ("--select", RULE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with ``web.xml``, whose only disk is not there."""
    (tmp_path / "web.xml").write_text(DOMAIN)
    return tmp_path


def told(text: str) -> list[str]:
    """The lines of a brief report that are about the rule."""
    return [line for line in text.splitlines() if RULE in line]


def test_without_the_disks(v2vlint: Run, folder: Path) -> None:
    done = v2vlint("-q", "web.xml", cwd=folder)
    assert done.returncode == 3, done.stderr
    assert done.stdout.splitlines() == [
        "web.xml: warning disk-file-missing web.xml:4:33: the file of the disk /nowhere/web.qcow2 is missing",
        FOUND,
        "web.xml: not checked disk /nowhere/web.qcow2 is missing",
    ]
    assert v2vlint("-q", "--fail-on", "warning", "web.xml", cwd=folder).returncode == 1
    assert told(v2vlint("-q", "--ignore", RULE, "web.xml", cwd=folder).stdout) == []


@pytest.mark.parametrize("content", [b"", bytes(4 << 20), b"\x17" * (4 << 20)], ids=["empty", "blank", "unknown"])
def test_with_a_disk_that_nobody_understands(v2vlint: Run, folder: Path, content: bytes) -> None:
    (folder / "web.qcow2").write_bytes(content)
    done = v2vlint("-q", *ONLY, "web.xml", cwd=folder)
    assert (done.returncode, told(done.stdout)) == (3, [FOUND])
    assert "not checked" in done.stdout


def test_with_an_encrypted_disk_and_no_key(v2vlint: Run, folder: Path) -> None:
    (folder / "web.qcow2").write_bytes(bytes(20 << 20))
    fast = ("--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")
    subprocess.run(["cryptsetup", "luksFormat", "-q", *fast, folder / "web.qcow2", "-"], input=b"secret", check=True)
    (folder / "web.xml").write_text(DOMAIN.replace("<disk type='file' device='disk'>", "<disk type='file'><driver type='raw'/>"))
    done = v2vlint("-q", *ONLY, "web.xml", cwd=folder)
    assert (done.returncode, told(done.stdout)) == (3, [FOUND])
    assert "LUKS" in done.stdout


@pytest.mark.slow
def test_with_a_disk_that_takes_too_long(v2vlint: Run, folder: Path) -> None:
    (folder / "web.img.gz").write_bytes(gzip.compress(bytes(16 << 20)) * 4000)
    (folder / "web.xml").write_text(DOMAIN.replace("web.qcow2", "web.img.gz"))
    done = v2vlint("-q", *ONLY, "--time-limit", "12", "web.xml", cwd=folder)
    assert (done.returncode, told(done.stdout)) == (3, [FOUND])
    (why,) = (line for line in done.stdout.splitlines() if "not checked" in line)
    assert "12 s" in why, why


def test_with_a_good_disk_it_is_told_once(v2vlint: Run, folder: Path, make_image: MakeImage) -> None:
    make_image(folder / "web.qcow2", {"/etc/fstab": CLEAN_FSTAB})
    done = v2vlint("-q", *ONLY, "web.xml", cwd=folder)
    assert (done.returncode, done.stdout.splitlines()) == (0, [FOUND])


def test_with_two_systems_it_is_told_once(v2vlint: Run, folder: Path, make_image: MakeImage) -> None:
    names = ("web.qcow2", "two.qcow2")
    for name in names:
        make_image(folder / name, {"/etc/fstab": CLEAN_FSTAB})
    lines = DOMAIN.splitlines()
    lines.insert(4, lines[3].replace("web.qcow2", names[1]).replace("vda", "vdb"))
    (folder / "web.xml").write_text("\n".join(lines))
    (image,) = json.loads(v2vlint("--format", "json", *ONLY, "--select", "fstab-device-name", "web.xml", cwd=folder).stdout)["images"]
    assert [[result["rule"] for result in results(root)] for root in image["roots"]] == [["fstab-device-name"]] * 2
    assert [(result["rule"], result["status"]) for result in results({"targets": image["machine"]})] == [(RULE, "fail")]


def results(judged: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All results of a root, or of the machine, in a JSON report."""
    return (result for target in judged["targets"] for result in target["results"])


@pytest.mark.parametrize("shape", ["text", "json", "sarif", "junit", "github", "gitlab", "html", "markdown"])
def test_every_format_tells_it_for_each_target(v2vlint: Run, folder: Path, shape: str) -> None:
    done = v2vlint("--format", shape, *ONLY, "--target", "kvm,azure", "web.xml", cwd=folder)
    assert done.returncode == 3
    assert RULE in done.stdout
    assert re.search("two network cards have the MAC (<wbr>)?address 52:54:00:00:00:01", done.stdout)
    assert "/nowhere/web.qcow2 is missing" in done.stdout
    assert {"kvm", "azure"} <= set(re.findall(r"\w+", done.stdout))


def test_an_exception_covers_it_and_an_expired_one_is_told(v2vlint: Run, folder: Path) -> None:
    exception = f'[[exceptions]]\nid = "{RULE}"\nimage = "web.xml"\nreason = "two ports of one card"\n'
    (folder / "v2vlint.toml").write_text(exception)
    assert told(v2vlint("-q", *ONLY, "web.xml", cwd=folder).stdout) == []
    assert "two ports of one card" in v2vlint(*ONLY, "web.xml", cwd=folder).stdout
    (folder / "v2vlint.toml").write_text(f"{exception}expires = 2020-01-01\n")
    late = v2vlint("-q", *ONLY, "web.xml", cwd=folder).stdout
    assert FOUND in late.splitlines()
    assert f"the exception for {RULE} expired on 2020-01-01" in late


def test_a_baseline_knows_it(v2vlint: Run, folder: Path) -> None:
    v2vlint("baseline", "-o", "known.json", "web.xml", cwd=folder)
    assert RULE in (folder / "known.json").read_text()
    done = v2vlint("--baseline", "known.json", "--fail-on", "info", "web.xml", cwd=folder)
    assert done.returncode == 3
    assert "2 findings known from the baseline" in done.stdout
