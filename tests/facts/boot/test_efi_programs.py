"""Programs on the ESP: which of them firmware loads, what each reads, and which are only named. OVMF is asked, too."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from guestbuild.kernel import vmlinuz
from tests.disk.boot.ovmf import esp_image, shown
from tests.facts.boot.pe_samples import pe_image
from tests.verdicts.asking import FAILS, ROOT, UNKNOWN, disk, part, store, told
from v2vlint.facts.boot.boot_end import BootEnd
from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.choices import BootChoices
from v2vlint.facts.boot.efi import ESP_TYPE, XBOOTLDR_TYPE, Efi, boot_mounts
from v2vlint.facts.boot.firmware import Firmware
from v2vlint.facts.boot.systemd_boot import systemd_boot_menu
from v2vlint.facts.registry import FactStore
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.rule import Content
from v2vlint.samples.boot import sample_boot, sample_chain, sample_initramfs
from v2vlint.samples.memory import MemoryFileSystem, memory_guest
from v2vlint.verdicts import predict
from v2vlint.verdicts.firmware import FirmwareVerdict
from v2vlint.verdicts.loader import LoaderVerdict

TOP = "/boot/efi/EFI"
DISKS = BlockTable(
    (disk(details=(("pt", "gpt"),)), part(1, "vfat", "AB-CD", part_type=ESP_TYPE), part(2, "ext4", ROOT)), chains=(sample_chain("none"),)
)
LEGACY = pe_image({".text": b"0.97 GNU GRUB  version %s"})
SYSLINUX = pe_image({".text": b"ldlinux.e64"})
MENU = "title a\n kernel /vmlinuz root=/dev/sda2\n"
GRUB = Path("/usr/lib/grub/x86_64-efi/monolithic/grubx64.efi")


def guest(files: Mapping[str, str | bytes], target: str = "kvm", arch: str = "x86_64") -> FactStore:
    return store({}, memory_guest(dict(files), ROOT), DISKS, OsInfo("linux", "debian", "debian", "Debian", "12", arch), target=target)


def patched(field: int, value: int) -> bytes:
    """GRUB with another 16-bit number in its header: ``field`` is the offset from the PE signature."""
    data = bytearray(GRUB.read_bytes())
    struct.pack_into("<H", data, struct.unpack_from("<I", data, 60)[0] + field, value)
    return bytes(data)


PROGRAMS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "GRUB": ("", GRUB.read_bytes),
    "a program for other processors": ("is a program for ia32", lambda: patched(4, 0x14C)),
    "a program for Windows": ("is no program for EFI: its subsystem is 3", lambda: patched(24 + 68, 3)),
    "half of GRUB": ("is cut short", lambda: GRUB.read_bytes()[:100_000]),
}


@pytest.mark.skipif(not GRUB.exists(), reason="grub-efi-amd64-bin is not installed")
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that_no_firmware_loads(name: str) -> None:
    problem, make = PROGRAMS[name]
    found = guest({f"{TOP}/BOOT/BOOTX64.EFI": make()}).get(Efi).images[0].problem
    assert (problem in found) if problem else not found


@pytest.mark.truth
@pytest.mark.parametrize("name", PROGRAMS)
def test_ovmf_loads_it_or_not(name: str, tmp_path: Path) -> None:
    problem, make = PROGRAMS[name]
    text = shown(esp_image(tmp_path / "d.raw", {"EFI/BOOT/BOOTX64.EFI": make()}), awaited="grub>|Shell>|failed to load")
    assert ("grub>" in text) is not bool(problem), text


@pytest.mark.truth
def test_ovmf_of_64_bits_starts_no_bootia32(tmp_path: Path) -> None:
    text = shown(esp_image(tmp_path / "d.raw", {"EFI/BOOT/BOOTIA32.EFI": GRUB.read_bytes()}), awaited="grub>|Shell>")
    assert "grub>" not in text


@pytest.mark.parametrize(("target", "name", "wanted"), [
    ("kvm", "BOOTIA32.EFI", [FAILS]), ("kvm", "BOOTX64.EFI", []), ("vmware", "BOOTIA32.EFI", []), ("vmware", "BOOTX64.EFI", [FAILS]),
])  # fmt: skip
def test_the_firmware_of_a_guest_of_32_bits(target: str, name: str, wanted: object) -> None:
    facts = guest({f"{TOP}/BOOT/{name}": b"MZ grub_"}, target, "i386")
    assert told(facts.get(FirmwareVerdict).fallback) == wanted
    assert all("for its 64 bits, only BOOTIA32.EFI" in cause.reason for cause in facts.get(FirmwareVerdict).fallback if target == "kvm")


def test_grub_legacy_reads_the_file_that_is_called_as_itself() -> None:
    files: dict[str, str | bytes] = {f"{TOP}/redhat/grub.efi": LEGACY, f"{TOP}/redhat/grub.conf": MENU, f"{TOP}/BOOT/BOOTX64.EFI": LEGACY}
    alone = guest(files)
    assert told(alone.get(LoaderVerdict).prompt) == [FAILS]
    assert str(alone.get(LoaderVerdict).prompt[0].where) == f"{TOP}/BOOT/BOOTX64.conf"
    both = guest({**files, f"{TOP}/BOOT/bootx64.CONF": MENU})
    assert told(both.get(LoaderVerdict).prompt) == []
    assert str(both.get(Bootloader).where) == f"{TOP}/BOOT/bootx64.CONF"


@pytest.mark.parametrize(("content", "title"), [
    (b"limine.conf", "Limine"), (b"limine.cfg", "Limine"), ("rEFInd".encode("utf-16-le"), "rEFInd"),
])  # fmt: skip
def test_a_loader_that_is_not_read_is_named_once(content: bytes, title: str) -> None:
    facts = guest({**sample_boot(), f"{TOP}/BOOT/BOOTX64.EFI": pe_image({".text": content}), f"{TOP}/debian/grubx64.efi": b"MZ grub_"})
    unread = "which has no stanza, and no kernel where it would look" if title == "rEFInd" else "whose configuration is not read"
    reason = f"the boot loader is {title}, {unread}"
    stages = {stage.stage: stage for stage in predict(facts).stages}
    for stage in (Stage.LOADER, Stage.ENTRY, Stage.KERNEL, Stage.INITRAMFS, Stage.ROOT):
        assert (stages[stage].fate, stages[stage].reason) == (Fate.UNKNOWN, reason)
    assert told(facts.get(LoaderVerdict).menu) == [UNKNOWN]


ORDER = (
    "EFI/BOOT/extlinux.conf", "EFI/BOOT/syslx64.cfg", "EFI/BOOT/syslinux.cfg", "boot/syslinux/extlinux.conf", "boot/syslinux/syslinux.cfg",
    "syslinux/syslinux.cfg", "syslinux.cfg",
)  # fmt: skip
"""As SYSLINUX 6.04 looks for its configuration."""


@pytest.mark.parametrize("first", range(len(ORDER) + 1))
def test_syslinux_for_efi(first: int) -> None:
    files = {f"/boot/efi/{path}": "DEFAULT a\nLABEL a\n LINUX /vmlinuz\n APPEND root=/dev/sda2\n" for path in ORDER[first:]}
    facts = guest({**files, f"{TOP}/BOOT/BOOTX64.EFI": SYSLINUX, f"{TOP}/syslinux/syslinux.cfg": "LABEL b\n"})
    if first == len(ORDER):
        assert told(facts.get(LoaderVerdict).prompt) == [FAILS]
    else:
        assert str(facts.get(Bootloader).where) == f"/boot/efi/{ORDER[first]}"
        entry = facts.get(Bootloader).default
        assert entry is not None


def test_syslinux_loads_from_its_own_partition() -> None:
    esp: dict[str, Content] = {
        "/EFI/BOOT/BOOTX64.EFI": SYSLINUX,
        "/syslinux.cfg": "DEFAULT a\nLABEL a\n LINUX /vmlinuz\n",
        "/vmlinuz": b"x",
    }
    systems = {
        "/": MemoryFileSystem({"/vmlinuz": b"y", "/boot/efi/x": b""}, "ext4", ROOT),
        "/boot/efi": MemoryFileSystem(esp, "vfat", "AB-CD"),
    }
    entry = store({}, GuestFS(systems), DISKS).get(Bootloader).default
    assert entry is not None
    assert entry.kernel == "/boot/efi/vmlinuz"


@pytest.mark.truth
@pytest.mark.parametrize("first", range(len(ORDER)))
def test_syslinux_looks_in_this_order(first: int, tmp_path: Path) -> None:
    programs = {"BOOTX64.EFI": "SYSLINUX.EFI/efi64/syslinux.efi", "ldlinux.e64": "syslinux/modules/efi64/ldlinux.e64"}
    if not all((Path("/usr/lib") / path).exists() for path in programs.values()):
        pytest.skip("syslinux-efi and syslinux-common are not installed")
    files = {f"EFI/BOOT/{name}": (Path("/usr/lib") / path).read_bytes() for name, path in programs.items()}
    files |= {path: f"SERIAL 0\nPROMPT 1\nSAY this is {path}.\nLABEL x\n LINUX /x\n".encode() for path in ORDER[first:]}
    assert f"this is {ORDER[first]}." in shown(esp_image(tmp_path / "d.raw", files), awaited="this is [^.]+[.]\\w+[.]|boot:")


@pytest.mark.parametrize(("kind", "uefi"), [("0x0c", None), ("", None), ("0xde", False), ("0x0c mounted", False)])
def test_a_fat_that_is_no_esp_by_its_type(kind: str, uefi: bool | None) -> None:
    uuid = "" if "mounted" not in kind else ROOT
    blocks = BlockTable((disk(), part(1, "vfat", uuid or "AB-CD", part_type=kind.split(" ")[0])), chains=(sample_chain(),))
    assert store({}, memory_guest({"/etc/hostname": "x\n"}, ROOT), blocks).get(Firmware).uefi is uefi


@pytest.mark.truth
@pytest.mark.parametrize("table", ["2048,60000,c\n", "2048,60000,ef\n", "label: gpt\nstart=2048,size=60000,type=L\n", ""])
def test_ovmf_asks_no_type(table: str, tmp_path: Path) -> None:
    image = esp_image(tmp_path / "d.raw", {"EFI/BOOT/BOOTX64.EFI": GRUB.read_bytes()}, table)
    assert "grub>" in shown(image, awaited="grub>|Shell>")


@pytest.mark.parametrize(
    ("files", "kind", "fates"),
    [
        ({"BOOT/BOOTX64.EFI": b"MZ own loader"}, "unknown", [UNKNOWN]),
        ({"BOOT/BOOTX64.EFI": b"MZ one", "debian/grubx64.efi": b"MZ one"}, "grub", []),
        ({"BOOT/BOOTX64.EFI": b"MZ one", "debian/grubx64.efi": b"MZ two"}, "unknown", [UNKNOWN]),
        ({"debian/grubx64.efi": b"MZ two"}, "", []),
    ],
)
def test_a_program_that_is_not_recognised(files: Mapping[str, bytes], kind: str, fates: list[object]) -> None:
    menu: dict[str, str | bytes] = {
        "/boot/grub/grub.cfg": "menuentry a {\n linux /vmlinuz\n}\n",
        f"{TOP}/debian/grub.cfg": "menuentry b {\n linux /x\n}\n",
    }
    facts = guest({**menu, **{f"{TOP}/{path}": content for path, content in files.items()}})
    found = facts.get(Efi).fallback("x86_64")
    assert (found.kind if found else "") == kind
    loaded = facts.get(Bootloader).menus
    assert told(facts.get(LoaderVerdict).unknown) == (fates if loaded and loaded[0].firmware == "uefi" else [])


@pytest.mark.parametrize(
    ("config", "args"),
    [
        ('CONFIG_CMDLINE_BOOL=y\nCONFIG_CMDLINE="root=PARTUUID=ab quiet"\n', ["root=PARTUUID=ab", "quiet"]),
        ('CONFIG_CMDLINE="root=/dev/vda2 a=\\"b c\\""\n', ["root=/dev/vda2", "a=b c"]),
        ("# CONFIG_CMDLINE_BOOL is not set\n", []),
        ("CONFIG_EFI_STUB=y\n", []),
        (None, []),
    ],
)
def test_a_kernel_that_firmware_starts_has_its_own_arguments(config: str | None, args: list[str]) -> None:
    files: dict[str, str | bytes] = {f"{TOP}/BOOT/BOOTX64.EFI": vmlinuz("6.6.30-gentoo")}
    entry = guest(files | ({} if config is None else {"/boot/config-6.6.30-gentoo": config})).get(Bootloader).default
    assert entry is not None
    assert (entry.version, [str(arg) for arg in entry.args]) == ("6.6.30-gentoo", args)


@pytest.mark.parametrize(
    ("version", "loads"),
    [("6.13.0-rc1", True), ("6.16.0", True), ("7.0.1", True), ("6.12.117+deb12-amd64", False), ("6.9.1", False), ("5.15.0", False)],
)
@pytest.mark.parametrize("init", ["", "init=/sbin/none "])
def test_initrd_that_is_compiled_into_a_kernel(version: str, loads: bool, init: str) -> None:
    """On the volume of the kernel, as libstub/file.c of Linux has it since 6.13. Without an initramfs the kernel tries no other init."""
    config = f'CONFIG_CMDLINE_BOOL=y\nCONFIG_CMDLINE="root=/dev/vda2 {init}initrd=\\\\initrd.img"\n'
    esp: dict[str, Content] = {"/EFI/BOOT/BOOTX64.EFI": vmlinuz(version), "/initrd.img": sample_initramfs()}
    root: dict[str, Content] = {f"/boot/config-{version}": config, "/sbin/x": b"", "/boot/efi/x": b""}
    facts = store({}, GuestFS({"/": MemoryFileSystem(root, "ext4", ROOT), "/boot/efi": MemoryFileSystem(esp, "vfat", "AB-CD")}), DISKS)
    (default,) = facts.get(BootChoices).defaults
    assert default.initrds == (("/boot/efi/initrd.img",) if loads else ())
    assert bool(facts.get(BootEnd).shell) is (bool(init) and not loads)


@pytest.mark.parametrize("folder", ["BOOT/BOOT", "systemd/systemd-boot"])
@pytest.mark.parametrize(
    ("arch", "machine", "shown"),
    [("x86_64", "x64", ["a"]), ("x86_64", "X64", []), ("aarch64", "aa64", ["a"]), ("i386", "x64", ["a"]), ("aarch64", "x64", [])],
)
def test_the_processor_of_the_systemd_boot_that_starts(folder: str, arch: str, machine: str, shown: list[str]) -> None:
    programs = {"AA64": 0xAA64, "IA32": 0x14C, "X64": 0x8664}
    magic = b"#### LoaderInfo: systemd-boot 249.11 ####"
    files: dict[str, str | bytes] = {f"{TOP}/{folder}{name}.EFI": pe_image({".sdmagic": magic}, one) for name, one in programs.items()}
    entry = f"architecture {machine}\nlinux /vm\noptions root=/dev/vda2\n"
    found = guest({**files, "/boot/efi/vm": b"k", "/boot/efi/loader/entries/a.conf": entry}, arch=arch).get(Bootloader)
    assert [one.id for one in found.entries] == shown


def test_the_systemd_boot_at_the_fallback_path_counts() -> None:
    programs = {"BOOT/BOOTIA32.EFI": 0x14C, "systemd/systemd-bootx64.efi": 0x8664}
    magic = {".sdmagic": b"#### LoaderInfo: systemd-boot 257 ####"}
    files: dict[str, str | bytes] = {f"{TOP}/{path}": pe_image(magic, machine) for path, machine in programs.items()}
    files |= {"/boot/efi/vm": b"k", "/boot/efi/loader/entries/a.conf": "architecture IA32\nlinux /vm\noptions root=/dev/vda2\n"}
    assert [one.id for one in guest(files, "vmware", "i386").get(Bootloader).entries] == ["a"]


@pytest.mark.parametrize(("version", "machine", "conf", "default"), [
    (249, "X64", "", "a"), (251, "X64", "", "a"), (257, "X64", "", "z"), (252, "X64", "", None), (256, "X64", "", None),
    (None, "X64", "", None), (None, "AA64", "", "a"), (257, "AA64", "", "a"), (252, "x64", "", "z"), (252, "X64", "default a.conf", "a"),
])  # fmt: skip
def test_an_architecture_in_capitals(version: int | None, machine: str, conf: str, default: str | None) -> None:
    """``z`` comes first if it is shown; a version that does not tell leaves the default open only where it depends on that."""
    entries = {"a": "linux /k\nversion 1\nsort-key a\n", "z": f"architecture {machine}\nlinux /k\nversion 2\nsort-key a\n"}
    files: dict[str, Content] = {"/efi/k": b"k", "/efi/loader/loader.conf": conf}
    files = {**files, **{f"/efi/loader/entries/{name}.conf": text for name, text in entries.items()}}
    found = systemd_boot_menu(memory_guest(files), "/efi", machine="x64", version=version)
    assert (found.default.id if found.default else None) == default
    assert ("depends on its version" in found.default_reason) is (default is None)


def test_programs_of_the_same_size_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each one that is not recognised has the size of all that are."""
    read: list[str] = []
    head = GuestFS.head

    def counted(fs: GuestFS, path: str, size: int) -> bytes | None:
        read.append(path)
        return head(fs, path, size)

    monkeypatch.setattr(GuestFS, "head", counted)
    sizes = range(30)
    files = {f"{TOP}/a/grubx64-{number}.efi": b"MZ" + bytes([number]) for number in sizes}
    files |= {f"{TOP}/z/{number}.efi": b"MZ" + bytes([number + 15]) for number in sizes} | {f"{TOP}/z/other.efi": b"MZ else"}
    kinds = {image.path: image.kind for image in guest(files).get(Efi).images}
    assert [kinds[f"{TOP}/z/{number}.efi"] for number in sizes] == ["grub"] * 15 + ["unknown"] * 15
    assert len(read) == len(set(read)) == 60


@pytest.mark.parametrize(
    ("kind", "driver", "seen"),
    [
        ("vfat", "", True),
        ("", "", True),  # a tree or an archive does not tell
        ("ext4", "", False),
        ("ext4", "/EFI/systemd/drivers/ext4_x64.efi", True),
        ("ext4", "/EFI/systemd/drivers/README", False),
    ],
)
def test_firmware_reads_fat_and_what_it_has_drivers_for(kind: str, driver: str, seen: bool) -> None:
    esp = MemoryFileSystem({"/EFI/BOOT/BOOTX64.EFI": b"MZ", **({driver: b"MZ"} if driver else {})}, "vfat", "E5E5-0001")
    boot = MemoryFileSystem({"/loader/entries/1.conf": ""}, kind, "bbbb")
    fs = GuestFS({"/": MemoryFileSystem({"/efi/x": "", "/boot/x": ""}, "ext4", "aaaa"), "/efi": esp, "/boot": boot})
    blocks = BlockTable((BlockDevice("disk1p2", "partition", 1, 0, 2, kind, "bbbb", part_type=XBOOTLDR_TYPE),))
    assert boot_mounts(fs, blocks, "/efi") == (("/boot",) if seen else ())
