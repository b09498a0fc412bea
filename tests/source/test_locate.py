"""Definitions and archives become disks in order; nothing outside the folder is taken."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from v2vlint.guest.open import open_ref
from v2vlint.model.definition import ControllerDevice, Definition, DiskDevice, Feature, Medium, NicDevice
from v2vlint.model.errors import ImageError
from v2vlint.model.source import GuestRef, GuestSource
from v2vlint.source.locate import locate

OVF = """<?xml version="1.0"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
 xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData" xmlns:vmw="http://www.vmware.com/schema/ovf">
 <References><File ovf:id="f2" ovf:href="two.vmdk"/><File ovf:id="f1" ovf:href="one.vmdk"/></References>
 <DiskSection><Disk ovf:diskId="d1" ovf:fileRef="f1" ovf:capacity="1"/><Disk ovf:diskId="d2" ovf:fileRef="f2"/></DiskSection>
 <VirtualSystem ovf:id="web">
  <Name>web01</Name>
  <OperatingSystemSection ovf:id="80" vmw:osType="rhel8_64Guest"><Description>RHEL</Description></OperatingSystemSection>
  <VirtualHardwareSection>
   <Item><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>4</rasd:VirtualQuantity></Item>
   <Item><rasd:ResourceType>4</rasd:ResourceType><rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits>
    <rasd:VirtualQuantity>2048</rasd:VirtualQuantity></Item>
   <Item><rasd:InstanceID>3</rasd:InstanceID><rasd:ResourceSubType>VirtualSCSI</rasd:ResourceSubType><rasd:ResourceType>6</rasd:ResourceType></Item>
   <Item><rasd:InstanceID>4</rasd:InstanceID><rasd:ResourceType>5</rasd:ResourceType></Item>
   <Item><rasd:HostResource>ovf:/disk/d1</rasd:HostResource><rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></Item>
   <Item><rasd:HostResource>/disk/d2</rasd:HostResource><rasd:Parent>4</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></Item>
   <Item><rasd:Address>00:50:56:AA:BB:CC</rasd:Address><rasd:Connection>VM Network</rasd:Connection>
    <rasd:ResourceSubType>VmxNet3</rasd:ResourceSubType><rasd:ResourceType>10</rasd:ResourceType></Item>
   <vmw:Config vmw:key="firmware" vmw:value="efi"/>
   <vmw:Config vmw:key="bootOptions.efiSecureBootEnabled" vmw:value="true"/>
  </VirtualHardwareSection>
 </VirtualSystem>
