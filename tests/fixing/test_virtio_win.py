"""The virtio boot driver for Windows: which files of the medium, which keys for which Windows, and what is there already."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from v2vlint.fixing.virtio_win import PCI_IDS, VirtioWinMedium, folder_name, virtio_win_fix
from v2vlint.guest.fs import GuestFS
from v2vlint.model.errors import FactUnavailable, UsageError
from v2vlint.model.fix import Applicability, RegistryDeleteKey, RegistrySet, WriteData
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.registry import dword, expand_sz, sz
from v2vlint.model.rule import Content, Hive
from v2vlint.samples.memory import MemoryFileSystem

CONFIG = "/Windows/System32/config"
SYSTEM, SOFTWARE = f"{CONFIG}/SYSTEM", f"{CONFIG}/SOFTWARE"
SELECT = '[Select]\n"Current"=dword:3\n'
DEVICE_PATH = '[Microsoft\\Windows\\CurrentVersion]\n"DevicePath"=expand:"%SystemRoot%\\\\inf"\n'
TREE = {
    "viostor/w10/amd64/viostor.sys": b"sys 10",
    "viostor/w10/amd64/viostor.inf": b"inf",
    "viostor/w10/amd64/viostor.pdb": b"symbols",
    "viostor/w10/x86/viostor.sys": b"32 bits",
    "viostor/2k19/amd64/viostor.sys": b"sys 2019",
    "NetKVM/w10/amd64/NETKVM.INF": b"net",
    "NetKVM/w10/amd64/sriov/netkvm.inf": b"not this one",
    "NetKVM/w10/amd64/vioprot.inf": b"nor this",
    "fwcfg/w10/amd64/fwcfg.inf": b"fwcfg",
    "qemufwcfg/w10/amd64/qemufwcfg.inf": b"stub",
    "drivers/by-os/amd64/w10/viostor.inf": b"inf",
    "readme.txt": b"",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory laid out as virtio-win.iso is, and as its package in drivers/by-os."""
    top = tmp_path_factory.mktemp("virtio-win")
    for name, content in TREE.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(content)
    return top


@pytest.fixture(scope="module")
def iso(folder: Path) -> Path:
    """The same as an image."""
    image = folder.with_suffix(".iso")
    subprocess.run(["genisoimage", "-quiet", "-J", "-r", "-o", image, folder], check=True, capture_output=True)
    return image


def windows(name: str, version: str, arch: str = "x86_64") -> OsInfo:
    """A Windows."""
    return OsInfo("windows", "windows", "windows", name, version, arch)


TEN = windows("Windows 10 Pro", "10.0.19045")


def guest(system: str = "", software: str = DEVICE_PATH, **files: Content) -> GuestFS:
    """A Windows with these keys."""
    found: dict[str, Content] = {SYSTEM: Hive(SELECT + system), SOFTWARE: Hive(software), **files}
    return GuestFS({"/": MemoryFileSystem(found, type="ntfs")})


@pytest.mark.parametrize("kind", ["folder", "iso"])
def test_the_files_for_a_windows_are_taken_from_a_directory_or_an_image(kind: str, request: pytest.FixtureRequest) -> None:
    medium = VirtioWinMedium(str(request.getfixturevalue(kind)))
    assert medium.drivers(TEN) == {"fwcfg.inf": b"fwcfg", "netkvm.inf": b"net", "viostor.inf": b"inf", "viostor.sys": b"sys 10"}
    assert medium.drivers(windows("Windows 10 Pro", "10.0.19045", "i386")) == {"viostor.sys": b"32 bits"}
    assert medium.drivers(windows("Windows Server 2019 Standard", "10.0.17763")) == {"viostor.sys": b"sys 2019"}


@pytest.mark.parametrize(
    ("name", "version", "folder"),
    [
        ("Microsoft Windows XP", "5.1.2600", "xp"),
        ("Windows XP Professional x64 Edition", "5.2.3790", "xp"),
        ("Windows Server 2003 R2", "5.2.3790", "2k3"),
        ("Windows Vista", "6.0.6002", "2k8"),
        ("Windows Server (R) 2008", "6.0.6002", "2k8"),
        ("Windows 7 Professional", "6.1.7601", "w7"),
        ("Windows Server 2008 R2 Standard", "6.1.7601", "2k8r2"),
        ("Windows 8 Pro", "6.2.9200", "w8"),
        ("Windows Server 2012 R2 Standard", "6.3.9600", "2k12r2"),
        ("Windows 10 Pro", "10.0.19045", "w10"),
        ("Windows 11 Pro", "10.0.22631", "w11"),
        ("Windows Server 2016 Standard", "10.0.14393", "2k16"),
        ("Windows Server 2022 Standard", "10.0.20348", "2k22"),
        ("Windows Server 2025 Standard", "10.0.26100", "2k25"),
    ],
)
def test_folder_names(name: str, version: str, folder: str) -> None:
    assert folder_name(windows(name, version)) == folder


def sets(fs: GuestFS, folder: Path, system: OsInfo = TEN) -> dict[str, RegistrySet]:
    """The registry edits of the fix by key and name."""
    edits = virtio_win_fix(fs, system, VirtioWinMedium(str(folder)), "viostor").edits
    return {f"{edit.key}\\{edit.name}": edit for edit in edits if isinstance(edit, RegistrySet)}


