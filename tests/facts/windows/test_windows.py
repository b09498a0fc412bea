"""The facts of Windows guests: registry, services, drivers, boot configuration, addresses."""

from __future__ import annotations

import contextlib
import struct
import uuid

import pytest

from v2vlint import target
from v2vlint.engine.examples import example_store
from v2vlint.facts.registry import FactStore
from v2vlint.facts.windows.acpi import WindowsAcpi
from v2vlint.facts.windows.bcd import partition_of
from v2vlint.facts.windows.boot import WindowsBoot, entry_device
from v2vlint.facts.windows.drivers import WindowsDrivers
from v2vlint.facts.windows.hardware import network_services, storage_services
from v2vlint.facts.windows.network import WindowsNetwork
from v2vlint.facts.windows.programs import WindowsProgram, WindowsPrograms
from v2vlint.facts.windows.registry import Registry
from v2vlint.facts.windows.services import WindowsServices, image_path
from v2vlint.facts.windows.system import WindowsSystem
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import RegistryKey
from v2vlint.model.rule import Content, Example, Hive
from v2vlint.model.target import Controller, Nic
from v2vlint.samples.memory import memory_guest
from v2vlint.samples.pe import sample_driver
from v2vlint.samples.regf import make_hive

SYSTEM, SOFTWARE = "/Windows/System32/config/SYSTEM", "/Windows/System32/config/SOFTWARE"
GUID = "c0c0c0c0-0001-4000-8000-00000000c001"


def store(system: str, files: dict[str, Content] | None = None, software: str = "") -> FactStore:
    hives: dict[str, Content] = {SYSTEM: Hive(f"[ControlSet001]\n{system}\n")}
    if software:
        hives[SOFTWARE] = Hive(software)
    return example_store(Example({**hives, **(files or {})}))


def test_the_control_set_is_the_current_one() -> None:
    facts = store('[Select]\n"Current"=dword:2\n[ControlSet002\\Services\\x]\n"Start"=dword:1')
    assert facts.get(Registry).control_set == "ControlSet002"
    service = facts.get(WindowsServices).get("X")
    assert service is not None
    assert service.where == RegistryKey(SYSTEM, "ControlSet002\\Services\\X")
    assert str(service.place("Start")) == f"{SYSTEM}:ControlSet002\\Services\\X:Start"


@pytest.mark.parametrize(
    ("content", "where"),
    [(None, SYSTEM), (b"regf", SYSTEM), (b"", SYSTEM), (Hive("[Setup]\n"), f"{SYSTEM}:Select:Default")],
)
def test_a_registry_that_cannot_be_used_is_an_outcome(content: Content | None, where: str) -> None:
    files: dict[str, Content] = {"/Windows/System32/ntdll.dll": b"MZ"}
    if content is not None:
        files[SYSTEM] = content
    with pytest.raises(FactUnavailable) as caught:
        example_store(Example(files)).get(Registry)
    assert str(caught.value.where) == where


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("system32\\drivers\\a.sys", "/Windows/system32/drivers/a.sys"),
        ("\\SystemRoot\\System32\\a.sys", "/Windows/System32/a.sys"),
        ("\\??\\C:\\Program Files\\a.sys", "/Program Files/a.sys"),
        ("%SystemRoot%\\System32\\svchost.exe -k x", "/Windows/System32/svchost.exe -k x"),
        ('"C:\\Program Files\\a b\\c.exe" -d', "/Program Files/a b/c.exe"),
        ("", ""),
    ],
)
def test_image_paths(text: str, path: str) -> None:
    assert image_path(text) == path
    assert image_path(text, "/WINNT") == path.replace("/Windows/", "/WINNT/")


def test_a_key_without_a_start_type_is_no_service() -> None:
    services = store('[ControlSet001\\Services\\pvscsi\\Parameters]\n[ControlSet001\\Services\\e]\n"Type"=dword:1').get(WindowsServices)
    assert services.get("pvscsi") is services.get("e") is None


