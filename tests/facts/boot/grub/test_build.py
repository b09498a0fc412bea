"""EFI programs made by grub-mkimage(1) and grub-mkstandalone(1): what is in them decides what they read, and which commands they have."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from v2vlint.facts.boot.grub.build import GrubBuild, build_of, memory_files
from v2vlint.facts.boot.grub.cfg import grub_program_menu
from v2vlint.facts.boot.grub.files import GrubFiles
from v2vlint.facts.boot.grub.program import GrubProgram
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.samples.memory import MemoryFileSystem, memory_guest

MODULES = Path("/usr/lib/grub/x86_64-efi")
needs_grub = pytest.mark.skipif(not MODULES.is_dir(), reason="needs grub-efi-amd64-bin")
PLAIN = "menuentry x {\n linux /vmlinuz root=UUID=aaaa\n initrd /initrd\n}\n"
ASKED = "if insmod gone; then l=linux16; else l=linux; fi\n" + PLAIN.replace("linux /", "$l /")
ENTRY = "menuentry x {\n linux16 /vmlinuz root=UUID=aaaa\n initrd16 /initrd\n}\n"
FOLDER = "/boot/grub/x86_64-efi"
BASE = ("normal", "part_gpt", "fat")
BLOCKS = BlockTable(
    (
        BlockDevice("disk1", "disk", 1 << 30, 0, details=(("pt", "gpt"),)),
        BlockDevice("disk1p1", "partition", 1 << 20, 0, 1, "vfat", "E5E5-0001"),
        BlockDevice("disk1p2", "partition", 1 << 20, 0, 2, "ext4", "aaaa"),
    )
)


def made(folder: Path, *modules: str, prefix: str = "/EFI/debian", config: str = "", memdisk: Path | None = None) -> bytes:
    """A program with these modules inside, as grub-mkimage makes it."""
    output, load = folder / "grub.efi", folder / "load.cfg"
    load.write_text(config)
    more = [*(("-c", load) if config else ()), *(("-m", memdisk) if memdisk else ())]
    subprocess.run(["grub-mkimage", "-O", "x86_64-efi", *more, "-p", prefix, "-o", output, *BASE, *modules], check=True)
    return output.read_bytes()


def started(program: bytes, esp: dict[str, str | bytes], root: dict[str, str | bytes]) -> tuple[str, str, str]:
    """What stops GRUB, the unknown command and the kernel of the entry that it starts from an ESP and a root with these files."""
    mounts = {
        "/": MemoryFileSystem({"/boot/.keep": "", **root}, "ext4", "aaaa"),
        "/boot/efi": MemoryFileSystem({**esp, "/EFI/debian/g.efi": program}, "vfat", "E5E5-0001"),
    }
    files, path = GrubFiles(GuestFS(mounts), BLOCKS), "/boot/efi/EFI/debian/g.efi"
    build = build_of(files.fs, path)
    assert build is not None
    menu = grub_program_menu(files, GrubProgram("uefi", "x86_64", "debian", path, build), build)
    entry = menu.default
    return menu.stops, entry.unknown_command if entry else "", entry.kernel if entry else ""


@needs_grub
@pytest.mark.parametrize(
    ("config", "modules", "stops"),
    [
        ("exit\n", ("linux", "ext2", "minicmd"), True),
        ("if true; then exit 1; fi\n", ("linux", "ext2", "minicmd", "test", "true"), True),
        ("return\n", ("linux", "ext2", "minicmd"), False),
    ],
)
def test_exit_in_the_embedded_configuration_ends_grub(tmp_path: Path, config: str, modules: tuple[str, ...], stops: bool) -> None:
    esp: dict[str, str | bytes] = {"/EFI/debian/grub.cfg": "menuentry x { linux /vmlinuz }\n"}
    found = started(made(tmp_path, *modules, config=config), esp, {})
    assert bool(found[0]) is stops
    assert found[2] == ("" if stops else "/boot/efi/vmlinuz")


@needs_grub
def test_what_is_inside_is_read(tmp_path: Path) -> None:
    build = build_of(memory_guest({"/g.efi": made(tmp_path, "linux16", "ext2", config="set x=y\n")}), "/g.efi")
    assert build is not None
    assert {"linux16", "ext2", "normal", "part_gpt"} <= build.modules
    assert {"linux16", "initrd16"} <= build.commands
    assert (build.prefix, build.config) == ("/EFI/debian", "set x=y\n")


def loadable(
    *names: str, listed: str | None = "linux: linux\ninitrd: linux\nlinux16: linux16\ninitrd16: linux16\n"
) -> dict[str, str | bytes]:
    """A folder with these modules of Debian's, and the list of the commands."""
    files: dict[str, str | bytes] = {f"{FOLDER}/{name}.mod": (MODULES / f"{name}.mod").read_bytes() for name in names}
    return files | ({} if listed is None else {f"{FOLDER}/command.lst": listed})


