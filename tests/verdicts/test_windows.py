"""The forecast of a Windows boot, stage by stage."""

from __future__ import annotations

from dataclasses import replace

import pytest

from v2vlint.engine.examples import example_store
from v2vlint.facts.storage.root_stack import RootStack
from v2vlint.facts.windows.network import ManualAddress, WindowsAdapter, WindowsNetwork
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.finding import Mover, Severity, Stage
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import RegistryKey
from v2vlint.model.report import Fate, StageForecast
from v2vlint.model.rule import Content, Example, Hive
from v2vlint.samples.boot import sample_chain
from v2vlint.samples.pe import sample_driver
from v2vlint.target import load
from v2vlint.verdicts import predict
from v2vlint.verdicts.windows import WindowsNetworkVerdict, WindowsRootVerdict

ESP = BlockDevice("disk1p1", "partition", 1 << 27, 0, 1, "vfat", "E5E5-0001", part_type="c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
ID = "3fd763f9-74c7-4e90-8fa2-1f6a2e2b4e0c"
DISK = BlockTable((BlockDevice("disk1", "disk", 1 << 33, 0, details=(("pt", "gpt"),)), ESP), chains=(sample_chain("none"),))
BCD = r"""
[Objects\{9dea862c-5cdd-4e70-acc1-f32b344d4795}\Elements\23000003]
"Element"="{1}"
[Objects\{1}\Elements\12000002]
"Element"="\\Windows\\System32\\winload.efi"
"""
_SERVICE = '[ControlSet001\\Services\\{}]\n"Type"=dword:1\n"Start"=dword:{}\n'
AHCI = _SERVICE.format("storahci", 0) + _SERVICE.format("E1G60", 3)
WHOLE: dict[str, Content] = {
    "/Windows/System32/config/SYSTEM": Hive(AHCI),
    "/Windows/System32/drivers/storahci.sys": sample_driver(),
    "/Windows/System32/drivers/E1G60.sys": sample_driver(),
    "/Windows/System32/ntoskrnl.exe": b"MZ",
    "/Windows/System32/hal.dll": b"MZ",
    "/Windows/System32/winload.efi": b"MZ",
    "/esp/EFI/Microsoft/Boot/bootmgfw.efi": b"MZ manager",
    "/esp/EFI/Microsoft/Boot/BCD": Hive(BCD),
    "/esp/EFI/Boot/bootx64.efi": b"MZ manager",
}


def fates(files: dict[str, Content], target: str = "virtualbox", mover: Mover = Mover.RAW) -> dict[Stage, Fate]:
    forecast = predict(example_store(Example(files, given=(DISK,), target=target, mover=mover)))
    return {stage.stage: stage.fate for stage in forecast.stages}


def without(*paths: str) -> dict[str, Content]:
    return {path: content for path, content in WHOLE.items() if path not in paths}


def test_a_whole_system_boots() -> None:
    found = fates(WHOLE)
    assert found.pop(Stage.UNLOCK) is Fate.SKIPPED
    assert set(found.values()) == {Fate.PASS}
    assert Stage.INITRAMFS not in found


@pytest.mark.parametrize(
    ("files", "stage", "fate"),
    [
        (without("/esp/EFI/Microsoft/Boot/BCD"), Stage.LOADER, Fate.FAIL),
        (without("/esp/EFI/Boot/bootx64.efi"), Stage.FIRMWARE, Fate.FAIL),
        ({**WHOLE, "/esp/EFI/Boot/bootx64.efi": b"MZ other"}, Stage.LOADER, Fate.UNKNOWN),
        ({**WHOLE, "/esp/EFI/Microsoft/Boot/BCD": Hive("[Objects]\n")}, Stage.ENTRY, Fate.UNKNOWN),
        (without("/Windows/System32/hal.dll"), Stage.KERNEL, Fate.FAIL),
        (without("/Windows/System32/winload.efi"), Stage.ENTRY, Fate.UNKNOWN),
        ({**WHOLE, "/hiberfil.sys": b"HIBR"}, Stage.KERNEL, Fate.UNKNOWN),
        (without("/Windows/System32/drivers/storahci.sys"), Stage.ROOT, Fate.FAIL),
        (without("/Windows/System32/drivers/E1G60.sys"), Stage.NETWORK, Fate.UNKNOWN),
    ],
)
def test_what_is_missing_decides_its_stage(files: dict[str, Content], stage: Stage, fate: Fate) -> None:
    assert fates(files)[stage] is fate


def test_virt_v2v_brings_the_drivers() -> None:
    assert fates(WHOLE, "kvm")[Stage.ROOT] is Fate.FAIL
    found = fates(WHOLE, "kvm", Mover.VIRT_V2V)
    assert (found[Stage.ROOT], found[Stage.NETWORK]) == (Fate.PASS, Fate.PASS)


def _unlocking(state: str, protectors: str, keeps_tpm: bool = False, keeps_nvram: bool = False) -> StageForecast:
    told = (("state", state), ("protectors", protectors), ("recovery_ids", ID if "recovery" in protectors else ""))
    inner = BlockDevice("bitlocker-disk1p3", "bitlocker", 1 << 30, 0, 0, "ntfs", "0A", parents=("disk1p3",))
    outer = BlockDevice("disk1p3", "partition", 1 << 30, 0, 3, "BitLocker", details=told)
    there = replace(load("virtualbox"), keeps_tpm=keeps_tpm, keeps_nvram=keeps_nvram)
    given = (BlockTable((*DISK.devices, outer, inner)), RootStack("ntfs", inner, (inner,)), there)
    forecast = predict(example_store(Example(WHOLE, given=given)))
    return next(stage for stage in forecast.stages if stage.stage is Stage.UNLOCK)


@pytest.mark.parametrize(
    ("state", "protectors", "fate", "reason"),
    [
        ("off", "TPM,recovery password", Fate.SKIPPED, "not encrypted"),
        ("suspended", "TPM,recovery password,clear key", Fate.PASS, "asks for nothing"),
        ("waiting for activation", "clear key", Fate.PASS, "asks for nothing"),
        ("on", "TPM,recovery password", Fate.UNKNOWN, "asks for the recovery password 3FD763F9"),
        ("on", "TPM and PIN", Fate.UNKNOWN, "asks for the recovery key"),
        ("on", "password,recovery password", Fate.PASS, "asks for its password on the console"),
        ("on", "startup key,recovery password", Fate.UNKNOWN, "USB drive"),
        ("on", "TPM,startup key", Fate.UNKNOWN, "asks for its startup key"),
        ("on", "recovery password", Fate.PASS, "asks for the recovery password 3FD763F9 on the console"),
        ("", "", Fate.UNKNOWN, "when the TPM it trusted is gone"),
    ],
)
def test_bitlocker_by_its_protectors(state: str, protectors: str, fate: Fate, reason: str) -> None:
    found = _unlocking(state, protectors)
    assert found.fate is fate
    assert reason in found.reason


def test_a_tpm_that_travels_still_measures_the_firmware() -> None:
    assert _unlocking("on", "TPM", keeps_tpm=True, keeps_nvram=True).fate is Fate.PASS
    assert _unlocking("on", "TPM", keeps_tpm=True).fate is Fate.UNKNOWN


DISKS = "ControlSet001\\Control\\Class\\{4d36e967-e325-11ce-bfc1-08002be10318}"
VOLUMES = "ControlSet001\\Control\\Class\\{71a27cdd-812a-11d0-bec7-08002be2092f}"
MICE = "ControlSet001\\Control\\Class\\{4d36e96f-e325-11ce-bfc1-08002be10318}"


@pytest.mark.parametrize(
    ("kind", "value", "services", "fate"),
    [
        (DISKS, "UpperFilters", "", Fate.FAIL),
        (DISKS, "LowerFilters", "", Fate.FAIL),
        (VOLUMES, "LowerFilters", "", Fate.FAIL),
        (MICE, "UpperFilters", "", Fate.PASS),
        (DISKS, "LowerFilters", _SERVICE.format("storahci", 0), Fate.FAIL),
        (DISKS, "UpperFilters", _SERVICE.format("guard", 0), Fate.PASS),
        (DISKS, "UpperFilters", _SERVICE.format("guard", 4), Fate.FAIL),
        (DISKS, "UpperFilters", _SERVICE.format("guard", 3), Fate.UNKNOWN),
        (DISKS, "UpperFilters", _SERVICE.format("guard", 0) + '[ControlSet001\\Services\\guard\\StartOverride]\n"0"=dword:4\n', Fate.FAIL),
        (DISKS, "UpperFilters", _SERVICE.format("guard", 0) + '"ImagePath"="System32\\\\drivers\\\\text.sys"\n', Fate.FAIL),
    ],
)
def test_a_filter_that_does_not_start_keeps_the_disk_from_starting(kind: str, value: str, services: str, fate: Fate) -> None:
    files: dict[str, Content] = {"/Windows/System32/drivers/guard.sys": sample_driver(), "/Windows/System32/drivers/text.sys": b"no driver"}
    hive = Hive(f'{AHCI}{services}[{kind}]\n"{value}"=multi:"guard"\n')
    assert fates({**WHOLE, **files, "/Windows/System32/config/SYSTEM": hive})[Stage.ROOT] is fate


@pytest.mark.parametrize(
    ("service", "fate"),
    [("pci", Fate.FAIL), ("acpi", Fate.FAIL), ("volmgr", Fate.FAIL), ("volume", Fate.FAIL), ("vpci", Fate.PASS), ("ftdisk", Fate.PASS)],
)
def test_the_drivers_between_the_bus_and_the_volumes(service: str, fate: Fate) -> None:
    files: dict[str, Content] = {f"/Windows/System32/drivers/{service}.sys": sample_driver()}
    for more in (f"[ControlSet001\\Services\\{service}\\StartOverride]\n", ""):
        text = AHCI + _SERVICE.format(service, 0 if more else 3) + (f'{more}"0"=dword:3\n' if more else "")
        assert fates({**WHOLE, **files, "/Windows/System32/config/SYSTEM": Hive(text)})[Stage.ROOT] is fate


def test_a_driver_in_the_store_is_installed_when_the_card_is_met() -> None:
    files: dict[str, Content] = {**WHOLE, "/Windows/System32/config/SYSTEM": Hive(_SERVICE.format("storahci", 0))}
    assert fates(files)[Stage.NETWORK] is Fate.UNKNOWN
    assert fates({**files, "/Windows/System32/DriverStore/FileRepository/netkvm.inf_amd64_1/netkvm.sys": b"MZ"})[Stage.NETWORK] is Fate.PASS


TERMINAL = '[ControlSet001\\Control\\Terminal Server]\n"fDenyTSConnections"=dword:{}\n'
FIREWALL = "[ControlSet001\\Services\\SharedAccess\\Parameters\\FirewallPolicy\\{}]\n"
CLOSED = TERMINAL.format(0) + FIREWALL.format("PublicProfile") + '"EnableFirewall"=dword:1\n'


def rule(action: str, active: str, more: str) -> str:
    """A closed firewall with one rule for what comes in by TCP."""
    return f'{CLOSED}{FIREWALL.format("FirewallRules")}"a"="v2.30|Action={action}|Active={active}|Dir=In|Protocol=6|{more}|"\n'


@pytest.mark.parametrize(
    ("text", "blind", "fate"),
    [
        (TERMINAL.format(0), False, Fate.PASS),
        (TERMINAL.format(1), False, Fate.PASS),
        (TERMINAL.format(1), True, Fate.UNKNOWN),
        (TERMINAL.format(1) + _SERVICE.format("sshd", 2), True, Fate.PASS),
        (CLOSED, False, Fate.UNKNOWN),
        (rule("Allow", "TRUE", "LPort=3389"), False, Fate.PASS),
        (rule("Allow", "TRUE", "LPort=3000-4000|Profile=Public"), False, Fate.PASS),
        (rule("Allow", "TRUE", "LPort=3389|RA4=LocalSubnet"), False, Fate.UNKNOWN),
        (rule("Allow", "FALSE", "LPort=3389"), False, Fate.UNKNOWN),
        (rule("Allow", "TRUE", "LPort=3389|Profile=Private"), False, Fate.UNKNOWN),
        (rule("Block", "TRUE", "LPort=3389"), False, Fate.UNKNOWN),
        (CLOSED + _SERVICE.format("mpssvc", 4), False, Fate.PASS),
        (TERMINAL.format(0) + _SERVICE.format("TermService", 4), True, Fate.UNKNOWN),
        (_SERVICE.format("Dhcp", 4), False, Fate.FAIL),
        (_SERVICE.format("Dhcp", 2), False, Fate.PASS),
    ],
)
def test_who_gets_in(text: str, blind: bool, fate: Fate) -> None:
    there = load("virtualbox")
    there = replace(there, consoles=("ttyS0",)) if blind else there
    files: dict[str, Content] = {**WHOLE, "/Windows/System32/config/SYSTEM": Hive(AHCI + text)}
    forecast = predict(example_store(Example(files, given=(DISK, there))))
    assert next(one for one in forecast.stages if one.stage is Stage.NETWORK).fate is fate


HERE = WindowsAdapter("{1}", "Ethernet", "PCI\\VEN_8086&DEV_100E&SUBSYS_001E8086", True, RegistryKey("SYSTEM", "Enum"))
ELSEWHERE = replace(HERE, device="PCI\\VEN_15AD&DEV_07B0")


def address(adapter: WindowsAdapter | None, device: str = "PCI\\VEN_8086") -> ManualAddress:
    return ManualAddress("{1}", ("192.0.2.7/24",), (), adapter, RegistryKey("SYSTEM", "Interfaces"), device)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (address(HERE), ""),
        (address(None), "belongs to an adapter that does not exist"),
        (address(ELSEWHERE), "belongs to an adapter that does not exist"),
        (address(None, "ROOT\\NET\\0000"), ""),
        (address(None, "COMPOSITEBUS\\MS_NDISIMPLATFORM\\1"), "belongs to a team of network adapters over adapters that change"),
    ],
)
def test_an_address_set_by_hand(one: ManualAddress, said: str) -> None:
    found = example_store(Example(WHOLE, given=(DISK, WindowsNetwork(static=(one,))), target="virtualbox")).get(WindowsNetworkVerdict)
    assert [cause.reason.partition("192.0.2.7/24 ")[2] for cause in found.addresses] == ([said] if said else [])