def test_a_staged_driver_is_looked_for_in_the_folder_of_windows() -> None:
    software = '[Microsoft\\Windows\\CurrentVersion]\n"DevicePath"=expand:"%SystemRoot%\\\\inf"\n'
    config = "/WINNT/System32/config"
    hives = {f"{config}/SYSTEM": make_hive("[ControlSet001\\Services]\n"), f"{config}/SOFTWARE": make_hive(software)}
    fs = memory_guest({**hives, "/WINNT/inf/netkvm.inf": ""})
    old = OsInfo("windows", "windows", "windows", "Windows", system_root="/WINNT")
    verdict = FactStore((fs, BlockTable(), old)).get(WindowsDrivers).nic(Nic("virtio-net", (("virtio_net",),)))
    assert (verdict.usable, verdict.reason.startswith("netkvm.inf is in /WINNT/inf:")) == (None, True)


def test_a_driver_without_a_path_lies_among_the_drivers() -> None:
    facts = store('[ControlSet001\\Services\\disk]\n"Type"=dword:1\n"Start"=dword:0', {"/Windows/system32/DRIVERS/disk.sys": b"MZ"})
    service = facts.get(WindowsServices).get("disk")
    assert service is not None
    assert (service.image, service.present, service.starts_early) == ("/Windows/System32/drivers/disk.sys", True, True)


IDE = Controller("IDE", "sd", (("ata_piix", "sd_mod"),))
DRIVERS: dict[str, Content] = {f"/Windows/System32/drivers/{name}.sys": sample_driver() for name in ("atapi", "intelide", "pciide")}


@pytest.mark.parametrize(
    ("starts", "usable", "reason"),
    [
        ((0, 0, 3), True, "intelide starts at boot"),
        ((0, 3, 0), True, "pciide starts at boot"),
        ((0, 4, 4), False, "intelide is disabled"),
        ((3, 0, 0), False, "atapi starts only as 'demand', not at boot"),
    ],
)
def test_every_service_of_a_set_must_start(starts: tuple[int, ...], usable: bool, reason: str) -> None:
    lines = (
        f'[ControlSet001\\Services\\{name}]\n"Type"=dword:1\n"Start"=dword:{start}'
        for name, start in zip(("atapi", "intelide", "pciide"), starts, strict=True)
    )
    verdict = store("\n".join(lines), DRIVERS).get(WindowsDrivers).controller(IDE)
    assert (verdict.usable, verdict.reason) == (usable, reason)


@pytest.mark.parametrize("name", target.names())
def test_every_shipped_target_has_windows_drivers(name: str) -> None:
    profile = target.load(name)
    assert [one.name for one in profile.controllers if not storage_services(one.any_of)] == []
    assert [one.name for one in profile.nics if not network_services(one.any_of)] == []


def test_hardware_that_is_not_in_the_table_is_unknown() -> None:
    verdict = store("").get(WindowsDrivers).controller(Controller("odd", "sd", (("odd_driver",),)))
    assert (verdict.usable, verdict.reason) == (None, "no Windows driver is known for odd")


def _element(style: int, partition: bytes, disk: bytes) -> bytes:
    head = bytes(16) + struct.pack("<IIII", 6, 0, 0x48, 0)
    return head + partition.ljust(16, b"\0") + struct.pack("<II", 0, style) + disk.ljust(16, b"\0")


def test_the_partition_of_a_boot_entry() -> None:
    assert partition_of(_element(0, uuid.UUID(GUID).bytes_le, b"")) == GUID
    assert partition_of(_element(1, struct.pack("<Q", 9 << 20), struct.pack("<I", 0x07070707))) == f"07070707@{9 << 20}"
    assert partition_of(bytes(0x48)) == ""
    assert partition_of(b"short") == ""


BCD = f"""
[Objects\\{{9dea862c-5cdd-4e70-acc1-f32b344d4795}}\\Elements\\23000003]
"Element"="{{1}}"
[Objects\\{{1}}\\Elements\\12000002]
"Element"="\\\\Windows\\\\system32\\\\winload.efi"
[Objects\\{{1}}\\Elements\\11000001]
"Element"=hex:{_element(0, uuid.UUID(GUID).bytes_le, b"").hex(",")}
"""