</Envelope>
"""
VMX = """.encoding = "UTF-8"
displayName = "db |22one|22"
firmware = "efi"
uefi.secureBoot.enabled = "TRUE"
vtpm.present = "TRUE"
memsize = "4096"
numvcpus = "2"
guestOS = "debian10-64"
scsi0.present = "TRUE"
scsi0:10.present = "TRUE"
scsi0:2.present = "TRUE"
sata0.present = "TRUE"
sata0:0.present = "TRUE"
ide1:0.present = "TRUE"
scsi0.virtualDev = "pvscsi"
scsi0:10.fileName = "ten.vmdk"
scsi0:2.fileName = "two.vmdk"
scsi0:3.fileName = "off.vmdk"
scsi0:3.present = "FALSE"
sata0:0.fileName = "first.vmdk"
ide1:0.fileName = "install.iso"
ide1:0.deviceType = "cdrom-image"
ethernet0.present = "TRUE"
ethernet0.virtualDev = "e1000"
ethernet0.generatedAddress = "00:0C:29:11:22:33"
ethernet1.present = "FALSE"
not a line
"""
DOMAIN = """<domain type='kvm'><name>web</name><memory unit='MiB'>2048</memory><vcpu>2</vcpu>
 <os firmware='efi'><type>hvm</type><loader secure='yes' type='pflash'>/x</loader></os>
 <devices>
  <disk type='file' device='cdrom'><source file='/x.iso'/><target dev='sdz' bus='sata'/></disk>
  <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='FOLDER/root.qcow2'/>
   <target dev='vda' bus='virtio'/></disk>
  <disk type='block' device='disk'><driver type='raw'/><source dev='/gone/data.raw'/><target dev='sda' bus='scsi'/></disk>
  <disk type='network' device='disk'><source protocol='rbd' name='pool/x'/><target dev='vdb' bus='virtio'/></disk>
  <controller type='scsi' index='0' model='virtio-scsi'/>
  <interface type='network'><mac address='52:54:00:AA:00:01'/><source network='default'/><model type='virtio'/></interface>
  <tpm model='tpm-crb'/><hostdev type='pci'/>
 </devices></domain>"""


def files(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_bytes(name.encode().ljust(600))


def names(source: GuestSource) -> list[str]:
    return [Path(disk.path).name for disk in source.disks]


def test_ovf(tmp_path: Path) -> None:
    files(tmp_path, "one.vmdk", "two.vmdk")
    (tmp_path / "web.ovf").write_text(OVF)
    source = locate(GuestRef("web.ovf", "ovf", (str(tmp_path / "web.ovf"),)))
    assert names(source) == ["one.vmdk", "two.vmdk"]
    assert source.definition == Definition(
        source="ovf",
        where=str(tmp_path / "web.ovf"),
        name="web01",
        firmware="uefi",
        disks=(DiskDevice("one.vmdk", "scsi", "VirtualSCSI", capacity=1), DiskDevice("two.vmdk", "ide")),
        nics=(NicDevice("00:50:56:aa:bb:cc", "VmxNet3", "VM Network"),),
        secure_boot=True,
        memory_mib=2048,
        cpus=4,
        os_hint="rhel8_64Guest",
        product="vmware",
        controllers=(ControllerDevice("scsi", "VirtualSCSI"), ControllerDevice("ide")),
    )


@pytest.mark.parametrize("href", ["../secret.vmdk", "/etc/passwd", "http://example.org/x.vmdk", "link.vmdk", ""])
def test_hrefs_stay_in_the_folder(tmp_path: Path, href: str) -> None:
    files(tmp_path, "secret.vmdk")
    (tmp_path / "guest").mkdir()
    files(tmp_path / "guest", "two.vmdk")
    (tmp_path / "guest/link.vmdk").symlink_to(tmp_path / "secret.vmdk")
    (tmp_path / "guest/web.ovf").write_text(OVF.replace("one.vmdk", href))
    source = locate(GuestRef("web", "ovf", (str(tmp_path / "guest/web.ovf"),)))
    assert names(source) == ["two.vmdk"]
    assert len(source.remarks) == 1


def test_vmx(tmp_path: Path) -> None:
    files(tmp_path, "ten.vmdk", "two.vmdk", "first.vmdk", "off.vmdk")
    (tmp_path / "db.vmx").write_text(VMX)
    source = locate(GuestRef("db", "vmx", (str(tmp_path / "db.vmx"),)))
    assert names(source) == ["two.vmdk", "ten.vmdk", "first.vmdk"]
    assert source.definition == Definition(
        source="vmx",
        where=str(tmp_path / "db.vmx"),
        name='db "one"',
        firmware="uefi",
        disks=(
            DiskDevice("two.vmdk", "scsi", "pvscsi", target="scsi0:2"),
            DiskDevice("ten.vmdk", "scsi", "pvscsi", target="scsi0:10"),
            DiskDevice("first.vmdk", "sata", target="sata0:0"),
        ),
        nics=(NicDevice("00:0c:29:11:22:33", "e1000"),),
        secure_boot=True,
        tpm=True,
        memory_mib=4096,
        cpus=2,
        os_hint="debian10-64",
        media=(Medium("cdrom", "install.iso", "ide"),),
        product="vmware",
        controllers=(ControllerDevice("scsi", "pvscsi", "scsi0"), ControllerDevice("sata", "", "sata0")),
    )


def test_libvirt(tmp_path: Path) -> None:
    files(tmp_path, "root.qcow2", "data.raw")
    xml = tmp_path / "web.xml"
    xml.write_text(DOMAIN.replace("FOLDER", str(tmp_path)))
    source = locate(GuestRef("web.xml", "libvirt", (str(xml),)))
    assert [(Path(disk.path).name, disk.format) for disk in source.disks] == [("root.qcow2", "qcow2"), ("data.raw", "raw")]
    assert source.remarks == ("disk vdb is not a local file: not read",)
    found = source.definition
    assert found is not None
    assert (found.name, found.firmware, found.secure_boot, found.tpm, found.memory_mib, found.cpus) == ("web", "uefi", True, True, 2048, 2)
    assert [(disk.bus, disk.model, disk.target) for disk in found.disks] == [
        ("virtio", "", "vda"), ("virtio", "", "vdb"), ("scsi", "virtio-scsi", "sda"),
    ]  # fmt: skip
    assert found.nics == (NicDevice("52:54:00:aa:00:01", "virtio", "default", "network"),)
    assert found.notes == ("disk vdb: not a local file (network rbd)",)
    assert (found.passthrough, found.media) == ((Feature("pci"),), (Medium("cdrom", "/x.iso", "sata"),))


def test_libvirt_text_without_a_file() -> None:
    source = locate(GuestRef("domain:web", "libvirt", (), "<domain><name>web</name></domain>"))
    assert source.disks == ()
    assert [problem.reason for problem in open_ref(GuestRef("domain:web", "libvirt", (), "<domain/>")).problems] == ["no disks"]


def ova(path: Path, members: dict[str, bytes], mode: str = "w") -> GuestRef:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return GuestRef(path.name, "ova", (str(path),))


def test_ova_is_read_in_place(tmp_path: Path) -> None:
    sums = f"SHA256(web.ovf)= {hashlib.sha256(OVF.encode()).hexdigest()}\n"
    members = {"web.ovf": OVF.encode(), "web.mf": sums.encode(), "two.vmdk": b"2" * 700, "one.vmdk": b"1" * 900}
    source = locate(ova(tmp_path / "web.ova", members))
    assert [(disk.name, disk.length) for disk in source.disks] == [("one.vmdk", 900), ("two.vmdk", 700)]
    assert source.remarks == ()
    with (tmp_path / "web.ova").open("rb") as file:
        for disk in source.disks:
            file.seek(disk.offset)
            assert file.read(disk.length) == members[disk.name]


def test_ova_remarks(tmp_path: Path) -> None:
    members = {"web.ovf": OVF.encode(), "web.mf": b"SHA256(web.ovf)= 00ff\n", "one.vmdk": b"1" * 900}
    source = locate(ova(tmp_path / "web.ova", members))
    assert source.remarks == ("disk 'two.vmdk' is not in it",)
    assert source.definition is not None
    assert source.definition.features == (Feature("manifest-mismatch", "web.ovf"),)
    assert str(source.definition.features[0].where) == "web.ova:web.mf:1:1"
    bare = locate(ova(tmp_path / "bare.ova", {"b.vmdk": b"2" * 700, "notes": b""}))
    assert ([disk.name for disk in bare.disks], bare.remarks) == (["b.vmdk"], ("no OVF descriptor in it",))


@pytest.mark.parametrize("mode", ["w:gz", "w:xz"])
def test_packed_ova_is_named(tmp_path: Path, mode: str) -> None:
    with pytest.raises(ImageError, match="not a tar archive") as caught:
        locate(ova(tmp_path / "web.ova", {"web.ovf": OVF.encode()}, mode))
    assert "unpack it first" in caught.value.hint


BOMB = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><domain><name>&b;</name></domain>'


@pytest.mark.parametrize("text", ["", "<domain>", "<other/>", BOMB, "\0", "<domain" + "x" * 100])
@pytest.mark.parametrize("kind", ["libvirt", "ovf"])
def test_damaged_definitions(tmp_path: Path, kind: str, text: str) -> None:
    (tmp_path / "file").write_text(text)
    ref = GuestRef("file", kind, (str(tmp_path / "file"),))
    with pytest.raises(ImageError):
        locate(ref)
    assert len(open_ref(ref).problems) == 1


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\0", b'scsi0:0.fileName = ""\n', b"=\n" * 1000])
def test_damaged_vmx_has_no_disks(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "vm.vmx").write_bytes(data)
    assert locate(GuestRef("vm", "vmx", (str(tmp_path / "vm.vmx"),))).disks == ()


@pytest.mark.parametrize(("bus", "stated"), [("virtio", "4096"), ("scsi", "4096"), ("sata", "")])
def test_sectors_that_a_domain_gives_its_disk(tmp_path: Path, bus: str, stated: str) -> None:
    """``<blockio>`` is what the guest's system saw: its table is read in those sectors, and a target may have others."""
    (tmp_path / "disk.raw").write_bytes(bytes(1 << 20))
    (tmp_path / "vm.xml").write_text(
        "<domain><name>x</name><devices><disk type='file' device='disk'><driver type='raw'/><source file='disk.raw'/>"
        f"<target dev='vda' bus='{bus}'/><blockio logical_block_size='4096' physical_block_size='4096'/></disk></devices></domain>"
    )
    guest = open_ref(GuestRef("x", "libvirt", (str(tmp_path / "vm.xml"),)))
    assert guest.blocks.disks[0].detail("stated_sector") == stated
