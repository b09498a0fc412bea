"""From machines to libvirt domains that libvirt's own schema accepts."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from v2vlint.defining.formats import kubevirt
from v2vlint.defining.formats.libvirt import domain_xml
from v2vlint.defining.protocol import ProposedCard, ProposedDisk, ProposedMachine
from v2vlint.source.kinds.libvirt import domain


def valid(text: str, path: Path) -> None:
    """The domain as libvirt's RELAX NG grammar sees it."""
    if shutil.which("virt-xml-validate") is None:
        pytest.skip("virt-xml-validate is not installed")
    path.write_text(text)
    done = subprocess.run(("virt-xml-validate", path, "domain"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


PLAIN = ProposedMachine("web", "bios", (ProposedDisk("/a.qcow2", "qcow2", "virtio"),), (ProposedCard("virtio"),))
MACHINES = {
    "plain": PLAIN,
    "uefi": ProposedMachine(
        "db.1", "uefi", (ProposedDisk("/a & b.vmdk", "vmdk", "scsi"), ProposedDisk("/c", "raw", "scsi")),
        (ProposedCard("e1000e", "52:54:00:00:00:01"),),
        scsi="virtio-scsi", video="virtio", boot_disk=1, secure_boot=True, tpm=True, rng=True, balloon=True, cpu_level=3,
    ),
    "windows": ProposedMachine(
        "w", "uefi", (ProposedDisk("/w.vhd", "vpc", "sata"),), (ProposedCard("e1000e"),), local_clock=True, hyperv=True,
    ),
    "old": ProposedMachine(
        "o", "bios", (ProposedDisk("/o", "raw", "ide"),), (ProposedCard("rtl8139"), ProposedCard("rtl8139")),
        machine="pc", tpm=True, local_clock=True,
    ),
    "arm": ProposedMachine(
        "a", "uefi", (ProposedDisk("/a", "raw", "virtio"),), (ProposedCard("virtio"),),
        machine="virt", arch="aarch64", video="ramfb", tpm=True,
    ),
    "seven": ProposedMachine("s", "bios", (ProposedDisk("/s", "raw", "sata"),), (ProposedCard("e1000"),), hyperv=True, usb="ich9"),
    "many": ProposedMachine("m", "bios", tuple(ProposedDisk(f"/{n}", "raw", "virtio") for n in range(30)), cpu_level=2),
    "hostile": ProposedMachine("x\x00\x1b\ud800y", "bios", (ProposedDisk("/\x07'\"<>", "raw", "virtio"),)),
}  # fmt: skip


@pytest.mark.parametrize("name", MACHINES)
def test_the_schema_accepts_it(name: str, tmp_path: Path) -> None:
    valid(domain_xml(MACHINES[name]), tmp_path / "domain.xml")


def test_reading_it_back() -> None:
    machine = MACHINES["uefi"]
    text = domain_xml(machine)
    found = domain("x.xml", text)
    assert (found.name, found.firmware, found.secure_boot, found.tpm, found.memory_mib, found.cpus) == ("db.1", "uefi", True, True, 2048, 1)
    assert [(disk.path, disk.format, disk.bus, disk.target, disk.model) for disk in found.disks] == [
        ("/a & b.vmdk", "vmdk", "scsi", "sda", "virtio-scsi"),
        ("/c", "raw", "scsi", "sdb", "virtio-scsi"),
    ]
    assert [(nic.mac, nic.model, nic.network) for nic in found.nics] == [("52:54:00:00:00:01", "e1000e", "default")]
    assert (found.cpu_mode, found.cpu_model, found.video) == ("custom", "Haswell-noTSX", ("virtio",))
    assert text.index("/c") < text.index("<boot order")


def test_sectors_of_disks() -> None:
    """Written where they are not the usual ones, and read again as libvirt takes them; QEMU has no others on IDE and SATA."""
    disks = (ProposedDisk("/a", "raw", "virtio", 4096), ProposedDisk("/b", "raw", "virtio"))
    text = domain_xml(replace(PLAIN, disks=disks))
    assert [disk.sector for disk in domain("x.xml", text).disks] == [4096, 0]
    assert text.count("<blockio ") == 1
    assert [disk.sector for disk in domain("x.xml", text.replace('bus="virtio"', 'bus="sata"')).disks] == [0, 0]


def test_the_schema_accepts_other_sectors(tmp_path: Path) -> None:
    valid(domain_xml(replace(PLAIN, disks=(ProposedDisk("/a", "raw", "virtio", 4096),))), tmp_path / "domain.xml")


def test_names_go_on_after_z() -> None:
    names = [disk.target for disk in domain("x.xml", domain_xml(MACHINES["many"])).disks]
    assert (names[0], names[25], names[26], names[29]) == ("vda", "vdz", "vdaa", "vdad")


def test_what_xml_cannot_hold() -> None:
    found = domain("x.xml", domain_xml(MACHINES["hostile"]))
    assert (found.name, found.disks[0].path) == ("x???y", "/?'\"<>")


def test_a_clock_in_local_time_on_kubevirt() -> None:
    """It has no "localtime"; with UTC, such a Windows would be hours off."""
    windows = MACHINES["windows"]
    zoned = kubevirt.render(replace(windows, zone="STD-1DST-2,M3.5.0/2:00,M10.5.0/3:00"))
    clock = yaml.safe_load(zoned)["spec"]["template"]["spec"]["domain"]["clock"]
    assert (clock["timezone"], "utc" in clock, "hyperv" in clock["timer"], "replace" in zoned) == (
        "STD-1DST-2,M3.5.0/2:00,M10.5.0/3:00",
        False,
        True,
        False,
    )
    unknown = kubevirt.render(windows)
    assert 'replace "utc: {}" by "timezone: ZONE"' in unknown
    assert yaml.safe_load(unknown)["spec"]["template"]["spec"]["domain"]["clock"]["utc"] == {}
    universal = kubevirt.render(replace(windows, local_clock=False, zone="STD-1"))
    assert "timezone" not in universal
