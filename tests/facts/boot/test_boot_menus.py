"""GRUB legacy, systemd-boot and unified kernel images."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.facts.boot.pe_samples import UKI, pe_image
from v2vlint.facts.boot.cmdline import plain_args
from v2vlint.facts.boot.entry import BootEntry, kernel_version
from v2vlint.facts.boot.extlinux import extlinux_menu
from v2vlint.facts.boot.grub.files import GrubFiles
from v2vlint.facts.boot.grub.legacy import legacy_menu
from v2vlint.facts.boot.pe import PeImage, PeSection, read_pe, read_section
from v2vlint.facts.boot.systemd_boot import grub_bls_menu, systemd_boot_menu, unified_image
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.place import WholeFile
from v2vlint.model.rule import Link
from v2vlint.samples.memory import MemoryFileSystem, memory_guest

Files = Mapping[str, str | bytes | Link]
LEGACY = """# menu
default=1
fallback 0
timeout=5
title First (2.6.18)
  root (hd0,0)
  kernel --no-mem-option /vmlinuz-2.6.18 ro root=/dev/hda2 rhgb
  initrd /initrd-2.6.18.img
title Xen
  root (hd0,0)
  kernel /xen.gz-2.6.18
  module /vmlinuz-2.6.18xen ro root=/dev/hda2
  module /initrd-2.6.18xen.img
title Other
  rootnoverify (hd0,2)
  chainloader +1
