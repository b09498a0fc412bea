"""Hyper-V's exports, in both forms; the binary one is held against dissect's reader."""

from __future__ import annotations

import contextlib
import io
import struct
from pathlib import Path

import pytest

from tests.source.reading import GENID, UUID, disks, source
from v2vlint.model.definition import Medium, NicDevice
from v2vlint.model.errors import ImageError
from v2vlint.model.plain import JsonObject
from v2vlint.source.hyperv_storage import read_storage
from v2vlint.source.kinds.hyperv import _from_xml

HYPERV = f"""<?xml version="1.0" encoding="UTF-16" standalone="yes"?><configuration>
<_83f8638b-8dca-4152-9eda-2ca8b33039b4_><controller0><drive0><pathname type="string">C:\\vm\\os_A1.avhdx</pathname>
<type type="string">VHD</type>
</drive0><drive1><pathname type="string"></pathname><type type="string">NONE</type></drive1></controller0>
<controller1><drive0><pathname type="string">D:\\a.iso</pathname><type type="string">ISO</type></drive0></controller1>
</_83f8638b-8dca-4152-9eda-2ca8b33039b4_>
<_11111111-2222-3333-4444-555555555555_><controller0><drive0><pathname type="string">C:\\vm\\data.vhdx</pathname>
<type type="string">VHD</type>
</drive0></controller0></_11111111-2222-3333-4444-555555555555_>
<_55225880-49c0-4438-9ce2-5a01402fd8cb_><MacAddress type="string">00-15-5D-01-07-DC</MacAddress>
<MacAddressIsStatic type="bool">True</MacAddressIsStatic>
<VpciInstanceGuid type="string">x</VpciInstanceGuid><Connection><AltSwitchName type="string">lan</AltSwitchName></Connection>
</_55225880-49c0-4438-9ce2-5a01402fd8cb_>
<_ac6b8dc1-3257-4a70-b1b2-a9c9215659ad_><bios_guid type="string">{{{UUID.upper()}}}</bios_guid>
<secure_boot_enabled type="bool">True</secure_boot_enabled></_ac6b8dc1-3257-4a70-b1b2-a9c9215659ad_>
<global_settings><devices><generation_id type="string">{GENID.replace("-", "")}</generation_id></devices></global_settings>
<manifest><vdev001><device type="string">736e6aa9-a3f8-49c0-9550-a963214d259a</device><instance type="string">9</instance>
</vdev001></manifest>
<properties><name type="string">win</name><subtype type="integer">1</subtype></properties>
<settings><memory><bank><size type="integer">2048</size><dynamic_memory_enabled type="bool">True</dynamic_memory_enabled></bank></memory>
<processors><count type="integer">2</count></processors></settings></configuration>"""


def branch(tree: str) -> JsonObject:
    """What the XML says as a tree, to be written in the binary form."""
    return _from_xml("x.xml", tree.encode("utf-16"))


def vmcx(tree: dict[str, object], table_size: int = 1 << 16) -> bytes:
    """A store with one table of keys. Written from the same description as the reader; dissect reads it, too."""
    entries: list[bytes] = []
    place = 10

    def add(name: str, thing: object, parent: int) -> None:
        nonlocal place
        kind, raw = (9, bytes(12)) if isinstance(thing, dict) else (8, struct.pack("<I", thing)) if isinstance(thing, bool) else (0, b"")
        if isinstance(thing, int) and not isinstance(thing, bool):
            kind, raw = 3, struct.pack("<q", thing)
        if isinstance(thing, str):
            text = f"{thing}\0".encode("utf-16-le")
            kind, raw = 6, struct.pack("<I", len(text)) + text
        key = f"{name}\0".encode()
        at, length = place, 21 + len(key) + len(raw)
        entries.append(struct.pack("<HIHIIIB", kind, length, 1 if parent else 0, parent, 0, 0, len(key)) + key + raw)
        place += length
        for inner, one in thing.items() if isinstance(thing, dict) else ():
            add(inner, one, at)

    for name, thing in tree.items():
        add(name, thing, 0)
    header = struct.pack("<IIHIQIQQI", 0x01282014, 0, 2, 0x400, 0, 0x1000, 0x3000, 0x1000, 46)
    log = struct.pack("<IIIBIIIIIB", 0x01110003, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    objects = (
        struct.pack("<II", 0x01110001, 2) + struct.pack("<BIQIB", 2, 0, 0x4000, table_size, 1) + struct.pack("<BIQIB", 6, 0, 0x3000, 34, 1)
    )
    table = struct.pack("<HHHI", 2, 1, 1, 0) + b"".join(entries)
    parts = (
        header.ljust(0x1000, b"\0"),
        bytes(0x1000),
        objects.ljust(0x1000, b"\0"),
        log.ljust(0x1000, b"\0"),
        table.ljust(table_size, b"\0"),
    )
    return b"".join(parts)


@pytest.mark.parametrize("binary", [False, True])
def test_hyperv(tmp_path: Path, binary: bool) -> None:
    (tmp_path / "Virtual Machines").mkdir()
    (tmp_path / "Virtual Hard Disks").mkdir()
    for name in ("os_A1.avhdx", "data.vhdx"):
        (tmp_path / "Virtual Hard Disks" / name).write_bytes(bytes(600))
    name = f"{UUID.upper()}.{'vmcx' if binary else 'xml'}"
    (tmp_path / "Virtual Machines" / name).write_bytes(vmcx(branch(HYPERV)) if binary else HYPERV.encode("utf-16"))
    found, stated = source(tmp_path)
    assert disks(found, tmp_path) == ["Virtual Hard Disks/os_A1.avhdx", "Virtual Hard Disks/data.vhdx"]
    assert [one.bus for one in stated.disks] == ["ide", "scsi"]
    assert (stated.name, stated.firmware, stated.secure_boot, stated.tpm) == ("win", "uefi", True, True)
    assert (stated.memory_mib, stated.cpus, stated.uuid, stated.genid) == (2048, 2, UUID, GENID)
    assert stated.nics == (NicDevice("00:15:5d:01:07:dc", "netvsc", "lan", "bridge", fixed=True),)
    assert stated.media == (Medium("cdrom", "D:\\a.iso", "ide"),)
    assert [one.kind for one in (*stated.snapshots, *stated.features)] == ["delta", "memory-hotplug"]


def test_the_binary_form_is_read_as_dissect_reads_it(tmp_path: Path) -> None:
    hyperv = pytest.importorskip("dissect.hypervisor.descriptor.hyperv")
    tree = branch(HYPERV)
    data = vmcx(tree)
    plain = read_storage("a.vmcx", data)
    assert plain == tree

    def without_ends(thing: object) -> object:
        return (
            {k: without_ends(v) for k, v in thing.items()}
            if isinstance(thing, dict)
            else thing.rstrip("\0")
            if isinstance(thing, str)
            else thing
        )

    assert without_ends(hyperv.HyperVFile(io.BytesIO(data)).as_dict()) == plain


@pytest.mark.parametrize("at", range(0, 0x4400, 37))
def test_damaged_stores_end(at: int) -> None:
    data = bytearray(vmcx(branch(HYPERV), 1 << 14))
    data[at] ^= 0xFF
    with contextlib.suppress(ImageError):
        read_storage("a.vmcx", bytes(data))