@pytest.mark.parametrize(
    ("adapters", "fate"),
    [
        ((), Fate.FAIL),
        ((HERE,), Fate.UNKNOWN),
        ((ELSEWHERE,), Fate.FAIL),
        ((replace(HERE, known=False),), Fate.FAIL),
        ((None,), Fate.FAIL),
        ((None, HERE), Fate.UNKNOWN),
    ],
)
def test_a_fixed_address_does_without_the_dhcp_client(adapters: tuple[WindowsAdapter | None, ...], fate: Fate) -> None:
    files: dict[str, Content] = {**WHOLE, "/Windows/System32/config/SYSTEM": Hive(AHCI + _SERVICE.format("Dhcp", 4))}
    network = WindowsNetwork(static=tuple(map(address, adapters)))
    found = example_store(Example(files, given=(DISK, network), target="virtualbox")).get(WindowsNetworkVerdict)
    assert [cause.fate for cause in found.dhcp] == [fate]


@pytest.mark.parametrize(
    ("version", "severity", "name"),
    [
        ("5.2", Severity.WARNING, "QEMU's IDE"),
        ("6.0", Severity.WARNING, "QEMU's IDE"),
        ("6.1", Severity.INFO, "virtio-blk"),
        ("10.0", Severity.INFO, "virtio-blk"),
        ("0.0", Severity.INFO, "virtio-blk"),
    ],
)
def test_a_windows_too_old_for_virtio_win_lands_on_ide(version: str, severity: Severity, name: str) -> None:
    os = OsInfo("windows", "windows", "windows", "Windows", version, "x86_64")
    found = example_store(Example(WHOLE, given=(DISK, os), target="kvm", mover=Mover.VIRT_V2V)).get(WindowsRootVerdict)
    assert [(cause.severity, cause.about.name, cause.about.helped) for cause in found.driver if cause.about] == [
        (severity, name, severity is Severity.INFO)
    ]