def test_the_default_entry_names_its_partition() -> None:
    files: dict[str, Content] = {"/esp/EFI/Microsoft/Boot/bootmgfw.efi": b"MZ", "/esp/EFI/Microsoft/Boot/BCD": Hive(BCD)}
    boot = store("", files).get(WindowsBoot)
    assert (boot.manager, boot.store) == ("/esp/EFI/Microsoft/Boot/bootmgfw.efi", "/esp/EFI/Microsoft/Boot/BCD")
    assert boot.default is not None
    assert (boot.default.loader, boot.default.partition) == ("\\Windows\\system32\\winload.efi", GUID)
    part = BlockDevice("disk1p2", "partition", 1 << 30, 0, 2, "ntfs", part_uuid=GUID)
    assert entry_device(boot.default, BlockTable((part,))) == part
    assert entry_device(boot.default, BlockTable()) is None


@pytest.mark.parametrize(
    ("files", "manager", "config"),
    [
        ({"/bootmgr": b"MZ", "/Boot/BCD": Hive("[Objects]\n")}, "/bootmgr", "/Boot/BCD"),
        ({"/ntldr": b"MZ", "/boot.ini": "[boot loader]\n"}, "/ntldr", "/boot.ini"),
        ({}, "", ""),
    ],
)
def test_boot_managers_of_a_bios(files: dict[str, Content], manager: str, config: str) -> None:
    boot = store("", files).get(WindowsBoot)
    assert (boot.manager, boot.store, boot.default) == (manager, config, None)


def test_an_adapter_and_its_address() -> None:
    device = "PCI\\VEN_15AD&DEV_07B0\\FF"
    network = store(f"""
[ControlSet001\\Services\\Tcpip\\Parameters\\Interfaces\\{{a}}]
"EnableDHCP"=dword:0
"IPAddress"=multi:"192.0.2.1","0.0.0.0"
"DefaultGateway"=multi:"192.0.2.254"
[ControlSet001\\Services\\Tcpip\\Parameters\\Interfaces\\{{b}}]
"EnableDHCP"=dword:0
"IPAddress"=multi:"0.0.0.0"
[ControlSet001\\Control\\Network\\{{4D36E972-E325-11CE-BFC1-08002BE10318}}\\{{A}}\\Connection]
"Name"="LAN"
"PnpInstanceID"="{device.replace(chr(92), chr(92) * 2)}"
[ControlSet001\\Control\\Network\\{{4D36E972-E325-11CE-BFC1-08002BE10318}}\\{{c}}\\Connection]
"PnpInstanceID"="ROOT\\\\VPN\\\\0"
[ControlSet001\\Enum\\{device}]
""").get(WindowsNetwork)
    (address,), (adapter,) = network.static, network.adapters
    assert (address.name, address.addresses, address.gateways) == ("LAN", ("192.0.2.1",), ("192.0.2.254",))
    assert address.adapter == adapter
    assert network.ghosts == ()
    assert [adapter.fits(nic) for name in ("vmware", "kvm") for nic in target.load(name).nics] == [True, False]


def test_settings_have_defaults() -> None:
    system = store("").get(WindowsSystem)
    assert (system.version, system.hibernated, system.san_policy, system.utc_clock, system.bias) == ((10, 0), False, None, False, 0)
    assert (system.pending, system.restrictions, system.script_policy, system.fast_startup, system.sha2) == ((), (), None, None, None)


def test_an_unreadable_hibernation_file_is_an_outcome() -> None:
    facts = store('[ControlSet001\\Control\\TimeZoneInformation]\n"Bias"=dword:ffffffc4', {"/hiberfil.sys": b"HI"})
    assert facts.get(WindowsSystem).hibernated is False
    assert facts.get(WindowsSystem).bias == -60


@pytest.mark.parametrize(("active", "bias"), [("0", 0), ("ffffff88", -120)])
def test_the_active_bias_counts_even_when_it_is_none(active: str, bias: int) -> None:
    """In summer the Azores have the time of Greenwich."""
    clock = f'[ControlSet001\\Control\\TimeZoneInformation]\n"Bias"=dword:3c\n"ActiveTimeBias"=dword:{active}'
    assert store(clock).get(WindowsSystem).bias == bias


