"""Which loader is live: firmware, boot sector, ESP, and what lies around unused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.facts.boot.grub.grub_samples import CFG, ENTRY, config
from tests.facts.boot.pe_samples import KERNEL, UKI, pe_image
from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.efi import ESP_TYPE, Efi
from v2vlint.facts.boot.firmware import BIOS_BOOT_TYPE, Firmware
from v2vlint.facts.registry import FactStore
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.boot_chain import GrubImage
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.rule import Link
from v2vlint.samples.boot import sample_chain
from v2vlint.samples.memory import MemoryFileSystem, memory_guest

Files = Mapping[str, str | bytes | Link]
STUB = "search.fs_uuid aaaa-1111 root hd0,gpt2\nset prefix=($root)'/boot/grub'\nconfigfile $prefix/grub.cfg\n"
LEGACY = "title a\n kernel /vmlinuz root=/dev/hda1\n"
EXTLINUX = "LABEL a\n LINUX vmlinuz\n APPEND root=/dev/sda1\n"
SYSTEMD = b"MZ #### LoaderInfo: systemd-boot 255 ####"


def disk(number: int = 1, table: str = "dos") -> BlockDevice:
    """A disk."""
    return BlockDevice(f"disk{number}", "disk", 1 << 30, number - 1, details=(("pt", table),))


def part(number: int, fs_type: str = "ext4", uuid: str = "aaaa-1111", kind: str = "0x83", **more: object) -> BlockDevice:
    """A partition of the first disk."""
    return BlockDevice(f"disk1p{number}", "partition", 1 << 28, 0, number, fs_type, uuid, part_type=kind, **more)  # type: ignore[arg-type]


ESP = part(1, "vfat", "ABCD-1234", ESP_TYPE)
BROKEN = replace(sample_chain(), starts=False, loader="")
UEFI = BlockTable((disk(table="gpt"), ESP, part(2)), chains=(sample_chain("none"),))
BARE = BlockTable((disk(), part(1)), chains=(sample_chain("none"),))
BIOS = BlockTable((disk(), part(1)), chains=(sample_chain(),))
HYBRID = BlockTable((disk(table="gpt"), ESP, part(2), part(3, "", "", BIOS_BOOT_TYPE)), chains=(sample_chain(),))


def store(
    files: Files, blocks: BlockTable | None = None, distro: str = "debian", family: str = "debian", arch: str = "x86_64"
) -> FactStore:
    """The facts of an in-memory guest."""
    return FactStore((memory_guest(files), blocks or BlockTable(), OsInfo("linux", distro, family, "Linux", "12", arch)))


@pytest.mark.parametrize(
    ("files", "blocks", "family", "loader", "where"),
    [
        ({CFG: config()}, BIOS, "debian", "grub2", CFG),
        ({CFG: config()}, BlockTable(), "debian", "grub2", CFG),
        ({"/boot/grub2/grub.cfg": config(), CFG: "x"}, BIOS, "rhel", "grub2", "/boot/grub2/grub.cfg"),
        ({"/boot/grub/menu.lst": LEGACY}, BIOS, "debian", "grub-legacy", "/boot/grub/menu.lst"),
        ({"/boot/grub/menu.lst": LEGACY, CFG: config(), "/boot/grub/i386-pc/core.img": b""}, BIOS, "debian", "grub2", CFG),
        ({"/boot/grub/menu.lst": LEGACY, CFG: config(), "/boot/grub/stage2": b""}, BIOS, "debian", "grub-legacy", "/boot/grub/menu.lst"),
        ({"/boot/extlinux.conf": EXTLINUX}, BIOS, "alpine", "extlinux", "/boot/extlinux.conf"),
        (
            {"/boot/extlinux/extlinux.conf": EXTLINUX, CFG: config()},
            BlockTable((disk(), part(1, bootable=True)), chains=(sample_chain("syslinux"),)),
            "debian",
            "extlinux",
            "/boot/extlinux/extlinux.conf",
        ),
        ({"/boot/extlinux/extlinux.conf": EXTLINUX, CFG: config()},
         BlockTable((disk(),), chains=(sample_chain("other"),)), "debian", "extlinux", "/boot/extlinux/extlinux.conf"),
        ({"/boot/efi/EFI/debian/grubx64.efi": b"MZ", "/boot/efi/EFI/debian/grub.cfg": STUB, CFG: config()}, UEFI, "debian", "grub2", CFG),
        ({"/boot/efi/EFI/debian/grubx64.efi": b"MZ", CFG: config()}, UEFI, "debian", "grub2", CFG),
        ({"/boot/efi/EFI/redhat/grub.efi": b"MZ", "/boot/efi/EFI/redhat/grub.conf": LEGACY},
         UEFI, "rhel", "grub-legacy", "/boot/efi/EFI/redhat/grub.conf"),
        ({"/boot/EFI/BOOT/BOOTX64.EFI": SYSTEMD, "/boot/loader/entries/a.conf": "linux /k\n"},
         UEFI, "arch", "systemd-boot", "/boot/loader/loader.conf"),
        ({"/efi/EFI/systemd/systemd-bootx64.efi": b"MZ", "/efi/loader/loader.conf": ""},
         UEFI, "arch", "systemd-boot", "/efi/loader/loader.conf"),
        ({"/efi/EFI/BOOT/BOOTX64.EFI": pe_image(UKI)}, UEFI, "arch", "uki", "/efi/EFI/BOOT/BOOTX64.EFI"),
        ({"/efi/EFI/Linux/a.efi": pe_image(UKI)}, UEFI, "arch", "uki", "/efi/EFI/Linux/a.efi"),
        ({"/efi/EFI/BOOT/BOOTX64.EFI": bytes(KERNEL)}, UEFI, "arch", "efi-stub",
         "/efi/EFI/BOOT/BOOTX64.EFI"),
        ({"/boot/efi/EFI/debian/grubx64.efi": b"MZ", "/boot/efi/EFI/debian/grub.cfg": "#\n", CFG: config()}, UEFI, "debian", "grub2", CFG),
        ({"/etc/lilo.conf": ""}, BIOS, "debian", "lilo", "/boot"),
        ({}, BIOS, "debian", "", "/boot"),
        ({"/boot/grub/menu.lst": LEGACY}, BARE, "rhel", "grub-legacy", "/boot/grub/menu.lst"),
    ],
)  # fmt: skip
def test_the_live_loader(files: Files, blocks: BlockTable, family: str, loader: str, where: str) -> None:
    found = store(files, blocks, family, family).get(Bootloader)
    assert (found.loader, str(found.where)) == (loader, where)


def test_a_hybrid_has_a_menu_per_firmware() -> None:
    files: Files = {
        "/boot/efi/EFI/redhat/grubx64.efi": b"MZ", "/boot/efi/EFI/redhat/grub.cfg": ENTRY.format("2.0"),
        "/boot/grub2/grub.cfg": ENTRY.format("1.0"),
        "/boot/grub2/i386-pc/core.img": b"",
    }  # fmt: skip
    found = store(files, HYBRID, "rhel", "rhel").get(Bootloader)
    assert [(menu.firmware, menu.config.path) for menu in found.menus] == [
        ("bios", "/boot/grub2/grub.cfg"), ("uefi", "/boot/efi/EFI/redhat/grub.cfg"),
    ]  # fmt: skip
    assert [entry.version for entry in found.defaults] == ["1.0", "2.0"]
    assert len(found.all_entries) == 2
    assert found.entries == found.menus[0].entries
    assert found.default_reason.startswith("default=0")


def test_a_hybrid_without_grub_for_bios_prefers_uefi() -> None:
    files: Files = {"/boot/efi/EFI/BOOT/BOOTX64.EFI": SYSTEMD, "/boot/efi/loader/entries/a.conf": "linux /k\n", CFG: config()}
    found = store(files, BlockTable((ESP,))).get(Bootloader)
    assert found.loader == "systemd-boot"


def test_one_configuration_for_both_counts_once() -> None:
    files: Files = {"/boot/efi/EFI/debian/grubx64.efi": b"MZ", "/boot/efi/EFI/debian/grub.cfg": STUB, CFG: config()}
    assert len(store(files, HYBRID).get(Bootloader).menus) == 1


def test_the_own_vendor_comes_first() -> None:
    files: Files = {
        "/boot/efi/EFI/BOOT/grub.cfg": ENTRY.format("3.0"), "/boot/efi/EFI/aaa/grub.cfg": ENTRY.format("2.0"),
        "/boot/efi/EFI/redhat/grub.cfg": ENTRY.format("1.0"), "/boot/efi/EFI/redhat/shimx64.efi": b"MZ",
    }  # fmt: skip
    found = store(files, UEFI, "rhel", "rhel").get(Bootloader)
    assert found.default is not None
    assert found.default.version == "1.0"
    assert [unused.where.path for unused in found.unused] == ["/boot/efi/EFI/BOOT/grub.cfg", "/boot/efi/EFI/aaa/grub.cfg"]
    assert found.unused[0].reason == "not read by the live loader (grub2)"


def test_nothing_found_says_so() -> None:
    found = store({"/usr/sbin/grub-mkconfig": ""}, BlockTable((*BIOS.devices, part(2, uuid="bbbb")))).get(Bootloader)
    assert (found.entries, found.default, found.defaults, found.mkconfig, found.elsewhere) == (
        (),
        None,
        (),
        "/usr/sbin/grub-mkconfig",
        True,
    )
    assert found.default_reason == "no GRUB, systemd-boot, extlinux or unified kernel image was found"


@pytest.mark.parametrize(
    ("blocks", "bios", "uefi", "only", "boot_disk"),
    [
        (BlockTable(), None, None, "", None),
        (BIOS, True, False, "bios", 0),
        (UEFI, False, False, "", None),
        (BlockTable((disk(), disk(2)), chains=(sample_chain("none"), sample_chain(disk=1))), True, False, "bios", 1),
        (BlockTable((disk(),), complete=False, chains=(sample_chain(),)), True, None, "", 0),
        (BlockTable((disk(),), chains=(sample_chain("other"),)), None, False, "", None),
        (BlockTable((disk(), disk(2)), chains=(sample_chain("other"), sample_chain(disk=1))), True, False, "bios", 1),
        (BlockTable((disk(), disk(2)), chains=(BROKEN, sample_chain("none", 1))), False, False, "", None),
        (BlockTable((disk(),)), None, False, "", None),
    ],
)
def test_firmware(blocks: BlockTable, bios: bool | None, uefi: bool | None, only: str, boot_disk: int | None) -> None:
    found = store({}, replace(blocks, devices=tuple(b for b in blocks if b != ESP))).get(Firmware)
    assert (found.bios, found.uefi, found.only, found.boot_disk) == (bios, uefi, only, boot_disk)


@pytest.mark.parametrize(
    ("files", "uefi", "reason"),
    [
        ({"/boot/efi/EFI/BOOT/BOOTX64.EFI": b"MZ"}, True, "the ESP at /boot/efi has /boot/efi/EFI/BOOT/BOOTX64.EFI"),
        ({"/boot/efi/EFI/debian/grubx64.efi": b"MZ"}, True, "the ESP at /boot/efi has /boot/efi/EFI/debian/grubx64.efi"),
        ({"/boot/efi/EFI/readme": b""}, False, "the ESP holds no loader"),
        ({}, None, "the ESP disk1p1 is not mounted anywhere and was not read"),
    ],
)
def test_uefi(files: Files, uefi: bool | None, reason: str) -> None:
    found = store(files, UEFI).get(Firmware)
    assert (found.uefi, found.uefi_reason, found.esp_disk) == (uefi, reason, 0)


@pytest.mark.parametrize(
    ("version", "level", "seen"), [("1.0", "raid1", True), ("0.90", "raid1", True), ("1.2", "raid1", False), ("1.0", "raid0", False)]
)
def test_firmware_sees_an_esp_on_a_mirror_with_its_metadata_at_the_end(version: str, level: str, seen: bool) -> None:
    member = part(1, "linux_raid_member", "5f3c", ESP_TYPE, details=(("level", level), ("md_version", version)))
    array = BlockDevice("md/esp", "md", 1 << 28, 0, 0, "vfat", "AB-CD", parents=("disk1p1",))
    blocks = BlockTable((disk(table="gpt"), member, array, part(2)), chains=(sample_chain("none"),))
    esp = MemoryFileSystem({"/EFI/BOOT/BOOTX64.EFI": pe_image({"mods": b"x"})}, "vfat", "AB-CD")
    guest = GuestFS({"/": MemoryFileSystem({"/boot/efi/x": ""}, "ext4", "aaaa-1111"), "/boot/efi": esp})
    found = FactStore((guest, blocks, OsInfo("linux", "debian", "debian", "Debian", "12", "x86_64"))).get(Firmware)
    assert found.uefi is seen
    assert seen or found.uefi_reason == "the ESP at /boot/efi is on md/esp, which firmware cannot read"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"\xa5" * 700, "has no PE header"),
        (pe_image({".text": b"x" * 900})[:-1], "is cut short: it has 1923 of 1924 bytes"),
        (pe_image({".text": b"x" * 900}), ""),
    ],
)
def test_a_program_that_no_firmware_can_load(content: bytes, problem: str) -> None:
    found = store({"/boot/efi/EFI/BOOT/BOOTX64.EFI": content}, UEFI)
    assert found.get(Efi).images[0].problem == problem
    assert found.get(Firmware).uefi is (problem == "")


def test_the_boot_disk_is_the_one_with_boot() -> None:
    parts = (disk(), disk(2), BlockDevice("disk2p1", "partition", 1, 1, 1, "ext4", "aaaa-1111"))
    blocks = BlockTable(parts, chains=(sample_chain(), sample_chain(disk=1)))
    guest = GuestFS({"/": MemoryFileSystem({"/x": ""}, "ext4", "aaaa-1111")})
    found = FactStore((guest, blocks, OsInfo("linux", "debian", "debian", "Debian"))).get(Firmware)
    assert found.boot_disk == 1


def test_the_esp() -> None:
    tree: Files = {
        "/EFI/Boot/bootx64.efi": b"MZ UEFI SHIM\n", "/EFI/Boot/grubx64.efi": pe_image({"mods": b"x"}), "/EFI/debian/shimx64.efi": b"MZ",
        "/EFI/debian/mmx64.efi": b"MZ", "/EFI/debian/fbx64.efi": b"MZ", "/EFI/Microsoft/Boot/bootmgfw.efi": b"MZ",
        "/EFI/Linux/a.efi": pe_image(UKI),
        "/EFI/x/kernel.efi": bytes(KERNEL), "/EFI/x/odd.EFI": b"?", "/EFI/debian/grub.cfg": "",
    }  # fmt: skip
    guest = GuestFS({"/": MemoryFileSystem({"/e": ""}, "ext4", "aaaa-1111"), "/efi": MemoryFileSystem(tree, "vfat", "ABCD-1234")})
    efi = FactStore((guest, UEFI)).get(Efi)
    assert (efi.mount, efi.device, str(efi.where)) == ("/efi", "disk1p1", "/efi/EFI")
    assert {image.name: image.kind for image in efi.images} == {
        "bootx64.efi": "shim", "grubx64.efi": "grub", "shimx64.efi": "shim", "mmx64.efi": "mok-manager", "fbx64.efi": "fallback",
        "bootmgfw.efi": "windows", "a.efi": "uki", "kernel.efi": "linux", "odd.efi": "unknown",
    }  # fmt: skip
    assert efi.vendors == ("debian", "x")
    assert efi.configs == ("/efi/EFI/debian/grub.cfg",)
    assert efi.fallback("x86_64") == efi.of("BOOT")[0]
    assert efi.fallback("") is not None
    assert efi.fallback("aarch64") is None


def test_an_esp_full_of_files_is_cut() -> None:
    guest = memory_guest({f"/efi/EFI/x/{number:04}.efi": b"" for number in range(2100)})
    assert len(FactStore((guest, BlockTable())).get(Efi).images) == 2000


def test_no_esp() -> None:
    efi = FactStore((memory_guest({"/boot/vmlinuz": ""}), BlockTable())).get(Efi)
    assert (efi, str(efi.where)) == (Efi(), "disk1 partition table")
    assert FactStore((memory_guest({"/x": ""}), UEFI)).get(Efi) == Efi("", "disk1p1")


FOUND, STALE = (f"search.fs_uuid {uuid} root\nset prefix=($root)/boot/grub\n" for uuid in ("aaaa-1111", "bbbb-1111"))


@pytest.mark.parametrize(
    ("image", "path", "outcome"),
    [
        (GrubImage("(,msdos1)/boot/grub"), CFG, "read"),
        (GrubImage("(hd0,msdos1)/boot/grub"), CFG, "read"),
        (GrubImage("(,msdos5)/boot/grub"), "(hd0,msdos5)/boot/grub/grub.cfg", "stops"),
        (GrubImage("(,gpt1)/boot/grub"), "(hd0,gpt1)/boot/grub/grub.cfg", "stops"),
        (GrubImage("(hd0,gpt1)/boot/grub"), CFG, "read"),
        (GrubImage("(hd1,msdos1)/boot/grub"), "(hd1,msdos1)/boot/grub/grub.cfg", "stops"),
        (GrubImage("/boot/grub"), "(hd0)/boot/grub/grub.cfg", "stops"),
        (GrubImage("(,msdos1)/grub"), "/grub/grub.cfg", "stops"),
        (GrubImage("(hd0,msdos1)/grub"), CFG, "read"),
        (GrubImage("(,msdos1)/old"), "/old/grub.cfg", "read"),
        (GrubImage("(,msdos5)/boot/grub", config=FOUND), CFG, "read"),
        (GrubImage("/boot/grub", config=FOUND), CFG, "read"),
        (GrubImage("(,msdos5)/boot/grub", config="search.fs_uuid aaaa-1111 root\n"), "(hd0,msdos5)/boot/grub/grub.cfg", "stops"),
        (GrubImage("(,msdos5)/boot/grub", config=STALE), "(hd0,msdos5)/boot/grub/grub.cfg", "stops"),
        (GrubImage("(,msdos1)/x", config=STALE), CFG, "read"),
        (GrubImage("(,msdos5)/x", config="search.fs_uuid aaaa-1111 root\nnormal ($root)/old/grub.cfg\n"), "/old/grub.cfg", "read"),
        (GrubImage("(,msdos5)/x", config="configfile (hd0,msdos1)/old/grub.cfg\n"), "/old/grub.cfg", "read"),
        (GrubImage("(,msdos5)/x", config="normal (hd0,msdos1)/gone.cfg\n"), CFG, "read"),
        (GrubImage("(,msdos5)/x", config="if smbios -t 1; then normal (hd0,msdos1)/old/grub.cfg; fi\n"), CFG, "read"),
        (GrubImage("(,msdos5)/boot/grub", config=STALE, memdisk=True), CFG, "read"),
        (None, CFG, "read"),
    ],
)
def test_core_img_reads_what_its_prefix_says(image: GrubImage | None, path: str, outcome: str) -> None:
    """With a real core.img in SeaBIOS, GRUB shows its prompt where disk, partition or folder is not there, and after a search without a
    result it goes on with the device of its prefix.
    """
    disk = BlockDevice("disk1", "disk", 9, 0, details=(("pt", "dos"),))
    part = BlockDevice("disk1p1", "partition", 9, 0, 1, "ext4", "aaaa-1111", parents=("disk1",))
    blocks = BlockTable((disk, part), chains=(replace(sample_chain(), loader="grub2", image=image),))
    tree = {CFG: config(), "/old/grub.cfg": config()}
    guest = GuestFS({"/": MemoryFileSystem(tree, "ext4", "aaaa-1111")})
    menu = FactStore((guest, blocks, OsInfo("linux", "debian", "debian", "Linux", "12"))).get(Bootloader).menus[0]
    assert (menu.config.path, "stops" if menu.stops else "unsure" if menu.unsure else "read") == (path, outcome)


@pytest.mark.parametrize(
    ("image", "unsure"),
    [
        (GrubImage("(hd1,msdos1)/boot/grub"), True),
        (GrubImage("(,msdos1)/boot/grub"), False),
        (GrubImage("(hd1,msdos1)/boot/grub", config=FOUND), False),
        (GrubImage("(hd1,msdos1)/boot/grub", config="set x=1\n"), True),
    ],
)
def test_the_second_disk_may_be_the_first_to_the_firmware(image: GrubImage, unsure: bool) -> None:
    disks = [BlockDevice(f"disk{n}", "disk", 9, n - 1, details=(("pt", "dos"),)) for n in (1, 2)]
    part = BlockDevice("disk2p1", "partition", 9, 1, 1, "ext4", "aaaa-1111", parents=("disk2",))
    blocks = BlockTable((*disks, part), chains=(replace(sample_chain(), loader="grub2", disk=1, image=image),))
    guest = GuestFS({"/": MemoryFileSystem({CFG: config()}, "ext4", "aaaa-1111")})
    menu = FactStore((guest, blocks, OsInfo("linux", "debian", "debian", "Linux", "12"))).get(Bootloader).menus[0]
    assert (menu.config.path, bool(menu.unsure), menu.stops) == (CFG, unsure, "")


def test_core_img_without_any_configuration_on_its_partition() -> None:
    """A configuration on another partition does not help it, whoever wrote the prefix."""
    blocks = replace(BIOS, chains=(replace(sample_chain(), loader="grub2", image=GrubImage("(hd0,msdos1)/boot/grub")),))
    for tree, stops in (({"/etc/fstab": ""}, True), ({"/grub2/grub.cfg": config()}, False)):
        guest = GuestFS({"/": MemoryFileSystem(tree, "ext4", "aaaa-1111"), "/boot": MemoryFileSystem({CFG[5:]: config()}, "ext4", "bbbb")})
        menu = FactStore((guest, blocks, OsInfo("linux", "debian", "debian", "Linux", "12"))).get(Bootloader).menus[0]
        assert (bool(menu.stops), menu.unsure) == (stops, "")
