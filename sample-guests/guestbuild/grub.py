"""GRUB 2 put into an image by hand: boot.img and core.img for BIOS, an EFI application for UEFI. Nothing is mounted."""

from __future__ import annotations

import functools
import shutil
import struct
import tempfile
from pathlib import Path

from guestbuild.partition import MIB, SECTOR
from guestbuild.tools import BuildError, run, write_at

_MODULES = ("part_msdos", "part_gpt", "search", "search_fs_uuid", "normal", "configfile", "linux", "echo", "test", "minicmd", "serial")
_FILESYSTEMS = {"ext4": "ext2", "ext3": "ext2", "ext2": "ext2", "xfs": "xfs", "btrfs": "btrfs", "vfat": "fat"}
_SYSTEM = Path("/usr/lib/grub")
# What grub-install takes into core.img is what it needs; this one reads all that a sample guest has.
_ALL_MODULES = (
    "biosdisk", "part_msdos", "part_gpt", "ext2", "xfs", "btrfs", "fat", "lvm", "mdraid1x", "search", "search_label", "search_fs_file",
    "search_fs_uuid", "normal", "configfile", "linux", "echo", "test",
)  # fmt: skip
_BOOT_CODE = 440
_CORE_AT, _LIST_AT = 0x5C, 0x1F4
_WORKAROUND = 0x66


def copy_modules(tree: Path, platform: str, boot: Path) -> None:
    """What grub-install does in the guest: copy its modules from /usr/lib/grub to ``boot``/grub."""
    shutil.copytree(tree / "usr/lib/grub" / platform, boot / "grub" / platform, dirs_exist_ok=True)


def install_bios(image: Path, tree: Path, work: Path, *, fs_type: str, fs_uuid: str, prefix: str) -> None:
    """Boot code in the MBR, core.img in the gap behind it, looking for the filesystem ``fs_uuid`` and ``prefix`` on it."""
    core = _core(tree, work, "i386-pc", ("biosdisk",), fs_type, fs_uuid, prefix).read_bytes()
    if len(core) > MIB - SECTOR:
        raise BuildError(f"core.img has {len(core)} bytes, too much for the gap before the first partition")
    boot = bytearray((tree / "usr/lib/grub/i386-pc/boot.img").read_bytes()[:_BOOT_CODE])
    boot[_WORKAROUND : _WORKAROUND + 2] = b"\x90\x90"
    write_at(image, 0, bytes(boot))
    write_at(image, SECTOR, core)


def write(image: Path, core_at: int, prefix: str) -> None:
    """The builder's own boot.img in the MBR, and its core.img, which looks for ``prefix``, at the byte ``core_at``; "" leaves it out."""
    boot = bytearray((_SYSTEM / "i386-pc/boot.img").read_bytes()[:_BOOT_CODE])
    boot[_WORKAROUND : _WORKAROUND + 2] = b"\x90\x90"
    struct.pack_into("<Q", boot, _CORE_AT, core_at // SECTOR)
    write_at(image, 0, bytes(boot))
    if prefix:
        core = bytearray(_stock_core(prefix))
        struct.pack_into("<Q", core, _LIST_AT, core_at // SECTOR + 1)
        write_at(image, core_at, bytes(core))


@functools.cache
def _stock_core(prefix: str) -> bytes:
    with tempfile.NamedTemporaryFile(prefix="core-") as output:
        run("grub-mkimage", "-O", "i386-pc", "-d", _SYSTEM / "i386-pc", "-p", prefix, "-o", output.name, *_ALL_MODULES)
        return Path(output.name).read_bytes()


def efi_application(tree: Path, work: Path, platform: str, *, fs_type: str, fs_uuid: str, prefix: str) -> Path:
    """grubx64.efi (or grubaa64.efi, for arm64-efi) with the same embedded search."""
    return _core(tree, work, platform, ("efi_gop", "all_video"), fs_type, fs_uuid, prefix)


def _core(tree: Path, work: Path, platform: str, more: tuple[str, ...], fs_type: str, fs_uuid: str, prefix: str) -> Path:
    modules = tree / "usr/lib/grub" / platform
    config, output = work / "load.cfg", work / f"core-{platform}"
    config.write_text(f"search.fs_uuid {fs_uuid} root\nset prefix=($root)'{prefix}'\n", encoding="ascii")
    wanted = [name for name in (*_MODULES, *more, _FILESYSTEMS[fs_type]) if (modules / f"{name}.mod").exists()]
    run("grub-mkimage", "-O", platform, "-d", modules, "-c", config, "-p", prefix, "-o", output, *wanted)
    return output
