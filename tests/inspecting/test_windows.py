"""Windows roots: what hives written here say, through the registry reader that real ones go through."""

from __future__ import annotations

import random
import uuid

import pytest

from v2vlint.facts.registry import FactStore
from v2vlint.inspecting.windows import windows_osinfo, windows_system
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.machine import DriveLetter, OperatingSystem
from v2vlint.model.osinfo import OsInfo
from v2vlint.samples.boot import sample_chain
from v2vlint.samples.memory import memory_guest
from v2vlint.samples.regf import make_hive

GUID = "0b1c2d3e-0000-4111-8222-333344445555"
DYNAMIC = "0b1c2d3e-0000-4111-8222-333344446666"
BLOCKS = BlockTable(chains=(sample_chain("windows"),), devices=(
    BlockDevice("disk1", "disk", 1 << 30, 0, details=(("pt", "dos"), ("pt_uuid", "a1b2c3d4"))),
    BlockDevice("disk1p1", "partition", 1 << 28, 0, 1, fs_type="ntfs", details=(("start", "1048576"),)),
    BlockDevice("disk2", "disk", 1 << 30, 1, details=(("pt", "gpt"),)),
    BlockDevice("disk2p2", "partition", 1 << 28, 1, 2, fs_type="ntfs", part_uuid=GUID),
    BlockDevice("ldm_vol_PC-Dg0_Volume1", "ldm", 1 << 28, 1, fs_type="ntfs", details=(("ldm_guid", DYNAMIC),)),
))  # fmt: skip
SOFTWARE = r"""
[Microsoft\Windows NT\CurrentVersion]
"ProductName"="Windows 10 Pro"
"CurrentVersion"="6.3"
"CurrentBuildNumber"="22631"
"DisplayVersion"="23H2"
"CurrentMajorVersionNumber"=dword:a
"CurrentMinorVersionNumber"=dword:0
"InstallationType"="Client"
"EditionID"="Professional"
[Microsoft\Windows Defender]
"DisableAntiVirus"=dword:1
[Microsoft\Windows\CurrentVersion\Uninstall\7-Zip]
"DisplayName"="7-Zip 23.01 (x64)"
"DisplayVersion"="23.01"
"Publisher"="Igor Pavlov"
"InstallLocation"="C:\\Program Files\\7-Zip\\"
[Microsoft\Windows\CurrentVersion\Uninstall\{Hidden}]
"DisplayVersion"="1"
[Microsoft\Windows\CurrentVersion\Uninstall\AV]
"DisplayName"="Kaspersky Endpoint"
"URLInfoAbout"="https://example.org/"
"Comments"="x"
[WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall\Old]
"DisplayName"="Old program"
"""
INTERFACES = r"ControlSet002\Services\Tcpip\Parameters\Interfaces"
SYSTEM = rf"""
[Select]
"Current"=dword:2
[MountedDevices]
"\\DosDevices\\C:"=hex:{(bytes.fromhex("d4c3b2a1") + (1048576).to_bytes(8, "little")).hex(",")}
"\\DosDevices\\E:"=hex:{(b"DMIO:ID:" + uuid.UUID(GUID).bytes_le).hex(",")}
"\\DosDevices\\F:"=hex:{(b"DMIO:ID:" + uuid.UUID(DYNAMIC).bytes_le).hex(",")}
"\\DosDevices\\Z:"="text"
"\\??\\Volume{{1}}"=hex:00,00,00,00,00,00,00,00,00,00,00,00
[ControlSet001\Services\Tcpip\Parameters]
"Hostname"="stale"
[ControlSet002\Services\Tcpip\Parameters]
"HostName"="win11"
[{INTERFACES}\{{AAA}}]
"EnableDHCP"=dword:0
"IPAddress"=multi:"192.0.2.9","0.0.0.0"
"SubnetMask"=multi:"255.255.255.0","0.0.0.0"
"DefaultGateway"=multi:"192.0.2.1"
"NameServer"="192.0.2.2,192.0.2.3 192.0.2.4"
[{INTERFACES}\{{BBB}}]
"EnableDHCP"=dword:1
"IPAddress"=multi:"192.0.2.99"
[{INTERFACES}\{{CCC}}]
[ControlSet002\Control\Network\{{4D36E972-E325-11CE-BFC1-08002BE10318}}\{{AAA}}\Connection]
"Name"="Ethernet 2"
"""
OS = OsInfo("windows", "windows", "windows", "Windows", arch="x86_64")


