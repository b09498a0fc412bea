"""Definitions of further hypervisors: each becomes a machine with its disks. Files of the projects themselves are in tests/corpora."""

from __future__ import annotations

import base64
import contextlib
import os
import plistlib
import re
import subprocess
from pathlib import Path

import pytest

from tests.source.reading import GENID, UUID, disks, source
from v2vlint.disk.containers.formats import open_image
from v2vlint.model.definition import Feature, Medium, NicDevice, Topology
from v2vlint.model.errors import ImageError, Unsupported
from v2vlint.source.expand import expand
from v2vlint.source.kind import IMAGES, kinds
from v2vlint.source.kinds.proxmox import proxmox
from v2vlint.source.locate import locate

VBOX = f"""<VirtualBox xmlns="http://www.virtualbox.org/" version="1.19-linux">
<Machine uuid="{{{UUID}}}" name="box" OSType="Debian_64" stateFile="Snapshots/x.sav"><MediaRegistry><HardDisks>
<HardDisk uuid="{{a}}" location="os.vdi" format="VDI" type="Normal">
<HardDisk uuid="{{b}}" location="Snapshots/{{b}}.vdi" format="VDI"/></HardDisk>
<HardDisk uuid="{{c}}" location="C:\\vm\\data.vhd" format="VHD" type="Shareable"/></HardDisks>
<DVDImages><Image uuid="{{d}}" location="/iso/a.iso"/></DVDImages></MediaRegistry>
<Snapshot uuid="{{s}}" name="first"><Hardware><StorageControllers><StorageController type="AHCI" name="old">
<AttachedDevice type="HardDisk" port="7" device="0"><Image uuid="{{a}}"/></AttachedDevice></StorageController>
</StorageControllers></Hardware></Snapshot>
<Hardware><CPU count="2"/><Memory RAMSize="2048"/><Firmware type="EFI"/><TrustedPlatformModule type="v2_0"/><Chipset type="ICH9"/>
<Network><Adapter slot="0" enabled="true" MACAddress="0800272A589D" type="82540EM"><DisabledModes><NAT/></DisabledModes>
<BridgedInterface name="eth0"/></Adapter><Adapter slot="1" enabled="false" MACAddress="0800272A589E" type="virtio"/></Network>
<AudioAdapter enabled="false"/><SharedFolders><SharedFolder name="x" hostPath="/srv"/></SharedFolders>
<StorageControllers><StorageController name="SATA" type="AHCI">
<AttachedDevice type="HardDisk" port="0" device="0"><Image uuid="{{b}}"/></AttachedDevice>
<AttachedDevice type="DVD" port="1" device="0"><Image uuid="{{d}}"/></AttachedDevice></StorageController>
<StorageController name="NVMe" type="NVMe"><AttachedDevice type="HardDisk" port="0" device="0"><Image uuid="{{c}}"/></AttachedDevice>
</StorageController></StorageControllers></Hardware></Machine></VirtualBox>"""


def test_virtualbox(tmp_path: Path) -> None:
    (tmp_path / "Snapshots").mkdir()
    for name in ("os.vdi", "data.vhd", "Snapshots/{b}.vdi"):
        (tmp_path / name).write_bytes(bytes(600))
    (tmp_path / "box.vbox").write_text(VBOX)
    found, stated = source(tmp_path)
    assert disks(found, tmp_path) == ["Snapshots/{b}.vdi", "data.vhd"]
    assert [(one.bus, one.model, one.shared) for one in stated.disks] == [("sata", "AHCI", False), ("nvme", "NVMe", True)]
    assert (stated.name, stated.firmware, stated.tpm, stated.memory_mib, stated.cpus, stated.uuid) == ("box", "uefi", True, 2048, 2, UUID)
    assert stated.nics == (NicDevice("08:00:27:2a:58:9d", "82540EM", "eth0", "BridgedInterface"),)
    assert stated.media == (Medium("cdrom", "/iso/a.iso", "sata"),)
    assert stated.snapshots == (Feature("snapshot", "first"),)
    assert set(stated.features) == {Feature("suspended", "Snapshots/x.sav"), Feature("shared-folder", "/srv")}


