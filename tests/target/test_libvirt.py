"""A libvirt domain as the target."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from v2vlint import target
from v2vlint.model.errors import UsageError
from v2vlint.model.target import Controller, Display, Hardware, Nic, Target

DOMAIN = """<domain type='kvm'>
  <name>web</name>
  <memory unit='MiB'>1536</memory>
  <os firmware='efi'><type arch='x86_64' machine='pc-q35-8.2'>hvm</type></os>
  <cpu mode='custom'><model fallback='allow'>Haswell-noTSX-IBRS</model></cpu>
  <devices>
    <disk type='file' device='disk'><target dev='sda' bus='scsi'/></disk>
    <disk type='file' device='cdrom'><target dev='sdb' bus='sata'/></disk>
    <controller type='scsi' model='virtio-scsi'/>
    <interface type='network'><model type='virtio'/></interface>
    <serial type='pty'/>
    <video><model type='virtio'/></video>
  </devices>
</domain>"""


def load(tmp_path: Path, text: str) -> Target:
    """The target in ``text``."""
    path = tmp_path / "web.xml"
    path.write_text(text)
    return target.load(str(path))


def test_a_whole_domain(tmp_path: Path) -> None:
    assert load(tmp_path, DOMAIN) == dataclasses.replace(
        target.load("kvm"),
        name="web",
        title="libvirt domain web",
        controllers=(Controller("virtio-scsi SCSI", "sd", (("virtio_scsi", "virtio_pci", "sd_mod"),)),),
        nics=(Nic("virtio", (("virtio_net", "virtio_pci"),)),),
        displays=(Display("virtio", ("virtio_gpu", "simpledrm", "vesafb", "efifb"), ("modesetting", "fbdev", "vesa")),),
        consoles=("ttyS0", "tty0"),
        firmware=("uefi",),
        cpu_level=3,
        ram_mib=1536,
        keeps_mac=True,
        hardware=Hardware("q35", "virtio-scsi-pci", "virtio-net-pci", "virtio"),
    )


@pytest.mark.parametrize(
    ("disk", "prefixes"),
    [
        ("<target dev='vda'/>", {"vd"}),
        ("<target dev='sda' bus='sata'/>", {"sd"}),
        ("<target dev='hda'/>", {"sd"}),
        ("<target dev='xvda'/>", {"xvd"}),
        ("<target dev='nvme0n1' bus='nvme'/>", {"nvme"}),
        ("<target dev='vda' bus='virtio'/></disk><disk device='disk'><target dev='sda' bus='usb'/>", {"vd", "sd"}),
    ],
)
def test_disk_buses(tmp_path: Path, disk: str, prefixes: set[str]) -> None:
    one = load(tmp_path, f"<domain type='kvm'><devices><disk device='disk'>{disk}</disk></devices></domain>")
    assert one.disk_prefixes == prefixes
    assert one.firmware == ("bios",)


@pytest.mark.parametrize(
    ("video", "driver"), [("qxl", "qxl"), ("vmvga", "vmware"), ("cirrus", "cirrus"), ("virtio", ""), ("vga", ""), ("bochs", "")]
)
def test_the_x_driver_that_is_a_models_own(tmp_path: Path, video: str, driver: str) -> None:
    devices = f"<disk device='disk'><target dev='vda'/></disk><video><model type='{video}'/></video>"
    (found,) = load(tmp_path, f"<domain type='kvm'><devices>{devices}</devices></domain>").displays
    assert found.xorg_drivers == ("modesetting", "fbdev", "vesa", *((driver,) if driver else ()))


@pytest.mark.parametrize(
    ("cpu", "level"),
    [
        ("", 80),
        ("<cpu mode='host-passthrough'/>", 80),
        ("<cpu><model>cortex-a57</model></cpu>", 80),
        ("<cpu><model>neoverse-n1</model></cpu>", 82),
        ("<cpu><model>neoverse-v2</model></cpu>", 90),
    ],
)
def test_levels_of_arm_processors(tmp_path: Path, cpu: str, level: int) -> None:
    machine = "<os><type arch='aarch64' machine='virt'>hvm</type></os>"
    devices = "<devices><disk device='disk'><target dev='vda'/></disk></devices>"
    assert load(tmp_path, f"<domain type='kvm'>{machine}{cpu}{devices}</domain>").arm_level == level


@pytest.mark.parametrize(
    ("cpu", "level"),
    [
        ("", 1),
        ("<cpu mode='host-model'/>", 2),
        ("<cpu><model>qemu64</model></cpu>", 1),
        ("<cpu><model>Opteron_G5</model></cpu>", 2),
        ("<cpu><model>EPYC-Rome</model></cpu>", 3),
        ("<cpu><model>EPYC-Genoa</model></cpu>", 4),
        ("<cpu><model>x86-64-v3</model></cpu>", 3),
    ],
)
def test_processor_levels(tmp_path: Path, cpu: str, level: int) -> None:
    assert (
        load(tmp_path, DOMAIN.replace("<cpu mode='custom'><model fallback='allow'>Haswell-noTSX-IBRS</model></cpu>", cpu)).cpu_level
        == level
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not valid XML"),
        ("<domain", "not valid XML"),
        ("<network/>", "not a libvirt domain"),
        ("<domain/>", "a domain without a disk"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><domain/>", "document type"),
        ("<domain><devices><disk><target dev='a' bus='warp'/></disk></devices></domain>", "unknown disk bus 'warp'"),
        (DOMAIN.replace("type='virtio'/></interface>", "type='warp'/></interface>"), "unknown network card 'warp'"),
        (DOMAIN.replace("model='virtio-scsi'", "model='warp'"), "unknown SCSI controller 'warp'"),
    ],
)
def test_what_is_no_usable_domain(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        load(tmp_path, text)


@pytest.mark.parametrize(
    ("arch", "found", "console"), [("x86_64", "x86_64", "ttyS0"), ("i686", "x86_64", "ttyS0"), ("aarch64", "aarch64", "ttyAMA0")]
)
def test_architectures(tmp_path: Path, arch: str, found: str, console: str) -> None:
    text = f"""<domain type='kvm'><name>a</name><memory>1048576</memory><os><type arch='{arch}'>hvm</type></os><devices>
    <disk type='file' device='disk'><target dev='vda' bus='virtio'/></disk><serial type='pty'/></devices></domain>"""
    target = load(tmp_path, text)
    assert (target.arch, target.consoles[0]) == (found, console)
    assert target.hardware is not None
    assert (target.firmware, target.hardware.machine) == ((("uefi",), "virt") if found == "aarch64" else (("bios",), "pc"))


def test_virtio_without_pci(tmp_path: Path) -> None:
    address = "<address type='virtio-mmio'/>"
    text = f"""<domain type='kvm'><name>a</name><memory>1048576</memory><os><type arch='aarch64' machine='virt'>hvm</type></os><devices>
    <disk type='file' device='disk'><target dev='vda' bus='virtio'/>{address}</disk><interface type='network'><model type='virtio'/>
    </interface></devices></domain>"""
    target = load(tmp_path, text)
    assert target.controllers[0].any_of == (("virtio_blk", "virtio_mmio"),)
    assert target.nics[0].any_of == (("virtio_net", "virtio_pci"),)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        target.load(str(tmp_path / "none.xml"))


_PORT = "<controller type='pci' index='{0}' model='pcie-root-port'/>"
_CARD = (
    "<interface type='network'><model type='virtio'/>"
    "<address type='pci' domain='0x0000' bus='0x{0:02x}' slot='0x{1:02x}' function='0x0'/>{2}</interface>"
)
_DISK = "<disk device='disk'><target dev='vda'/></disk>"


@pytest.mark.parametrize(
    ("devices", "places"),
    [
        (_CARD.format(0, 3, "") + _CARD.format(0, 7, ""), [("0000:00:03.0", 3, None), ("0000:00:07.0", 7, None)]),
        (_CARD.format(0, 3, "<acpi index='5'/>"), [("0000:00:03.0", 3, 5)]),
        (
            "<controller type='pci' index='0' model='pcie-root'/>" + _PORT.format(1) + _PORT.format(2) + _CARD.format(2, 0, ""),
            [("0000:02:00.0", None, None)],
        ),
        ("<interface type='network'/>", []),
        (_CARD.format(0, 3, "") + "<interface type='network'/>", []),
        (_PORT.format(1) + "<controller type='pci' index='2' model='pcie-to-pci-bridge'/>" + _CARD.format(2, 1, ""), []),
    ],
)
def test_the_places_of_cards(tmp_path: Path, devices: str, places: list[tuple[str, int | None, int | None]]) -> None:
    found = load(tmp_path, f"<domain type='kvm'><devices>{_DISK}{devices}</devices></domain>")
    usual = target.load("kvm")
    boards = found.boards if places else ()
    assert [(card.at, card.slot, card.index) for board in boards for card in board.cards] == places
    assert (found.boards, found.other_buses) == (usual.boards, usual.other_buses) or (places and not found.other_buses)


@pytest.mark.parametrize(
    ("cards", "macs"),
    [
        ("<interface><mac address='52:54:00:AA:00:01'/></interface>", ("52:54:00:aa:00:01",)),
        ("<interface><mac address='52:54:00:aa:00:01'/></interface><interface/>", ()),
        ("", ()),
    ],
)
def test_cards_have_their_own_addresses(tmp_path: Path, cards: str, macs: tuple[str, ...]) -> None:
    text = f"<domain type='kvm'><devices><disk device='lun'><target dev='sda' bus='scsi'/></disk>{cards}</devices></domain>"
    assert load(tmp_path, text).macs == macs