def inspected(software: bytes | None, system: bytes | None) -> OperatingSystem:
    config = "/Windows/System32/config"
    files = {f"{config}/SOFTWARE": software, f"{config}/SYSTEM": system}
    fs = memory_guest({path: data for path, data in files.items() if data is not None} | {"/Windows/x": "", "/bootmgr": ""})
    return windows_system(FactStore((fs, BLOCKS, OS)), "disk1p1")


def test_everything_the_registry_says() -> None:
    found = inspected(make_hive(SOFTWARE), make_hive(SYSTEM))
    release, windows = found.release, found.windows
    assert (release.product_name, release.version, release.codename, release.osinfo) == ("Windows 11 Pro", "10.0.22631", "23H2", "win11")
    assert windows is not None
    assert (windows.control_set, windows.edition, windows.build, found.hostname) == ("ControlSet002", "Professional", "22631", "win11")
    wanted = (("C", "disk1p1"), ("E", "disk2p2"), ("F", "ldm_vol_PC-Dg0_Volume1"))
    assert found.drives == tuple(DriveLetter(*one) for one in wanted)
    programs = [(one.name, one.display_name, one.version, one.kind) for one in found.applications]
    assert programs == [
        ("7-Zip", "7-Zip 23.01 (x64)", "23.01", ""),
        ("AV", "Kaspersky Endpoint", "", "antivirus"),
        ("Old", "Old program", "", ""),
    ]
    assert (found.loader, found.firmware, found.unread) == ("Windows Boot Manager", "bios", ())


def test_addresses_by_connection() -> None:
    first, second = inspected(make_hive(SOFTWARE), make_hive(SYSTEM)).interfaces
    assert (first.name, first.method, first.addresses, first.gateways) == ("Ethernet 2", "static", ("192.0.2.9/24",), ("192.0.2.1",))
    assert first.dns == ("192.0.2.2", "192.0.2.3", "192.0.2.4")
    assert (second.name, second.method, second.addresses) == ("{BBB}", "dhcp", ())


def test_the_view_of_libguestfs_keeps_the_product_as_it_is_written() -> None:
    view = inspected(make_hive(SOFTWARE), make_hive(SYSTEM)).libguestfs
    assert view is not None
    assert (view.product_name, view.product_variant, view.osinfo) == ("Windows 10 Pro", "Client", "win11")
    assert view.drives == (("C", "/dev/sda1"), ("E", "/dev/sdb2"))
    assert (view.root, view.mountpoints) == ("/dev/sda1", (("/dev/sda1", "/"),))


def test_defender_counts_unless_it_is_disabled() -> None:
    found = inspected(make_hive("[Microsoft\\Windows Defender]\n"), None)
    assert [(one.name, one.kind) for one in found.applications] == [("WinDefend", "antivirus")]


@pytest.mark.parametrize(
    ("version", "product", "variant", "build", "wanted"),
    [
        ((5, 1), "Microsoft Windows XP", "", "2600", "winxp"),
        ((5, 2), "Microsoft Windows XP", "", "3790", "winxp"),
        ((5, 2), "Microsoft Windows Server 2003 R2", "", "3790", "win2k3r2"),
        ((5, 0), "Microsoft Windows 2000", "", "2195", "win2k"),
        ((6, 1), "Windows 7", "Client", "7601", "win7"),
        ((6, 1), "Windows Server 2008 R2", "Server", "7601", "win2k8r2"),
        ((6, 3), "Windows Server 2012 R2", "Server Core", "9600", "win2k12r2"),
        ((10, 0), "Windows Server 2016", "Server", "14393", "win2k16"),
        ((10, 0), "Windows Server 2019", "Server", "17763", "win2k19"),
        ((10, 0), "Windows Server 2022", "Server", "20348", "win2k22"),
        ((10, 0), "Windows Server 2025", "Server", "26100", "win2k25"),
        ((10, 0), "Windows 10 Pro", "Client", "19045", "win10"),
        ((4, 0), "Windows NT", "", "1381", ""),
    ],
)
def test_osinfo(version: tuple[int, int], product: str, variant: str, build: str, wanted: str) -> None:
    assert windows_osinfo(version, product, variant, build) == wanted


def test_no_hives() -> None:
    found = inspected(None, b"regf but no hive")
    assert found.release.product_name == "Windows"
    assert [problem.where.rsplit("/", 1)[1] for problem in found.unread] == ["SOFTWARE", "SYSTEM"]


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_hive_is_an_outcome(seed: int) -> None:
    chance, data = random.Random(seed), bytearray(make_hive(SYSTEM))
    for _hit in range(chance.randint(1, 40)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    assert inspected(make_hive(SOFTWARE), bytes(data)).release.major == 10