CONF = f"""#a note
boot: order=scsi1;net0
bios: ovmf
cores: 2
sockets: 2
efidisk0: local:100/vm-100-disk-9.raw,efitype=4m,pre-enrolled-keys=1,size=528K
hostpci0: 0000:01:00.0,mdev=nvidia-63
ide2: none,media=cdrom
memory: 4096
name: web
net0: virtio=BC:24:11:2C:69:EC,bridge=vmbr0,firewall=1
net10: model=e1000,macaddr=BC:24:11:2C:69:ED
scsi0: thin:vm-100-disk-1,size=32G
scsi1: nas:100/vm-100-disk-0.qcow2,size=4G
scsi2: ceph:vm-100-disk-2,size=1T
scsihw: virtio-scsi-single
smbios1: uuid={UUID}
tpmstate0: local:100/vm-100-disk-8.raw
vmgenid: {GENID}

[before]
memory: 1024
[PENDING]
memory: 2048
[special:cloudinit]
name: x
"""
STORAGE = "nfs: nas\n\tserver x\n\tcontent images\nlvmthin: thin\n\tvgname pve\n\tthinpool data\nrbd: ceph\n\tpool vm\n"


def test_proxmox(tmp_path: Path) -> None:
    (tmp_path / "vm-100-disk-0.qcow2").write_bytes(bytes(600))
    (tmp_path / "vm-100-disk-1").write_bytes(bytes(600))
    (tmp_path / "storage.cfg").write_text(STORAGE)
    (tmp_path / "100.conf").write_text(CONF)
    found, stated = source(tmp_path / "100.conf")
    assert disks(found, tmp_path) == ["vm-100-disk-0.qcow2", "vm-100-disk-1"]
    assert found.remarks == ("disk ceph:vm-100-disk-2 is on a storage of type rbd: not read",)
    assert [(one.target, one.bus, one.model, one.capacity) for one in stated.disks] == [
        ("scsi1", "scsi", "virtio-scsi", 4 << 30), ("scsi0", "scsi", "virtio-scsi", 32 << 30), ("scsi2", "scsi", "virtio-scsi", 1 << 40),
    ]  # fmt: skip
    assert (stated.cpus, stated.topology, stated.memory_mib, stated.uuid, stated.genid) == (4, Topology(2, 2, 1), 4096, UUID, GENID)
    assert (stated.firmware, stated.secure_boot, stated.tpm) == ("uefi", True, True)
    assert stated.nics == (
        NicDevice("bc:24:11:2c:69:ec", "virtio", "vmbr0", "bridge"), NicDevice("bc:24:11:2c:69:ed", "e1000"),
    )  # fmt: skip
    assert (stated.media, stated.passthrough) == ((Medium("cdrom", "", "ide"),), (Feature("vgpu", "0000:01:00.0"),))
    assert [one.value for one in stated.snapshots] == ["before"]
    assert str(stated.at("memory_mib")) == "100.conf:9:1"


def test_a_volume_on_the_host_is_opened_where_the_operator_allows_it(tmp_path: Path) -> None:
    images = tmp_path / "store/images/100"
    images.mkdir(parents=True)
    (images / "vm-100-disk-0.qcow2").write_bytes(bytes(600))
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/storage.cfg").write_text(f"dir: nas\n\tpath {tmp_path}/store\n")
    (tmp_path / "etc/100.conf").write_text("memory: 512\nvirtio0: nas:100/vm-100-disk-0.qcow2\n")
    refused, _stated = source(tmp_path / "etc/100.conf")
    assert (refused.disks, "--allow-folder" in refused.remarks[0]) == ((), True)
    assert disks(source(tmp_path / "etc/100.conf", (images,))[0], images) == ["vm-100-disk-0.qcow2"]


KUBEVIRT = f"""apiVersion: v1
kind: Secret
---
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {{name: web}}
spec:
  template:
    spec:
      domain:
        cpu: &cpu {{sockets: 2, cores: 4, threads: 1}}
        memory: {{guest: 4Gi}}
        firmware: {{uuid: {UUID}, bootloader: {{efi: {{}}}}}}
        devices:
          tpm: {{}}
          gpus: [{{name: g, deviceName: nvidia.com/A10}}]
          disks:
          - {{name: data, disk: {{bus: sata}}}}
          - {{name: root, disk: {{bus: virtio}}, bootOrder: 1}}
          - {{name: seed, disk: {{bus: virtio}}}}
          - {{name: scratch, disk: {{bus: virtio}}}}
          - {{name: tools, cdrom: {{bus: sata}}}}
          interfaces: [{{name: default, masquerade: {{}}, macAddress: "02:00:00:00:00:01"}}]
      networks: [{{name: default, pod: {{}}}}]
      volumes:
      - {{name: root, dataVolume: {{name: web-root}}}}
      - {{name: data, persistentVolumeClaim: {{claimName: web-data}}}}
      - {{name: seed, cloudInitNoCloud: {{userData: x}}}}
      - {{name: scratch, emptyDisk: {{capacity: 2Gi}}}}
      - {{name: tools, containerDisk: {{image: virtio-win}}}}
"""


