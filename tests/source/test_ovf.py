"""OVF envelopes as the specification (DSP0243) means them: configurations, bounds, blank, packed and cut up disks, both schemas."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from v2vlint.guest.open import open_ref
from v2vlint.model.definition import Definition, Feature, Topology
from v2vlint.model.errors import ImageError
from v2vlint.model.source import GuestRef
from v2vlint.source.kinds.ovf import ovf
from v2vlint.source.locate import locate

ENVELOPE = """<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
 xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData" xmlns:vmw="http://www.vmware.com/schema/ovf"
 xmlns:vcloud="http://www.vmware.com/vcloud/v1.5">{sections}<VirtualSystem ovf:id="app">{more}<VirtualHardwareSection>{items}
 </VirtualHardwareSection></VirtualSystem></Envelope>"""
OPTIONS = """<DeploymentOptionSection><Configuration ovf:id="small"/><Configuration ovf:id="big" {default}/></DeploymentOptionSection>"""


def envelope(items: str, sections: str = "", more: str = "") -> bytes:
    return ENVELOPE.format(items=items, sections=sections, more=more).encode()


def item(kind: int, attributes: str = "", **words: object) -> str:
    body = "".join(f"<rasd:{name}>{value}</rasd:{name}>" for name, value in words.items())
    return f"<Item {attributes}><rasd:ResourceType>{kind}</rasd:ResourceType>{body}</Item>"


def size(found: Definition) -> tuple[int, int]:
    return found.cpus, found.memory_mib


SIZED = (
    item(3, InstanceID=1, VirtualQuantity=2)
    + item(3, 'ovf:configuration="big"', InstanceID=1, VirtualQuantity=8)
    + item(4, 'ovf:configuration="small other"', InstanceID=2, VirtualQuantity=1024)
    + item(4, 'ovf:configuration="big"', InstanceID=3, VirtualQuantity=9216)
)


def test_the_default_configuration_counts_and_another_can_be_chosen() -> None:
    first = ovf("a.ovf", envelope(SIZED, OPTIONS.format(default="")))
    assert (size(first), first.configuration, first.configurations) == ((2, 1024), "small", ("small", "big"))
    assert first.features == (Feature("configuration", "small of: small, big"),)
    assert size(ovf("a.ovf", envelope(SIZED, OPTIONS.format(default='ovf:default="true"')))) == (8, 9216)
    assert size(ovf("a.ovf", envelope(SIZED, OPTIONS.format(default='ovf:default="true"')), "small")) == (2, 1024)
    with pytest.raises(ImageError, match="no configuration 'huge'") as refused:
        ovf("a.ovf", envelope(SIZED, OPTIONS.format(default="")), "huge")
    assert refused.value.hint == "known: small, big"


@pytest.mark.parametrize(("bounds", "expected"), [(("min", "", "max"), 2), (("min", "max"), 1), (("max",), 3), (("normal", "min"), 2)])
def test_bounds_are_no_further_memory(bounds: tuple[str, ...], expected: int) -> None:
    amounts = {"min": 1, "": 2, "normal": 2, "max": 3}
    stated = [item(4, f'ovf:bound="{bound}"' if bound else "", InstanceID=7, VirtualQuantity=amounts[bound]) for bound in bounds]
    assert ovf("a.ovf", envelope("".join(stated))).memory_mib == expected


@pytest.mark.parametrize("spelling", ["InstanceID", "InstanceId"])
@pytest.mark.parametrize("element", ["Item", "StorageItem"])
def test_the_controller_of_a_disk(spelling: str, element: str) -> None:
    controller = item(6, ResourceSubType="lsilogic").replace("</Item>", f"<rasd:{spelling}> 4 </rasd:{spelling}></Item>")
    disk = item(17, HostResource="ovf:/file/f1", Parent=4).replace("Item>", f"{element}>").replace("<Item", f"<{element}")
    (found,) = ovf("a.ovf", envelope(controller + disk, '<References><File ovf:id="f1" ovf:href="a.vmdk"/></References>')).disks
    assert (found.path, found.bus, found.model) == ("a.vmdk", "scsi", "lsilogic")


@pytest.mark.parametrize(
    ("model", "bus"),
    [("AHCI", "sata"), ("vmware.nvme.controller", "nvme"), ("VirtioSCSI", "scsi"), ("LsiLogicSas", "scsi"), ("", "sata")],
)
def test_other_storage_devices(model: str, bus: str) -> None:
    (controller,) = ovf("a.ovf", envelope(item(20, InstanceID=1, ResourceSubType=model))).controllers
    assert controller.bus == bus


DISKS = """<References><File ovf:id="f1" ovf:href="os.img"/></References>
<DiskSection><Disk ovf:diskId="d1" ovf:fileRef="f1" ovf:capacity="4096"/>
<Disk ovf:diskId="d2" ovf:capacity="${gib}" ovf:capacityAllocationUnits="byte * 2^30"/></DiskSection>"""
PROPERTY = '<ProductSection><Property ovf:key="gib" ovf:value="3"/></ProductSection>'


def test_a_disk_without_a_file_is_an_empty_one(tmp_path: Path) -> None:
    wanted = (item(17, HostResource="ovf:/disk/d2", ElementName="data"), item(17, HostResource="ovf:/disk/d1"),
              '<Item><rasd:ResourceType>17</rasd:ResourceType><rasd:HostResource vcloud:capacity="16"/></Item>')  # fmt: skip
    (tmp_path / "os.img").write_bytes(bytes(4096))
    (tmp_path / "app.ovf").write_bytes(envelope("".join(wanted), DISKS, PROPERTY))
    ref = GuestRef("app", "ovf", (str(tmp_path / "app.ovf"),))
    source = locate(ref)
    assert source.definition is not None
    assert [(disk.blank, disk.capacity) for disk in source.definition.disks] == [(True, 3 << 30), (False, 4096), (True, 16 << 20)]
    assert (source.remarks, any(disk.missing for disk in source.definition.disks)) == ((), False)
    guest = open_ref(ref)
    assert [(disk.detail("format"), disk.size) for disk in guest.blocks.disks] == [("blank", 3 << 30), ("raw", 4096), ("blank", 16 << 20)]
    assert guest.blocks.complete


@pytest.mark.parametrize("pieces", [0, 3])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("archive", [False, True])
def test_packed_and_cut_up_files(tmp_path: Path, packed: bool, pieces: int, archive: bool) -> None:
    content = bytes(range(256)) * 64
    data = gzip.compress(content) if packed else content
    chunk = -(-len(data) // pieces) if pieces else 0
    names = [f"os.img.{number:09d}" for number in range(pieces)] or ["os.img"]
    files = {name: data[at * chunk : (at + 1) * chunk] if pieces else data for at, name in enumerate(names)}
    marks = ('ovf:compression="gzip" ' if packed else "") + (f'ovf:chunkSize="{chunk}" ' if pieces else "")
    text = envelope(item(17, HostResource="/disk/d1"), DISKS.replace('href="os.img"', f'href="os.img" {marks}'))
    if archive:
        with tarfile.open(tmp_path / "app.ova", "w") as tar:
            for name, body in {"app.ovf": text, **files}.items():
                header = tarfile.TarInfo(name)
                header.size = len(body)
                tar.addfile(header, io.BytesIO(body))
    else:
        for name, body in {"app.ovf": text, **files}.items():
            (tmp_path / name).write_bytes(body)
    kind = "ova" if archive else "ovf"
    (disk,) = open_ref(GuestRef("app", kind, (str(tmp_path / f"app.{kind}"),))).blocks.disks
    assert (disk.detail("format"), disk.size) == ("raw.gz" if packed else "raw", len(content))


def test_only_what_is_passed_through_is() -> None:
    kinds = {"vmware.cdrom.remotepassthrough": 15, "vmware.cdrom.passthrough": 15, "vmware.pci.passthrough": 1,
             "vmware.pci.passthrough-vmiop": 1, "vmware.pci.passthrough-dvx": 1, "SriovEthernetCard": 10}  # fmt: skip
    found = ovf("a.ovf", envelope("".join(item(kind, ResourceSubType=model, ElementName=model) for model, kind in kinds.items())))
    assert [(one.kind, one.value) for one in found.passthrough] == [
        ("pci", "vmware.pci.passthrough"),
        ("vgpu", "vmware.pci.passthrough-vmiop"),
        ("pci", "vmware.pci.passthrough-dvx"),
        ("network card", "SriovEthernetCard"),
    ]


def test_settings_beyond_the_specification() -> None:
    extra = {"disk.EnableUUID": "TRUE", "firmware": "efi", "uefi.secureBoot.enabled": "TRUE", "pciPassthru0.present": "TRUE",
             "uuid.bios": "56 4d 9b ef ac d9 b4 e0-c8 f0 ae a8 b9 10 35 15"}  # fmt: skip
    lines = "".join(f'<vmw:ExtraConfig ovf:required="false" vmw:key="{key}" vmw:value="{value}"/>' for key, value in extra.items())
    cpu = "<Item><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>8</rasd:VirtualQuantity>"
    found = ovf("a.ovf", envelope(f"{cpu}<vmw:CoresPerSocket>4</vmw:CoresPerSocket></Item>{lines}"))
    assert (found.firmware, found.secure_boot, found.uuid) == ("uefi", True, "564d9bef-acd9-b4e0-c8f0-aea8b9103515")
    assert found.features == (Feature("disk-serials", "TRUE"),)
    assert found.passthrough == (Feature("pci", "pcipassthru0"),)
    assert found.topology == Topology(2, 4)
