"""Every verb on a bundle whose image refers to another guest's disk: refused with the option that would allow it, and nothing is read."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from guestbuild.samples import cached
from tests.disk.images import need, run

pytestmark = pytest.mark.slow

NAMES = ['json:{"driver":"raw"}.qcow2', "-x.qcow2", "a,b=c:d.qcow2", "line\nbreak.qcow2", "caf\udce9.qcow2"]
VERBS = {
    "check": ("check",), "fix": ("fix",), "diff": ("fix", "--diff"), "copy": ("fix", "-o", "../out.qcow2"), "inspect": ("inspect",),
    "define": ("define",), "prove": ("prove",), "baseline": ("baseline",),
}  # fmt: skip


def v2vlint(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "v2vlint", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="surrogateescape", check=False)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``bundle/evil.qcow2`` is a change of ``victim.qcow2``, a guest beside the bundle."""
    need("qemu-img")
    top = tmp_path_factory.mktemp("attack")
    (top / "bundle").mkdir()
    shutil.copy(cached("debian-vmware-desktop")[0], top / "victim.qcow2")
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "../victim.qcow2", "evil.qcow2", cwd=top / "bundle")
    (top / "bundle/link.qcow2").symlink_to("../victim.qcow2")
    return top / "bundle"


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_reads_another_guests_disk(bundle: Path, verb: str) -> None:
    before = hashlib.sha256((bundle.parent / "victim.qcow2").read_bytes()).hexdigest()
    done = v2vlint(bundle, *VERBS[verb], "--no-config", "evil.qcow2")
    said = done.stdout + done.stderr
    assert done.returncode == 3
    assert "desktop" not in said.replace("evil.qcow2", "")
    if verb not in ("fix", "diff", "baseline"):
        assert "outside its folder" in " ".join(said.split())
        assert f"--allow-folder {bundle.parent}" in " ".join(said.split())
    assert hashlib.sha256((bundle.parent / "victim.qcow2").read_bytes()).hexdigest() == before
    assert not (bundle.parent / "out.qcow2").exists()


def test_the_operator_may_allow_it(bundle: Path) -> None:
    done = v2vlint(bundle, "check", "--no-config", "-q", "--allow-folder", "..", "evil.qcow2")
    assert "image-not-self-contained disk1: the image of disk1 is an overlay of victim.qcow2" in done.stdout
    assert "/etc/fstab:3" in done.stdout


def test_a_link_in_a_folder_that_is_looked_through_leads_nowhere(bundle: Path) -> None:
    done = v2vlint(bundle.parent, "check", "--no-config", "-q", "bundle")
    assert "link.qcow2: not checked" in done.stdout
    assert "/etc/fstab" not in done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_an_image_may_be_called_anything(tmp_path: Path, name: str) -> None:
    shutil.copy(cached("debian-vmware-desktop")[0], tmp_path / name)
    for verb, code in (("check", 1), ("inspect", 0), ("define", 0)):
        assert v2vlint(tmp_path, verb, "--no-config", "--", name).returncode == code
    assert "would use swap by UUID" in v2vlint(tmp_path, "fix", "--diff", "--no-config", "--", name).stdout
