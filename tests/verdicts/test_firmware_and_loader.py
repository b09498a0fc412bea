"""The verdicts on firmware and loader: what decides each sentence, and where it points."""

from __future__ import annotations

import dataclasses

import pytest

from tests.verdicts.asking import FAILS, ROOT, UNSURE, Told, disk, part, store, told
from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.entry import BootMenu
from v2vlint.facts.boot.firmware import Firmware
from v2vlint.facts.boot.grub.cfg import grub_menu
from v2vlint.facts.boot.grub.files import GrubFiles
from v2vlint.facts.boot.grub.program import GrubProgram
from v2vlint.facts.boot.start import ChosenFirmware, Startup
from v2vlint.facts.conversion.menu import ConvertedMenu
from v2vlint.facts.registry import FactStore
from v2vlint.model.blocks import BlockTable
from v2vlint.model.finding import Fate
from v2vlint.model.place import Device, WholeFile
from v2vlint.model.target import Target
from v2vlint.samples.boot import sample_boot, sample_chain
from v2vlint.samples.memory import memory_guest
from v2vlint.target import load
from v2vlint.verdicts.entry import EntryVerdict
from v2vlint.verdicts.firmware import FirmwareVerdict
from v2vlint.verdicts.loader import LoaderVerdict

CFG = "/boot/grub/grub.cfg"
SECOND = BlockTable((disk(), disk(2), part(1, "ext4", ROOT, on=2)), chains=(sample_chain("none"), sample_chain(disk=1)))


def of_4096_bytes(**more: object) -> Target:
    """KVM whose disks have sectors of 4,096 bytes."""
    return dataclasses.replace(load("kvm"), sector_size=4096, **more)  # type: ignore[arg-type]


def firmware(*given: object, blocks: BlockTable = SECOND) -> FirmwareVerdict:
    return store(sample_boot(args=f"root=UUID={ROOT}"), blocks, *given).get(FirmwareVerdict)


def test_the_disk_with_the_boot_code_is_named() -> None:
    (start,) = firmware().start
    assert (start.fate, start.where) == (Fate.PASS, Device("disk2", "boot sector"))
    first = BlockTable((disk(), part(1, "ext4", ROOT)), chains=(sample_chain(),))
    assert firmware(blocks=first).start[0].where == Device("disk1", "boot sector")


@pytest.mark.parametrize(("kind", "found"), [("bios", [(Fate.UNKNOWN, None)]), ("uefi", [])])
def test_only_the_backup_of_a_gpt_is_good(kind: str, found: Told) -> None:
    spare = BlockTable((disk(details=(("pt_spare", "yes"),)), part(1, "ext4", ROOT)), chains=(sample_chain(),))
    assert told(firmware(ChosenFirmware(kind), blocks=spare).spare_table) == found


@pytest.mark.parametrize(
    ("offered", "bios", "uefi", "place"),
    [("uefi", True, False, Device("disk2", "boot sector")), ("bios", False, True, Device("disk3", "partition table"))],
)
def test_the_disk_that_needs_other_firmware_is_named(offered: str, bios: bool, uefi: bool, place: Device) -> None:
    target = dataclasses.replace(load("kvm"), firmware=(offered,))  # type: ignore[arg-type]
    (cause,) = firmware(target, Firmware(bios, uefi, "", "", 1, 2)).unsupported
    assert (cause.fate, cause.where) == (Fate.FAIL, place)


@pytest.mark.parametrize(("bios", "found"), [("seabios", [FAILS]), ("other", [UNSURE])])
def test_boot_code_on_larger_sectors(bios: str, found: Told) -> None:
    judged = firmware(of_4096_bytes(bios=bios)).sectors
    assert told(judged) == found
    assert "the boot code of disk2 reads sectors of 512 bytes, and there they have 4096" in judged[0].reason
    assert told(firmware().sectors) == []
    assert told(firmware(of_4096_bytes(bios=bios), ChosenFirmware("uefi")).sectors) == []


@pytest.mark.parametrize(
    ("bios", "uefi", "offered", "fate"),
    [
        (False, False, ("bios", "uefi"), Fate.FAIL),
        (None, False, ("bios", "uefi"), Fate.UNKNOWN),
        (False, None, ("bios", "uefi"), Fate.UNKNOWN),
        (False, None, ("bios",), Fate.FAIL),
        (None, False, ("uefi",), Fate.FAIL),
    ],
)
def test_what_is_not_known_of_firmware_that_is_offered(bios: bool | None, uefi: bool | None, offered: tuple[str, ...], fate: Fate) -> None:
    target = dataclasses.replace(load("kvm"), firmware=offered)  # type: ignore[arg-type]
    guest = Firmware(bios, uefi, "nothing in the boot sector", "no loader")
    cause = firmware(target, guest, ChosenFirmware("")).start[0]
    said = f"{' or '.join(kind.upper() for kind in offered)} cannot start it: " if fate is Fate.FAIL else ""
    assert (cause.fate, cause.reason) == (fate, f"{said}nothing in the boot sector; no loader")


def started(menu: BootMenu | None, reason: str = "") -> FactStore:
    loader = Bootloader((menu,) if menu else (), reason=reason)
    return store({CFG: "set timeout=1\n"}, loader, Startup(menu, loader))


def test_the_menu_of_the_loader() -> None:
    none = started(None, "no boot loader is known here").get(LoaderVerdict).menu
    assert [(cause.fate, cause.reason) for cause in none] == [(Fate.UNKNOWN, "no boot loader is known here")]
    empty = started(BootMenu("grub2", "bios", WholeFile(CFG), (), None, "a script decides")).get(LoaderVerdict).menu
    assert [(cause.fate, cause.reason) for cause in empty] == [(Fate.UNKNOWN, f"{CFG} has no entry that could be read: a script decides")]
    whole = store(sample_boot(args="quiet")).get(LoaderVerdict).menu
    assert [(cause.fate, cause.reason) for cause in whole] == [(Fate.PASS, f"grub2 reads {CFG}")]


@pytest.mark.parametrize(
    ("command", "kind", "rewritten", "found"),
    [
        ("linuxefi", "uefi", True, [FAILS]),
        ("linuxefi", "uefi", False, []),
        ("linuxefi", "bios", True, []),
        ("linux", "uefi", True, []),
        ("linux16", "uefi", True, []),
    ],
)
def test_a_menu_for_efi_that_virt_v2v_writes_anew(command: str, kind: str, rewritten: bool, found: Told) -> None:
    menu = BootMenu("grub2", kind, WholeFile(CFG), (), None, "")
    loader = Bootloader((menu,))
    files = {CFG: f"menuentry 'x' {{\n {command} /vmlinuz quiet\n}}\n"}
    facts = store(files, loader, Startup(menu, loader), ConvertedMenu("grub2", rewritten))
    assert told(facts.get(EntryVerdict).rewritten) == found


@pytest.mark.parametrize(
    ("command", "kind", "found"), [("linux16", "uefi", [FAILS]), ("linux16", "bios", []), ("linux", "uefi", []), ("linux16", "", [])]
)
def test_linux16_needs_a_bios(command: str, kind: str, found: Told) -> None:
    """In OVMF the machine hangs, also where GRUB can load the module."""
    files = GrubFiles(memory_guest({CFG: f"menuentry x {{\n {command} /vmlinuz\n}}\n", "/vmlinuz": b"x"}), BlockTable())
    menu = grub_menu(files, CFG, GrubProgram(kind, "x86_64", "debian"))
    loader = Bootloader((menu,))
    assert told(store({}, loader, Startup(menu, loader)).get(EntryVerdict).command) == found