"""


def test_grub_legacy() -> None:
    files: Files = {
        "/boot/grub/menu.lst": LEGACY,
        "/boot/vmlinuz-2.6.18xen": b"k",
        "/boot/vmlinuz-2.6.18": b"k",
        "/boot/initrd-2.6.18xen.img": b"i",
    }
    found = legacy_menu(GrubFiles(memory_guest(files), BlockTable()), "/boot/grub/menu.lst")
    assert found is not None
    first, xen, other = found.entries
    assert (first.kernel, first.version, str(first.root), str(first.where)) == (
        "/boot/vmlinuz-2.6.18", "2.6.18", "root=/dev/hda2", "/boot/grub/menu.lst:7:26",
    )  # fmt: skip
    assert (xen.kernel, xen.initrds, xen.xen) == ("/boot/vmlinuz-2.6.18xen", ("/boot/initrd-2.6.18xen.img",), True)
    assert (other.kernel, other.chainload) == ("", "+1")
    assert found.default is xen
    assert found.default_reason == "default=1"


@pytest.mark.parametrize(
    ("head", "title", "reason"),
    [
        ("", "a", "default=0"),
        ("default 1\n", "b", "default=1"),
        ("default=saved\n", "b", "default=saved, which is 1"),
        ("default=9\nfallback=1\n", "b", "default=9 names no entry, so fallback=1 is taken"),
        ("default=9\n", "a", "default=9 names no entry, so the first is taken"),
    ],
)
def test_the_default_of_grub_legacy(head: str, title: str | None, reason: str) -> None:
    text = head + "title a\n kernel /k root=/dev/sda1\ntitle b\n kernel (hd0,0)/k root=/dev/sda1\n"
    found = legacy_menu(
        GrubFiles(memory_guest({"/boot/grub/grub.conf": text, "/boot/grub/default": "1\n#\n"}), BlockTable()), "/boot/grub/grub.conf"
    )
    assert found is not None
    assert (found.default.title if found.default else None, found.default_reason) == (title, reason)


@pytest.mark.parametrize(
    ("head", "kernels", "title"),
    [
        ("default 0\n", "gone k", "0"),
        ("default 0\nfallback 1\n", "gone k", "1"),
        ("default 0\nfallback 1\n", "k k", "0"),
        ("default 0\nfallback 1\n", "noinitrd k", "1"),
        ("default 0\nfallback 1 2\n", "gone gone k", "2"),
        ("default 0\nfallback 1\n", "gone gone", "0"),
        ("default 0\nfallback 7\n", "gone k", "0"),
        ("default 9\nfallback 0 1\n", "gone k", "1"),
        ("default 0\nfallback 1\n", "other k", "1"),
    ],
)
def test_fallbacks_of_grub_legacy(head: str, kernels: str, title: str) -> None:
    """What certainly fails to load gives way; one disk has no (hd1)."""
    texts = {
        "k": "kernel /k\n", "gone": "kernel /gone\n", "noinitrd": "kernel /k\ninitrd /gone\n", "other": "kernel (hd1,0)/k\n",
    }  # fmt: skip
    entries = "".join(f"title {at}\nroot (hd0,0)\n{texts[one]}" for at, one in enumerate(kernels.split()))
    disk = BlockDevice("disk1", "disk", 9, 0, details=(("pt", "dos"),))
    blocks = BlockTable((disk, BlockDevice("disk1p1", "partition", 9, 0, 1, "ext3", "aaaa", parents=("disk1",))))
    guest = GuestFS({"/": MemoryFileSystem({"/boot/grub/menu.lst": head + entries, "/k": b"k"}, "ext3", "aaaa")})
    found = legacy_menu(GrubFiles(guest, blocks), "/boot/grub/menu.lst")
    assert found is not None
    assert found.default is not None
    assert found.default.title == title


def test_grub_legacy_finds_its_filesystem() -> None:
    boot = BlockDevice("disk1p2", "partition", 1, 0, 2, "ext3", "bbbb")
    text = "root (hd0,1)\ntitle a\n kernel /k\ntitle b\n uuid bbbb\n kernel /k\ntitle c\n kernel (hd0)/k\n"
    guest = GuestFS(
        {"/": MemoryFileSystem({"/boot/grub/menu.lst": text}, "ext3", "aaaa"), "/boot2": MemoryFileSystem({"/k": b""}, "ext3", "bbbb")}
    )
    found = legacy_menu(GrubFiles(guest, BlockTable((boot,))), "/boot/grub/menu.lst")
    assert found is not None
    assert [entry.kernel for entry in found.entries][:2] == ["/boot2/k", "/boot2/k"]


def test_an_absent_or_empty_grub_legacy() -> None:
    assert legacy_menu(GrubFiles(memory_guest({}), BlockTable()), "/boot/grub/menu.lst") is None
    found = legacy_menu(GrubFiles(memory_guest({"/m": "!!\ntimeout\ntitle\n kernel --type=linux \n savedefault\n"}), BlockTable()), "/m")
    assert found is not None
    assert len(found.malformed) == 1
    assert found.entries[0].kernel == ""
    empty = legacy_menu(GrubFiles(memory_guest({"/m": "kernel /x\n"}), BlockTable()), "/m")
    assert empty is not None
    assert (empty.default, empty.default_reason) == (None, "/m has no entries")


ESP: dict[str, str | bytes | Link] = {
    "/efi/LOADER/entries/debian.conf": "title Debian\nsort-key debian\nversion 6.1\nlinux /deb/6.1.0-13/linux\n"
    "initrd /deb/6.1.0-13/initrd\noptions root=/dev/sda1\noptions ro\n",
    "/efi/LOADER/entries/bad+0-3.conf": "title Bad\nlinux /bad\n",
    "/efi/LOADER/entries/shell.conf": "title Shell\nefi \\EFI\\tools\\shell.efi\n",
    "/efi/EFI/tools/shell.efi": pe_image({".text": b"x"}),
    "/efi/EFI/Linux/arch+2.efi": pe_image(UKI),
    "/efi/EFI/Linux/none.efi": b"MZ",
    "/efi/EFI/Linux/readme.txt": b"",
    "/efi/DEB/6.1.0-13/LINUX": b"k",
    "/efi/bad": b"k",
}


def test_systemd_boot_sorts_both_kinds_of_entries() -> None:
    found = systemd_boot_menu(memory_guest(ESP), "/efi")
    assert [entry.id for entry in found.entries] == ["arch.efi", "debian", "shell", "bad"]
    arch, debian, shell, _bad = found.entries
    assert (arch.title, arch.version, arch.has_initrd, str(arch.root), arch.kernel) == (
        "Arch Linux", "6.7.4-arch1-1", True, "root=/dev/sda2", "/efi/EFI/Linux/arch+2.efi",
    )  # fmt: skip
    assert arch.where == WholeFile("/efi/EFI/Linux/arch+2.efi")
    assert (debian.kernel, debian.version) == ("/efi/DEB/6.1.0-13/LINUX", "6.1")
    assert [str(arg.where) for arg in debian.args] == ["/efi/LOADER/entries/debian.conf:6:9", "/efi/LOADER/entries/debian.conf:7:9"]
    assert (shell.kernel, shell.chainload) == ("", "/efi/EFI/tools/shell.efi")


@pytest.mark.parametrize(
    ("conf", "name", "reason"),
    [
        ("default debian.conf\n", "debian", "default debian.conf (/efi/LOADER/loader.conf)"),
        ("default ARCH*\n", "arch.efi", "default ARCH* (/efi/LOADER/loader.conf)"),
        ("default gone.conf\n", "arch.efi", "default gone.conf matches no entry, so the first is taken"),
        ("timeout 3\n#default debian.conf\n", "arch.efi", "the first entry in systemd-boot's order"),
        ('default "debian.conf"\n', "debian", "default debian.conf (/efi/LOADER/loader.conf)"),
        ("default debian.conf\ntimeout menu-force\n", None, "the menu waits for a choice: timeout menu-force (/efi/LOADER/loader.conf)"),
        ("timeout menu-hidden\n", "arch.efi", "the first entry in systemd-boot's order"),
        ("default @saved\n", None, "the default is the entry booted last, which only the source's NVRAM knows"),
    ],
)
def test_the_default_of_systemd_boot(conf: str, name: str | None, reason: str) -> None:
    found = systemd_boot_menu(memory_guest({**ESP, "/efi/LOADER/loader.conf": conf}), "/efi")
    assert (found.default.id if found.default else None, found.default_reason) == (name, reason)


def test_an_entry_for_another_processor_is_not_shown() -> None:
    entry = 'title "Two words"\narchitecture x64\nlinux "/k"\noptions "root=/dev/sda1 quiet"\n'
    files: Files = {"/efi/k": b"k", "/efi/loader/entries/a.conf": entry, "/efi/loader/entries/z.conf": "architecture aa64\nlinux /k\n"}
    (found,) = systemd_boot_menu(memory_guest(files), "/efi", machine="x64").entries
    assert (found.title, found.kernel, [str(arg) for arg in found.args]) == ("Two words", "/efi/k", ["root=/dev/sda1", "quiet"])
    assert [one.id for one in systemd_boot_menu(memory_guest(files), "/efi", machine="aa64").entries] == ["z"]


def test_a_systemd_boot_without_entries() -> None:
    found = systemd_boot_menu(memory_guest({}), "/efi", ("/boot",))
    assert (found.default, found.default_reason) == (None, "systemd-boot finds no entries")


def test_an_entry_may_start_a_unified_image() -> None:
    files: Files = {"/efi/loader/entries/u.conf": "title U\nuki /EFI/Linux/arch.efi\n", "/efi/EFI/Linux/arch.efi": pe_image(UKI)}
    entry = next(entry for entry in systemd_boot_menu(memory_guest(files), "/efi").entries if entry.id == "u")
    assert (entry.kernel, str(entry.root), entry.has_initrd) == ("/efi/EFI/Linux/arch.efi", "root=/dev/sda2", True)


@pytest.mark.parametrize(
    ("keyword", "more", "initrds"),
    [
        ("efi", "options ro initrd=\\i\\a initrd=b", ("/efi/i/a", "/efi/b")),
        ("efi", "initrd /c", ()),
        ("linux", "options ro initrd=a", ("/efi/a",)),
        ("linux", "initrd /c\noptions ro initrd=a", ("/efi/c",)),
    ],
)
def test_a_kernel_may_be_started_as_a_program(keyword: str, more: str, initrds: tuple[str, ...]) -> None:
    """With an EFI stub, which reads what ``initrd=`` names if the loader brings no initramfs."""
    image = bytearray(pe_image({".text": b"code"}).ljust(1024, b"\0"))
    image[0x202:0x206] = b"HdrS"
    files: Files = {"/efi/loader/entries/u.conf": f"title U\n{keyword} /vmlinuz\n{more}\n", "/efi/vmlinuz": bytes(image)}
    found = next(entry for entry in systemd_boot_menu(memory_guest(files), "/efi").entries if entry.id == "u")
    assert (found.kernel, found.initrds, found.chainload) == ("/efi/vmlinuz", initrds, "")


def test_a_unified_image_without_a_release() -> None:
    guest = memory_guest({"/x/linux-6.1.0.efi": pe_image({".linux": b"k"})})
    found = unified_image(guest, "/x/linux-6.1.0.efi")
    assert found is not None
    assert (found.entry.title, found.entry.version, found.entry.args) == ("linux-6.1.0.efi", "6.1.0", ())
    assert unified_image(guest, "/x/gone.efi") is None


def test_add_ons_append_to_the_command_line() -> None:
    addon = pe_image({".cmdline": b"console=ttyS0\0"})
    files: Files = {
        "/efi/EFI/Linux/arch+3.efi": pe_image(UKI),
        "/efi/EFI/Linux/arch.efi.extra.d/a.addon.efi": addon,
        "/efi/EFI/Linux/arch.efi.extra.d/b.efi": addon,
        "/efi/loader/addons/all.addon.efi": pe_image({".cmdline": b"quiet\0"}),
    }
    found = unified_image(memory_guest(files), "/efi/EFI/Linux/arch+3.efi")
    assert found is not None
    assert [str(arg) for arg in found.entry.args] == ["root=/dev/sda2", "rw", "quiet", "console=ttyS0"]
    assert found.entry.id == "arch.efi"


OWN, OTHER = {".uname": b"6.1.0"}, {".uname": b"6.8.0"}


@pytest.mark.parametrize(
    ("own", "more", "counts"),
    [(OWN, OWN, True), (OWN, {".uname": b"6.1"}, True), (OWN, OTHER, False), ({}, OTHER, True), (OWN, {".linux": b"k"}, False)],
)
def test_an_add_on_for_another_kernel_is_passed_over(own: dict[str, bytes], more: dict[str, bytes], counts: bool) -> None:
    plain = {name: content for name, content in UKI.items() if name != ".uname"}
    files: Files = {
        "/efi/EFI/Linux/a.efi": pe_image(plain | own),
        "/efi/EFI/Linux/a.efi.extra.d/a.addon.efi": pe_image({".cmdline": b"quiet\0", **more}),
    }
    found = unified_image(memory_guest(files), "/efi/EFI/Linux/a.efi")
    assert found is not None
    assert ("quiet" in [str(arg) for arg in found.entry.args]) is counts


@pytest.mark.parametrize(("stub", "count"), [("252.39-1~deb12u2", 2), ("253", 2), ("254~rc1-1", 3), ("257.9", 3)])
def test_stubs_know_add_ons_since_254(stub: str, count: int) -> None:
    image = pe_image({**UKI, ".sdmagic": f"#### LoaderInfo: systemd-stub {stub} ####".encode()})
    files: Files = {"/efi/EFI/Linux/a.efi": image, "/efi/EFI/Linux/a.efi.extra.d/a.addon.efi": pe_image({".cmdline": b"quiet\0"})}
    found = unified_image(memory_guest(files), "/efi/EFI/Linux/a.efi")
    assert found is not None
    assert len(found.entry.args) == count


def test_the_first_profile_of_a_unified_image_counts() -> None:
    sections = tuple(PeSection(name, number, 1) for number, name in enumerate((".linux", ".cmdline", ".profile", ".profile", ".cmdline")))
    assert PeImage("x64", sections).section(".cmdline") == sections[1]
    own = (*sections[:3], PeSection(".cmdline", 9, 1), *sections[3:])
    assert PeImage("x64", own).section(".cmdline") == own[3]
    assert PeImage("x64", own).section(".linux") == sections[0]


def test_entries_whose_kernel_is_gone_are_left_out() -> None:
    entry = "linux /vmlinuz-{0}\nversion {0}\nsort-key a\n"
    files: Files = {f"/efi/loader/entries/{name}.conf": entry.format(name) for name in ("1", "2")}
    assert [e.id for e in systemd_boot_menu(memory_guest({**files, "/efi/vmlinuz-1": b"k"}), "/efi").entries] == ["1"]
    assert [e.id for e in systemd_boot_menu(memory_guest(files), "/efi").entries] == ["2", "1"]


def test_grub_with_entries_on_its_own_partition() -> None:
    entry = "linux /vmlinuz-{0}\nversion {0}\nsort-key a\n"
    files: Files = {f"/efi/loader/entries/{name}.conf": entry.format(name) for name in ("1", "2")}
    files = {**files, "/efi/vmlinuz-1": "k", "/efi/vmlinuz-2": "k"}
    found = grub_bls_menu(memory_guest(files), "/efi")
    assert found is not None
    assert found.default is not None
    assert (found.loader, found.default.kernel) == ("grub2", "/efi/vmlinuz-2")
    block = "# GRUB Environment Block\nsaved_entry=1\n".ljust(1024, "#")
    again = grub_bls_menu(memory_guest({**files, "/efi/EFI/opensuse/grubenv": block}), "/efi")
    assert again is not None
    assert again.default is not None
    assert again.default.id == "1"
    assert grub_bls_menu(memory_guest({}), "/efi") is None


def test_grub_starts_an_entry_whose_kernel_is_gone_and_skips_those_without_linux() -> None:
    entry = "linux /vmlinuz-{0}\nversion {0}\nsort-key a\n"
    files: Files = {f"/efi/loader/entries/{name}.conf": entry.format(name) for name in ("1", "2")}
    files = {**files, "/efi/loader/entries/3.conf": "efi /EFI/Linux/u.efi\nversion 3\nsort-key a\n", "/efi/EFI/Linux/u.efi": pe_image(UKI)}
    found = grub_bls_menu(memory_guest({**files, "/efi/vmlinuz-1": "k"}), "/efi")
    assert found is not None
    assert [one.id for one in found.entries] == ["2", "1"]
    assert found.default == found.entries[0]


def test_pe_sections() -> None:
    stream = io.BytesIO(pe_image(UKI))
    image = read_pe(stream)
    assert image is not None
    assert image.machine == "x64"
    section = image.section(".initrd")
    assert section is not None
    assert section == PeSection(".initrd", section.offset, 20)
    assert read_section(stream, section) == b"i" * 20
    assert image.section(".none") is None


@pytest.mark.parametrize(
    "data", [b"", b"MZ", b"MZ".ljust(64, b"\xff"), pe_image(UKI)[:80], b"MZ".ljust(60, b"\0") + struct.pack("<I", 64) + b"XX"]
)
def test_what_is_no_pe_image(data: bytes) -> None:
    found = read_pe(io.BytesIO(data))
    assert found is None or found.sections == ()


_PATHS = ("/boot/grub/menu.lst", "/boot/extlinux.conf", "/efi/loader/loader.conf", "/efi/loader/entries/a.conf")


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_survived(data: bytes) -> None:
    files: Files = dict.fromkeys(_PATHS, data)
    guest = memory_guest({**files, "/efi/EFI/Linux/a.efi": b"MZ".ljust(60, b"\0") + data})
    legacy_menu(GrubFiles(guest, BlockTable()), "/boot/grub/menu.lst")
    extlinux_menu(GrubFiles(guest, BlockTable()), "/boot/extlinux.conf")
    systemd_boot_menu(guest, "/efi")


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("/boot/vmlinuz-6.1.0-13-amd64", "6.1.0-13-amd64"),
        ("/boot/kernel-genkernel-x86_64-6.1.12-gentoo", "6.1.12-gentoo"),
        ("/boot/vmlinuz-linux", ""),
        ("/boot/vmlinuz", ""),
        ("/lib/modules/6.1.0/vmlinuz", "6.1.0"),
        ("/usr/lib/modules/6.1.0/vmlinuz", "6.1.0"),
        ("/efi/abc/6.1.0-1.fc40/linux", "6.1.0-1.fc40"),
        ("/boot/bzImage-5.4.0.gz", "5.4.0"),
        ("", ""),
    ],
)
def test_kernel_versions(path: str, version: str) -> None:
    assert kernel_version(path) == version


@pytest.mark.parametrize(
    ("title", "identifier", "args", "rescue"),
    [
        ("Debian", "", (), False),
        ("Debian (recovery mode)", "", (), True),
        ("Arch", "arch-fallback", (), True),
        ("x", "ab-0-rescue", (), True),
        ("Debian", "", ("single",), True),
    ],
)
def test_rescue_entries(title: str, identifier: str, args: tuple[str, ...], rescue: bool) -> None:
    place = WholeFile("/x")
    entry = BootEntry(title, identifier, "/k", (), plain_args(" ".join(args), place), place, "/x")
    assert entry.is_rescue is rescue
    assert str(entry) == title


@pytest.mark.parametrize(
    ("line", "resume", "root"), [("resume=a real_root=b root=c", "resume=a", "real_root=b"), ("resume=a noresume", "None", "None")]
)
def test_the_arguments_of_an_entry(line: str, resume: str, root: str) -> None:
    place = WholeFile("/x")
    entry = BootEntry("", "id", "/k", (), plain_args(line, place), place, "/x")
    assert (str(entry.resume), str(entry.root), str(entry)) == (resume, root, "id")
    assert entry.all("resume", "root")[0].value == "a"
