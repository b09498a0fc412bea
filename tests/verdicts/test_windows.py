"""The forecast of a Windows boot, stage by stage."""

from __future__ import annotations

from dataclasses import replace

import pytest

from v2vlint.engine.examples import example_store
from v2vlint.facts.storage.root_stack import RootStack
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.finding import Mover, Stage
from v2vlint.model.report import Fate, StageForecast
from v2vlint.model.rule import Content, Example, Hive
from v2vlint.samples.pe import sample_driver
from v2vlint.target import load
from v2vlint.verdicts import predict

ESP = BlockDevice("disk1p1", "partition", 1 << 27, 0, 1, "vfat", "E5E5-0001", part_type="c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
ID = "3fd763f9-74c7-4e90-8fa2-1f6a2e2b4e0c"
DISK = BlockTable((BlockDevice("disk1", "disk", 1 << 33, 0, details=(("pt", "gpt"), ("boot_code", "none"))), ESP))
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