def test_programs_of_both_widths() -> None:
    key = "Microsoft\\Windows\\CurrentVersion\\Uninstall"
    text = f'[{key}\\a]\n"DisplayName"="7-Zip 23.01"\n"DisplayVersion"="23.01"\n[{key}\\hidden]\n'
    text += f'[WOW6432Node\\{key}\\b]\n"DisplayName"="VMware Tools"\n"DisplayVersion"="12.1"\n'
    found = store("", software=text).get(WindowsPrograms)
    assert [one.title for one in found.programs] == ["7-Zip 23.01", "VMware Tools 12.1"]
    assert found.left_by("vmware-tools").words == "VMware Tools 12.1"
    assert found.left_by("vmware-tools").programs == (
        WindowsProgram("VMware Tools", "12.1", "", RegistryKey(SOFTWARE, f"WOW6432Node\\{key}\\b")),
    )
    assert found.left_by("xen").where is None
    assert found.antivirus == ()


def test_damaged_hives_never_crash_a_fact() -> None:
    from v2vlint.samples.regf import make_hive

    good = make_hive('[ControlSet001\\Services\\viostor]\n"Type"=dword:1\n"Start"=dword:0\n[ControlSet001\\Enum\\PCI\\x\\y]\n')
    for place in range(0, len(good), 61):
        data = bytearray(good)
        data[place : place + 8] = b"\xff" * 8
        facts = example_store(Example({SYSTEM: bytes(data)}))
        for kind in (WindowsAcpi, WindowsDrivers, WindowsSystem, WindowsNetwork, WindowsPrograms):
            with contextlib.suppress(FactUnavailable):
                found = facts.get(kind)
                if isinstance(found, WindowsDrivers):
                    found.controller(target.load("kvm").controllers[0])


ACPI0010 = '[DriverDatabase\\DeviceIds\\ACPI\\ACPI0010]\n"hidinterrupt.inf"=hex:01,ff,00,00\n'
DESCRIPTOR = "[DriverDatabase\\DriverPackages\\hidinterrupt.inf_amd64_1\\Descriptors\\ACPI\\ACPI0010]\n"


@pytest.mark.parametrize(
    ("text", "removed", "seen"),
    [
        (ACPI0010, 1, False),
        (ACPI0010 + DESCRIPTOR, 2, False),
        (ACPI0010 + DESCRIPTOR + DESCRIPTOR.replace("amd64_1", "x86_2"), 3, False),
        (ACPI0010 + DESCRIPTOR.replace("]", "\\Sub]"), 0, False),
        (f'{ACPI0010}"oem3.inf"=hex:01\n{DESCRIPTOR}', 0, False),
        (f'{ACPI0010}[ControlSet001\\Enum\\ACPI\\ACPI0010\\1]\n"Service"="HidInterrupt"\n', 1, True),
    ],
)
def test_the_wrong_driver_of_the_processors_container(text: str, removed: int, seen: bool) -> None:
    found = store(text).get(WindowsAcpi).button
    assert found is not None
    assert (str(found.where), found.seen) == (f"{SYSTEM}:DriverDatabase\\DeviceIds\\ACPI\\ACPI0010:hidinterrupt.inf", seen)
    assert len(found.removal) == removed


@pytest.mark.parametrize(
    ("device", "value", "said"),
    [
        ("ACPI_HAL", 'multi:"ACPIAPIC_UP","x"', ("acpiapic_up", "ACPI Uniprocessor PC", True, True)),
        ("PCI_HAL", 'multi:"mps_mp"', ("mps_mp", "MPS Multiprocessor PC", False, False)),
        ("PCI_HAL", 'multi:"sgi_mp"', ("sgi_mp", "sgi_mp", False, False)),
        ("ACPI_HAL", "dword:1", None),
        ("ACPI_HAL", "multi:", None),
    ],
)
def test_the_hal(device: str, value: str, said: tuple[str, str, bool, bool] | None) -> None:
    hal = store(f'[ControlSet001\\Enum\\Root\\{device}\\0000]\n"HardwareID"={value}').get(WindowsAcpi).hal
    assert (None if hal is None else (hal.name, hal.title, hal.acpi, hal.uniprocessor)) == said