ALL = ("linux", "linux16", "boot", "mmap", "relocator", "video", "acpi", "lsefi", "tpm", "smbios")


@needs_grub
@pytest.mark.parametrize(
    ("modules", "folder", "menu", "unknown"),
    [
        (("linux",), {}, ENTRY, "linux16"),
        (("linux16",), {}, ENTRY, ""),
        (("linux",), loadable(*ALL), ENTRY, ""),
        (("linux",), loadable(*ALL, listed="*linux: linux\n"), ENTRY, "linux16"),
        ((), loadable(*ALL, listed=None), PLAIN, "linux"),
        ((), loadable(*ALL, listed=""), PLAIN, "linux"),
        ((), loadable(*ALL, listed=None), f"insmod linux\n{PLAIN}", ""),
        ((), loadable(*ALL), f"insmod gone\n{PLAIN}", ""),
        ((), loadable(*ALL), ASKED, ""),
        (("linux",), loadable(*ALL, listed=""), ASKED, "linux16"),
        ((), loadable("linux", "boot"), PLAIN, "linux"),
        ((), loadable(*ALL) | {f"{FOLDER}/relocator.mod": b""}, PLAIN, "linux"),
        ((), {"/boot/grub/i386-pc/linux16.mod": (MODULES / "linux16.mod").read_bytes()}, ENTRY, "linux16"),
        (("linux",), {}, PLAIN.replace("linux /", "multiboot2 /xen\n module2 /"), "multiboot2"),
        (("linux",), {}, PLAIN.replace("initrd /", "initrd16 /"), ""),
        (("linux",), {}, PLAIN.replace(" initrd /", " linux16 /x\n initrd /"), ""),
        (("linux",), {}, PLAIN.replace(" linux /", " linux16 /x\n linux /"), ""),
    ],
    ids=[
        "not there", "built in", "loaded", "not listed", "no list", "an empty list", "no list, but asked for", "a module that is not there",
        "insmod succeeds", "insmod succeeds for what is not there", "what it needs is not there", "what it needs is empty",
        "of the other platform", "Xen", "only the initramfs", "the second kernel", "the first kernel",
    ],
)  # fmt: skip
def test_a_command_is_built_in_or_loaded(
    tmp_path: Path, modules: tuple[str, ...], folder: dict[str, str | bytes], menu: str, unknown: str
) -> None:
    """As Debian's GRUB 2.06 does in OVMF."""
    program = made(tmp_path, *modules, "ext2", "search_fs_uuid", "test", config="search.fs_uuid aaaa root\nset prefix=($root)/boot/grub\n")
    found = started(program, {}, {"/boot/grub/grub.cfg": menu, "/vmlinuz": b"k", **folder})
    assert found[:2] == ("", unknown)


@needs_grub
@pytest.mark.parametrize(
    ("modules", "folder", "stops"),
    [
        (("ext2", "linux", "normal"), {}, ""),
        (("linux", "normal"), {}, "no module for ext4"),
        (("ext2", "linux"), {}, "no module normal"),
    ],
)
def test_what_keeps_grub_from_its_own_files(tmp_path: Path, modules: tuple[str, ...], folder: dict[str, str | bytes], stops: str) -> None:
    output = tmp_path / "g.efi"
    subprocess.run(["grub-mkimage", "-O", "x86_64-efi", "-p", "(,gpt2)/boot/grub", "-o", output, "part_gpt", *modules], check=True)
    found = started(output.read_bytes(), {}, {"/boot/grub/grub.cfg": PLAIN, "/vmlinuz": b"k", **folder})
    assert stops in found[0]
    assert bool(stops) is bool(found[0])


