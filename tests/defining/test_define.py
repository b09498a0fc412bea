"""``v2vlint define`` on real images: what the guest cannot drive, it does not get."""

from __future__ import annotations

import dataclasses
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from guestbuild.samples import cached, recipes
from tests.defining.test_xml import valid
from tests.disk.images import run
from v2vlint.cli.define import _target_for_arm
from v2vlint.run.settings import Settings
from v2vlint.source.kinds.libvirt import domain
from v2vlint.target import load

pytestmark = pytest.mark.slow
_SERVICE_USER = "games"


def define(*arguments: str | Path) -> tuple[str, str]:
    """The XML and the notes."""
    words = [sys.executable, "-m", "v2vlint", "define", *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def image(name: str) -> str:
    return "+".join(map(str, cached(name)))


ON_ARM = [name for name, recipe in recipes().items() if "kvm-aarch64" in recipe.forecast]


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in recipes() if name not in ON_ARM])
def test_every_sample_guest_gets_a_valid_domain(name: str, tmp_path: Path) -> None:
    text, _notes = define(image(name))
    valid(text, tmp_path / "domain.xml")
    assert len(domain("x.xml", text).disks) == len(cached(name))


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in ON_ARM])
def test_a_guest_for_arm_gets_a_machine_for_arm(name: str, tmp_path: Path) -> None:
    text, _notes = define(image(name))
    valid(text, tmp_path / "domain.xml")
    found = domain("x.xml", text)
    assert (found.machine, found.firmware, {disk.bus for disk in found.disks}) == ("virt", "uefi", {"virtio"})
    assert 'arch="aarch64"' in text
    words = [sys.executable, "-m", "v2vlint", "define", "-t", "kvm", image(name)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "a guest for aarch64 processors, and kvm has x86_64 ones" in done.stderr
    assert "give --target kvm-aarch64" in done.stderr


@pytest.mark.xdist_group("rhel9-vsphere")
def test_no_virtio_disk_without_its_driver() -> None:
    text, notes = define(image("rhel9-vsphere"))
    assert [disk.bus for disk in domain("x.xml", text).disks] == ["sata"]
    assert "no virtio-blk disks: virtio_blk is not in the initramfs" in notes


@pytest.mark.parametrize(
    ("name", "machine", "disk", "card"),
    [
        pytest.param("windows-xp-ide", "pc", "ide", "e1000", marks=pytest.mark.xdist_group("windows-xp-ide")),
        pytest.param("windows-7-virtualbox", "q35", "sata", "e1000", marks=pytest.mark.xdist_group("windows-7-virtualbox")),
        pytest.param("windows-10-vmware", "q35", "sata", "e1000e", marks=pytest.mark.xdist_group("windows-10-vmware")),
        pytest.param("windows-2019-xen", "q35", "virtio", "virtio", marks=pytest.mark.xdist_group("windows-2019-xen")),
        pytest.param("windows-2022-disks", "q35", "sata", "virtio", marks=pytest.mark.xdist_group("windows-2022-disks")),
    ],
)
def test_windows_gets_what_its_registry_says_it_drives(name: str, machine: str, disk: str, card: str) -> None:
    text, notes = define(image(name))
    found = domain("x.xml", text)
    assert (found.machine, {one.bus for one in found.disks}, [one.model for one in found.nics]) == (machine, {disk}, [card])
    assert ("viostor" in notes, "netkvm" in notes) == (disk != "virtio", card != "virtio")
    assert ('timer name="hypervclock"' in text, "ich9-ehci1" in text) == ("xp" not in name, "-7-" in name)
    assert '<clock offset="localtime"' in text


@pytest.mark.xdist_group("windows-11-hyperv")
def test_windows_11_gets_a_tpm_and_what_its_definition_says(tmp_path: Path) -> None:
    (disk,) = cached("windows-11-hyperv")
    text, notes = define(disk)
    found = domain("x.xml", text)
    assert (found.tpm, found.firmware, found.machine, found.secure_boot) == (True, "uefi", "pc", False)
    assert "no SATA disks: storahci starts only as 'demand', not at boot (StartOverride)" in notes
    assert "no Secure Boot: it requires UEFI firmware and machine type q35" in notes


@pytest.mark.xdist_group("rhel5-hda")
def test_an_old_kernel_gets_an_old_machine() -> None:
    found = domain("x.xml", define(image("rhel5-hda"))[0])
    assert (found.machine, found.firmware, found.disks[0].bus) == ("pc", "bios", "ide")


@pytest.mark.xdist_group("debian-portable")
def test_the_definition_gives_cards_and_memory(tmp_path: Path) -> None:
    (disk,) = cached("debian-portable")
    xml = f"""<domain type='kvm'><name>old name</name><memory unit='MiB'>3000</memory><vcpu>3</vcpu><devices>
 <disk type='file' device='disk'><source file='{disk}'/><target dev='sda' bus='scsi'/></disk>
 <interface type='bridge'><mac address='52:54:00:00:00:07'/><source bridge='br9'/></interface></devices></domain>"""
    (tmp_path / "old.xml").write_text(xml)
    options = ("--allow-folder", disk.parent, "--target", "kvm-scsi", "-o", tmp_path / "new.xml")
    text, notes = define(tmp_path / "old.xml", *options)
    assert text == ""
    found = domain("x.xml", (tmp_path / "new.xml").read_text())
    assert (found.name, found.memory_mib, found.cpus, found.macs) == ("old-name", 3000, 3, ("52:54:00:00:00:07",))
    assert (found.disks[0].bus, found.disks[0].model) == ("scsi", "virtio-scsi")
    assert "they were on br9" in notes


@pytest.fixture
def session() -> Iterator[str]:
    """The URI of a real ``qemu:///session`` of an unprivileged user."""
    if not all(map(shutil.which, ("virsh", "libvirtd", "qemu-system-x86_64"))):
        pytest.skip("libvirt's QEMU driver is not installed")
    home = Path(tempfile.mkdtemp(prefix="v2vlint-session-", dir="/tmp"))
    words = ["env", f"HOME={home}", f"XDG_RUNTIME_DIR={home}", f"XDG_CONFIG_HOME={home}/config", f"XDG_CACHE_HOME={home}/cache"]
    if os.geteuid() == 0:
        shutil.chown(home, pwd.getpwnam(_SERVICE_USER).pw_uid)
        words = ["runuser", "-u", _SERVICE_USER, "--", *words]
    daemon = subprocess.Popen([*words, "libvirtd", "--timeout", "120"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"qemu+unix:///session?socket={home}/libvirt/libvirt-sock"
    finally:
        daemon.terminate()
        daemon.wait(60)
        shutil.rmtree(home, ignore_errors=True)


@pytest.mark.parametrize(
    ("name", "bus"),
    [
        pytest.param("debian-portable", "virtio", marks=pytest.mark.xdist_group("debian-portable")),
        pytest.param("windows-7-virtualbox", "sata", marks=pytest.mark.xdist_group("windows-7-virtualbox")),
        pytest.param("windows-2019-xen", "virtio", marks=pytest.mark.xdist_group("windows-2019-xen")),
        pytest.param("windows-2025-parallels", "virtio", marks=pytest.mark.xdist_group("windows-2025-parallels")),
    ],
)
def test_libvirt_takes_the_domain_and_gives_it_back(session: str, tmp_path: Path, name: str, bus: str) -> None:
    text, _notes = define(image(name))
    plain = text.replace('<domain type="kvm">', '<domain type="qemu">').replace("<cpu mode", "<cpu check='none' mode")
    for _attempt in range(120):
        listed = subprocess.run(["virsh", "--connect", session, "list"], capture_output=True, timeout=60, check=False)
        if listed.returncode == 0:
            break
        subprocess.run(["sleep", "0.5"], check=True)
    (tmp_path / "new.xml").write_text(plain)
    done = subprocess.run(["virsh", "--connect", session, "define", tmp_path / "new.xml"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    again, _notes = define(f"domain:{name}", "--connect", session)
    assert [disk.bus for disk in domain("x.xml", again).disks] == [bus]


def test_a_disk_that_cannot_be_read_does_not_give_its_place_to_another(tmp_path: Path) -> None:
    damaged, good = tmp_path / "damaged.qcow2", tmp_path / "good.img"
    run("qemu-img", "convert", "-O", "raw", image("debian-portable"), good)
    damaged.write_bytes(b"QFI\xfb" + bytes(600))
    text, notes = define(f"{damaged}+{good}")
    assert [(disk.path, disk.format) for disk in domain("x.xml", text).disks][1:] == [(str(good), "raw")]
    assert text.index("<boot order") > text.index(str(good))
    assert "damaged.qcow2" in notes


def test_the_machine_for_arm_is_the_first_one_in_the_configuration() -> None:
    mine = dataclasses.replace(load("kvm-aarch64"), name="mine")
    for targets, name in (((load("kvm"), mine), "mine"), ((load("kvm"), load("ec2-nitro")), "kvm-aarch64")):
        assert _target_for_arm(cast(Settings, SimpleNamespace(targets=targets))).name == name