def test_kubevirt(tmp_path: Path) -> None:
    (tmp_path / "web-root.img").write_bytes(bytes(600))
    (tmp_path / "vm.yaml").write_text(KUBEVIRT)
    found, stated = source(tmp_path / "vm.yaml")
    assert [(Path(one.path).name, one.format, one.length) for one in found.disks] == [
        ("web-root.img", "", -1),
        ("vm.yaml", "blank", 2 << 30),
    ]
    assert "claim web-data" in found.remarks[0]
    assert [(one.target, one.bus, one.missing) for one in stated.disks] == [
        ("root", "virtio", False), ("data", "sata", True), ("scratch", "virtio", False),
    ]  # fmt: skip
    assert (stated.cpus, stated.memory_mib, stated.uuid, stated.firmware, stated.secure_boot, stated.tpm) == (
        8,
        4096,
        UUID,
        "uefi",
        True,
        True,
    )
    assert stated.nics == (NicDevice("02:00:00:00:00:01", "virtio", "pod", "masquerade"),)
    assert (stated.media, stated.passthrough) == ((Medium("cdrom", "virtio-win", "sata"),), (Feature("vgpu", "nvidia.com/A10"),))


@pytest.mark.parametrize("text", ["a: [" * 100, "a: &a [*a]\n" * 3, "x: " + "[1]," * 90_000, "a: !!python/object:os.system x"])
def test_hostile_yaml_ends(tmp_path: Path, text: str) -> None:
    (tmp_path / "vm.yaml").write_text(f"apiVersion: kubevirt.io/v1\nkind: VirtualMachine\n{text}")
    with contextlib.suppress(ImageError):
        assert not source(tmp_path / "vm.yaml")[1].disks


def test_aliases_do_not_multiply(tmp_path: Path) -> None:
    laughs = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}' if n else '{name: x}'] * 9)}]\n" for n in range(9))
    text = (
        f"{laughs}kind: VirtualMachine\napiVersion: kubevirt.io/v1\nspec: {{template: {{spec: {{domain: {{devices: {{disks: *a8}}}}}}}}}}\n"
    )
    (tmp_path / "vm.yaml").write_text(text)
    assert len(source(tmp_path / "vm.yaml")[1].disks) <= 9


@pytest.mark.parametrize("old", [False, True])
def test_utm(tmp_path: Path, old: bool) -> None:
    new_form = {
        "Backend": "QEMU", "Information": {"Name": "mac", "UUID": UUID}, "QEMU": {"UEFIBoot": True, "TPMDevice": True},
        "System": {"Architecture": "aarch64", "CPUCount": 4, "MemorySize": 4096, "Target": "virt"},
        "Drive": [{"ImageName": "os.qcow2", "ImageType": "Disk", "Interface": "NVMe"}, {"ImageType": "CD", "Interface": "USB"}],
        "Network": [{"Hardware": "virtio-net-pci", "MacAddress": "AA:BB:CC:00:11:22", "Mode": "Shared"}],
    }  # fmt: skip
    old_form = {
        "System": {"Architecture": "aarch64", "CPUCount": 4, "Memory": 4096, "Target": "virt", "SystemUUID": UUID, "BootUefi": True},
        "Drives": [{"ImagePath": "os.qcow2", "ImageType": "disk", "InterfaceType": "nvme"}, {"ImageType": "cd", "InterfaceType": "usb"}],
        "Networking": {"NetworkCard": "virtio-net-pci", "NetworkCardMAC": "AA:BB:CC:00:11:22", "NetworkMode": "shared"},
    }  # fmt: skip
    bundle = tmp_path / "mac.utm"
    (bundle / ("Images" if old else "Data")).mkdir(parents=True)
    (bundle / ("Images" if old else "Data") / "os.qcow2").write_bytes(bytes(600))
    (bundle / "config.plist").write_bytes(plistlib.dumps(old_form if old else new_form))
    found, stated = source(bundle)
    assert disks(found, bundle) == ["Images/os.qcow2" if old else "Data/os.qcow2"]
    assert (stated.name, stated.arch, stated.cpus, stated.memory_mib, stated.uuid, stated.firmware) == (
        "mac",
        "aarch64",
        4,
        4096,
        UUID,
        "uefi",
    )
    assert (stated.disks[0].bus, stated.media) == ("nvme", (Medium("cdrom", "", "usb"),))
    assert stated.nics == (NicDevice("aa:bb:cc:00:11:22", "virtio-net-pci", "", "shared"),)