def test_the_service_its_files_and_the_device_path(folder: Path) -> None:
    fix = virtio_win_fix(guest(), TEN, VirtioWinMedium(str(folder)), "viostor")
    assert fix.applicability is Applicability.UNSAFE
    written = {edit.path: edit.data for edit in fix.edits if isinstance(edit, WriteData)}
    names = ("fwcfg.inf", "netkvm.inf", "viostor.inf", "viostor.sys")
    assert written.keys() == {f"/Windows/Drivers/VirtIO/{name}" for name in names} | {"/Windows/System32/drivers/viostor.sys"}
    assert written["/Windows/System32/drivers/viostor.sys"] == b"sys 10"
    found = {key: (edit.hive, edit.value) for key, edit in sets(guest(), folder).items()}
    service = "ControlSet003\\Services\\viostor"
    assert {key: value for key, value in found.items() if "Services" in key} == {
        f"{service}\\Type": (SYSTEM, dword(1)),
        f"{service}\\Start": (SYSTEM, dword(0)),
        f"{service}\\Group": (SYSTEM, sz("SCSI miniport")),
        f"{service}\\ErrorControl": (SYSTEM, dword(1)),
        f"{service}\\ImagePath": (SYSTEM, expand_sz("system32\\drivers\\viostor.sys")),
    }
    path = found["Microsoft\\Windows\\CurrentVersion\\DevicePath"]
    assert path == (SOFTWARE, expand_sz("%SystemRoot%\\inf;%SystemRoot%\\Drivers\\VirtIO"))


def test_windows_7_binds_the_device_in_the_critical_device_database(folder: Path) -> None:
    keys = sets(guest(), folder)
    for device in PCI_IDS["viostor"]:
        assert keys[f"ControlSet003\\Control\\CriticalDeviceDatabase\\PCI#{device}\\Service"].value == sz("viostor")
    assert not any(key.startswith("DriverDatabase") for key in keys)


def test_windows_8_binds_the_device_in_the_driver_database(folder: Path) -> None:
    keys = sets(guest("[DriverDatabase\\DeviceIds]\n"), folder)
    package = "DriverDatabase\\DriverPackages\\guestor.inf_amd64_0000000000000000"
    assert str(keys["DriverDatabase\\DriverInfFiles\\guestor.inf\\"].value) == 'multi:"guestor.inf_amd64_0000000000000000"'
    assert keys[f"{package}\\Configurations\\guestor_conf\\Service"].value == sz("viostor")
    assert len(keys[f"{package}\\Version"].value.data) == 48
    for device in PCI_IDS["viostor"]:
        assert str(keys[f"DriverDatabase\\DeviceIds\\PCI\\{device}\\guestor.inf"].value) == "hex:01,ff,00,00"
        assert keys[f"{package}\\Descriptors\\PCI\\{device}\\Configuration"].value == sz("guestor_conf")
    assert not any("CriticalDeviceDatabase" in key for key in keys)


def test_what_is_there_is_expected_or_left_out(folder: Path) -> None:
    service = "[ControlSet003\\Services\\viostor]\n"
    system = f'{service}"start"=dword:3\n"Type"=dword:1\n[ControlSet003\\Services\\viostor\\StartOverride]\n"0"=dword:3\n'
    fs = guest(
        system, DEVICE_PATH.replace("inf", "inf;%systemroot%\\\\drivers\\\\virtio"), **{"/Windows/System32/drivers/viostor.sys": b"old"}
    )
    edits = virtio_win_fix(fs, TEN, VirtioWinMedium(str(folder)), "viostor").edits
    keys = {f"{edit.key}\\{edit.name}": edit.expect for edit in edits if isinstance(edit, RegistrySet)}
    assert keys["ControlSet003\\Services\\viostor\\Start"] == dword(3)
    assert "ControlSet003\\Services\\viostor\\Type" not in keys
    assert not any("DevicePath" in key for key in keys)
    assert [edit.expect for edit in edits if isinstance(edit, RegistryDeleteKey)] == [(("0", dword(3)),)]
    replaced = [edit.expect for edit in edits if isinstance(edit, WriteData) and edit.path.endswith("System32/drivers/viostor.sys")]
    assert replaced == ["cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263ccfbd4"]


@pytest.mark.parametrize(
    ("make", "driver", "reason"),
    [
        (guest, "vioscsi", "has no vioscsi.sys"),
        (guest, "storvsc", "has no boot driver storvsc"),
        (lambda: GuestFS({"/": MemoryFileSystem({SYSTEM: Hive(SELECT)})}), "viostor", "is absent"),
        (
            lambda: guest(
                '[DriverDatabase\\DriverPackages\\guestor.inf_amd64_0000000000000000\\Configurations\\guestor_conf]\n"Service"="vioscsi"\n'
            ),
            "viostor",
            "there can be one",
        ),
    ],
)
def test_why_there_is_no_fix(folder: Path, make: Callable[[], GuestFS], driver: str, reason: str) -> None:
    with pytest.raises(FactUnavailable, match=reason):
        virtio_win_fix(make(), TEN, VirtioWinMedium(str(folder)), driver)


@pytest.mark.parametrize(
    ("system", "reason"),
    [
        (windows("Windows 11 Pro", "10.0.22631"), "has no drivers for Windows 11 Pro"),
        (windows("Windows 10 Pro", "10.0.19045", "aarch64"), "has no drivers for Windows 10 Pro"),
        (windows("Windows NT", "4.0"), "no drivers for Windows 4.0"),
        (windows("Windows", ""), "no drivers for Windows"),
    ],
)
def test_a_windows_that_the_medium_does_not_serve(folder: Path, system: OsInfo, reason: str) -> None:
    with pytest.raises(FactUnavailable, match=reason):
        VirtioWinMedium(str(folder)).drivers(system)


def test_a_medium_that_is_none_is_an_error_of_use(tmp_path: Path) -> None:
    file = tmp_path / "virtio-win.iso"
    file.write_bytes(b"x" * 100_000)
    with pytest.raises(UsageError, match="not an ISO"):
        VirtioWinMedium(str(file)).drivers(TEN)