@needs_grub
@pytest.mark.parametrize(
    ("inserted", "stops"),
    [
        (("ext2", "normal"), ""),
        (("normal", "ext2"), ""),
        (("normal",), "no module for ext4"),
        (("ext2",), "no module normal"),
        (("fat",), "no module for ext4"),
    ],
)
def test_what_the_embedded_configuration_has_loaded_stays(tmp_path: Path, inserted: tuple[str, ...], stops: str) -> None:
    """A module of the ESP's folder serves after ``prefix`` has moved to a filesystem that has none, and so does all that it needed."""
    output, load = tmp_path / "g.efi", tmp_path / "load.cfg"
    moved = "search.fs_uuid aaaa root\nset prefix=($root)/boot/grub\n"
    load.write_text("".join(f"insmod {name}\n" for name in inserted) + moved)
    built = ("part_gpt", "fat", "search_fs_uuid", "linux")
    subprocess.run(["grub-mkimage", "-O", "x86_64-efi", "-c", load, "-p", "/EFI/debian", "-o", output, *built], check=True)
    esp: dict[str, str | bytes] = {f"/EFI/debian/x86_64-efi/{one.name}": one.read_bytes() for one in MODULES.glob("*.mod")}
    found = started(output.read_bytes(), esp, {"/boot/grub/grub.cfg": PLAIN, "/vmlinuz": b"k"})
    assert stops in found[0]
    assert bool(stops) is bool(found[0])


@needs_grub
def test_the_configuration_is_that_of_the_prefix_and_no_other(tmp_path: Path) -> None:
    menu: dict[str, str | bytes] = {"/boot/grub/grub.cfg": ENTRY, "/vmlinuz": b"k"}
    stub: dict[str, str | bytes] = {
        "/EFI/debian/grub.cfg": "search.fs_uuid aaaa root\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n"
    }
    stale: dict[str, str | bytes] = {"/EFI/debian/grub.cfg": str(stub["/EFI/debian/grub.cfg"]).replace("aaaa", "dead")}
    monolith = made(tmp_path, "linux16")
    assert started(monolith, stub, menu) == ("", "", "/vmlinuz")
    assert started(monolith, {}, menu)[0] == "there is no /boot/efi/EFI/debian/grub.cfg"
    assert "no disk has the uuid dead" in started(monolith, stale, menu)[0]
    unset: dict[str, str | bytes] = {
        "/EFI/debian/grub.cfg": "search --fs-uuid --set=dev dead\nset prefix=($dev)/boot/grub\nconfigfile $prefix/grub.cfg\n"
    }
    assert started(monolith, unset, menu)[0] == "no disk has the uuid dead and there is no ()/boot/grub/grub.cfg"
    assert started(made(tmp_path, "linux16", "ext2", prefix="(,gpt2)/boot/grub"), stale, menu) == ("", "", "/vmlinuz")
    assert started(made(tmp_path, "linux16", prefix=""), {}, menu)[0]


@needs_grub
def test_the_memory_disk_leads_on(tmp_path: Path) -> None:
    disk = tmp_path / "memdisk.fat"
    subprocess.run(["mformat", "-C", "-f", "160", "-i", disk, "::"], check=True)
    (tmp_path / "grub.cfg").write_text("if [ -e $prefix/grub.cfg ]; then\n source $prefix/grub.cfg\nelse\n source $cmdpath/grub.cfg\nfi\n")
    subprocess.run(["mcopy", "-i", disk, tmp_path / "grub.cfg", "::/grub.cfg"], check=True)
    program = made(tmp_path, "linux16", prefix="/EFI/ubuntu", config="normal (memdisk)/grub.cfg\n", memdisk=disk)
    assert started(program, {"/EFI/debian/grub.cfg": ENTRY, "/vmlinuz": b"k"}, {}) == ("", "", "/boot/efi/vmlinuz")
    assert "(memdisk)" not in started(program, {}, {})[0]


def test_damaged_programs_hold_nothing() -> None:
    assert build_of(memory_guest({"/g.efi": b"MZ" + bytes(100)}), "/g.efi") is None
    assert build_of(memory_guest({}), "/g.efi") is None
    assert [memory_files(data) for data in (b"", b"x" * 600, b"\0" * 257 + b"ustar" + b"\xff" * 300)] == [{}, {}, {}]
    assert GrubBuild(frozenset(), frozenset()).memory == {}