PVS = f"""<?xml version="1.0"?><ParallelsVirtualMachine schemaVersion="1.0"><Identification><VmUuid>{{{UUID}}}</VmUuid>
<VmName>par</VmName></Identification>
<Settings><Startup><Bios><EfiEnabled>1</EfiEnabled><EfiSecureBoot>1</EfiSecureBoot></Bios></Startup></Settings>
<Hardware><Cpu><Number>4</Number></Cpu><Memory><RAM>4096</RAM></Memory><TpmChip><Type>1</Type></TpmChip>
<Hdd id="0"><Enabled>1</Enabled><EmulatedType>1</EmulatedType><SystemName>disk.hdd</SystemName><InterfaceType>2</InterfaceType>
<StackIndex>0</StackIndex><Size>64</Size></Hdd><Hdd id="1"><Enabled>0</Enabled><SystemName>off.hdd</SystemName></Hdd>
<CdRom><Enabled>1</Enabled><Connected>1</Connected><EmulatedType>1</EmulatedType><SystemName>a.iso</SystemName>
<InterfaceType>2</InterfaceType></CdRom>
<NetworkAdapter><Enabled>1</Enabled><MAC>001C42AABBCC</MAC><AdapterType>3</AdapterType></NetworkAdapter></Hardware>
</ParallelsVirtualMachine>"""


@pytest.mark.parametrize("images", [1, 2])
def test_parallels(tmp_path: Path, images: int) -> None:
    bundle = tmp_path / "par.pvm"
    (bundle / "disk.hdd").mkdir(parents=True)
    (bundle / "config.pvs").write_text(PVS)
    listed = "".join(f"<Image><File>disk.{number}.hds</File></Image>" for number in range(images))
    (bundle / "disk.hdd/DiskDescriptor.xml").write_text(
        f"<Parallels_disk_image><StorageData><Storage>{listed}</Storage></StorageData></Parallels_disk_image>"
    )
    (bundle / "disk.hdd/disk.0.hds").write_bytes(bytes(600))
    found, stated = source(bundle)
    assert disks(found, bundle) == (["disk.hdd/disk.0.hds"] if images == 1 else [])
    assert bool(found.remarks) == (images == 2)
    assert (stated.name, stated.cpus, stated.memory_mib, stated.uuid, stated.firmware, stated.secure_boot, stated.tpm) == (
        "par", 4, 4096, UUID, "uefi", True, True,
    )  # fmt: skip
    assert [(one.path, one.bus, one.capacity) for one in stated.disks] == [("disk.hdd", "sata", 64 << 20)]
    assert (stated.nics, stated.media) == ((NicDevice("00:1c:42:aa:bb:cc", "virtio"),), (Medium("cdrom", "a.iso", "sata"),))


def test_parallels_images_are_read_as_qemu_reads_them(tmp_path: Path) -> None:
    raw, image = tmp_path / "a.raw", tmp_path / "a.hds"
    content = os.urandom(1 << 20) + bytes(3 << 20) + os.urandom(1 << 20) + bytes(3 << 20)
    raw.write_bytes(content)
    subprocess.run(("qemu-img", "convert", "-O", "parallels", raw, image), check=True)
    (ref,) = expand([str(image)])
    (disk,) = locate(ref).disks
    opened = open_image(disk)
    assert (opened.format, opened.stream.size) == ("parallels", len(content))
    assert opened.stream.read_at(0, len(content)) == content


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.vma.zst", "vma extract"),
        ("a.EXP", "its disks"),
        ("a.vmsd", r"\.vmx"),
        ("a.cfg", "domxml-from-native"),
        ("a.box", "unpack"),
        ("a.vmrs", "vmcx"),
    ],
)
def test_what_is_not_read_is_named_with_what_to_give_instead(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(Unsupported, match="is not read") as refused:
        source(tmp_path / name)
    assert re.search(words, refused.value.hint)


@pytest.mark.parametrize(
    ("name", "text"), [("a.xml", "<x/>"), ("a.conf", "\0"), ("a.yaml", "a: 1\n"), ("a.plist", "x"), ("a.pvs", "<x/>"), ("a.vmcx", "x")]
)
def test_what_is_none_of_the_kinds(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ImageError, match=r"not |no "):
        source(tmp_path / name)


def test_kinds_are_found_not_listed() -> None:
    assert {"ovf", "vmx", "libvirt", "proxmox", "vbox", "xva", "hyperv", "kubevirt", "utm", "pvs"} <= {kind.name for kind in kinds()}
    assert len({kind.name for kind in kinds()}) == len(kinds())
    assert all(kind.locate or kind.instead for kind in kinds())


def test_a_base64_uuid() -> None:
    text = base64.b64encode(UUID.encode()).decode()
    assert proxmox("a.conf", f"smbios1: base64=1,uuid={text}\n".encode()).uuid == UUID


def test_no_kind_claims_an_image() -> None:
    """Images are told by their suffix alone, so that a check of one imports no kind."""
    assert [kind.name for kind in kinds() for suffix in kind.suffixes if suffix.endswith(IMAGES)] == []
