"""Guests as the UAPI group has them, booted by OVMF: systemd-boot with its entries, unified images.

The kernel is this machine's, with an initramfs of initramfs-tools; /sbin/init of the root says that it is reached.
"""

from __future__ import annotations

import functools
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from guestbuild import filesystem
from guestbuild.debian import cache_dir
from guestbuild.debs import unpacked
from guestbuild.partition import MIB, Partition, disk_size, partition
from guestbuild.tools import blank, copy_into, run, stable_uuid

XBOOTLDR = "BC13C2FF-59E6-4262-A352-B275FD6F7172"
ROOT_UUID = stable_uuid("uapi", "root")
REACHED = "THE ROOT IS REACHED"
ARGS = "console=ttyS0 no_timer_check mitigations=off nokaslr panic=-1"
GOOD_ROOT = f"root=UUID={ROOT_UUID} ro"
FALLBACK = "EFI/BOOT/BOOTX64.EFI"
_SIZE = 60 * MIB
_MODULES = ("virtio_blk", "virtio_pci", "ext4", "vfat")
_RELEASE = 'ID=debian\nNAME="Debian GNU/Linux"\nPRETTY_NAME="Debian GNU/Linux 12"\nVERSION_ID="12"\n'


@dataclass(frozen=True)
class Layout:
    """What is on the disk: the files of the ESP, those of an XBOOTLDR partition if there is one, with its type."""

    esp: Mapping[str, bytes]
    xbootldr: Mapping[str, bytes] = field(default_factory=dict)
    xbootldr_type: str = XBOOTLDR


@functools.cache
def kernel() -> tuple[str, bytes]:
    """Release and image of the newest kernel here."""
    found = max(Path("/boot").glob("vmlinuz-*"))
    return found.name.removeprefix("vmlinuz-"), found.read_bytes()


@functools.cache
def initramfs() -> bytes:
    """A small image of initramfs-tools for that kernel."""
    release = kernel()[0]
    kept = cache_dir() / f"uapi-{release}.img"
    if not kept.exists():
        settings = kept.with_suffix(".conf")
        shutil.copytree("/etc/initramfs-tools", settings, dirs_exist_ok=True)
        plain = (settings / "initramfs.conf").read_text()
        (settings / "initramfs.conf").write_text(re.sub(r"(?m)^MODULES=.*", "MODULES=list", plain))
        (settings / "modules").write_text("\n".join((*_MODULES, "")))
        run("mkinitramfs", "-d", settings, "-o", kept.with_suffix(".new"), release)
        shutil.rmtree(settings)
        kept.with_suffix(".new").rename(kept)
    return kept.read_bytes()


def program(name: str) -> bytes:
    """``systemd-bootx64.efi`` or ``linuxx64.efi.stub``."""
    return (unpacked("systemd-boot-efi") / "usr/lib/systemd/boot/efi" / name).read_bytes()


def unified(folder: Path, args: str, release: str = _RELEASE) -> bytes:
    """A unified kernel image, made as systemd-stub(7) says."""
    sections = {".osrel": release.encode(), ".cmdline": f"{ARGS} {args}".encode(), ".uname": kernel()[0].encode()}
    sections |= {".linux": kernel()[1], ".initrd": initramfs()}
    folder.mkdir(exist_ok=True)
    command, place = ["objcopy"], 0x20000
    for name, data in sections.items():
        (folder / name[1:]).write_bytes(data)
        command += ["--add-section", f"{name}={folder / name[1:]}", "--change-section-vma", f"{name}={place:#x}"]
        place += -(-len(data) // 0x10000) * 0x10000
    (folder / "stub").write_bytes(program("linuxx64.efi.stub"))
    run(*command, folder / "stub", folder / "made")
    return (folder / "made").read_bytes()


def addon(folder: Path, args: str) -> bytes:
    """An add-on with a command line."""
    (folder / "cmdline").write_text(args)
    (folder / "stub").write_bytes(program("linuxx64.efi.stub"))
    more = ("--add-section", f".cmdline={folder / 'cmdline'}", "--change-section-vma", ".cmdline=0x20000")
    run("objcopy", *more, folder / "stub", folder / "made")
    return (folder / "made").read_bytes()


def build(folder: Path, layout: Layout) -> Path:
    """The disk."""
    folder.mkdir(exist_ok=True)
    parts = [(Partition(_SIZE, "esp"), _fat(folder / "esp.img", layout.esp))]
    if layout.xbootldr:
        parts.append((Partition(_SIZE, layout.xbootldr_type), _fat(folder / "xbootldr.img", layout.xbootldr)))
    root = filesystem.make("ext4", folder / "root.img", 40 * MIB, _root(folder / "tree"), uuid=ROOT_UUID)
    parts.append((Partition(root.stat().st_size, label="theroot"), root))
    disk = blank(folder / "disk.raw", disk_size(tuple(part for part, _content in parts)))
    offsets = partition(disk, "gpt", tuple(part for part, _content in parts), stable_uuid("uapi", "disk"))
    for offset, (_part, content) in zip(offsets, parts, strict=True):
        copy_into(disk, offset, content)
        content.unlink()
    return disk


def _fat(path: Path, files: Mapping[str, bytes]) -> Path:
    blank(path, _SIZE)
    run("mkfs.vfat", "-F", "32", path)
    tree = path.with_suffix(".tree")
    for name, data in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(data)
    for top in sorted(tree.iterdir()) if tree.exists() else ():
        run("mcopy", "-s", "-i", path, top, "::")
    return path


def _root(tree: Path) -> Path:
    release = kernel()[0]
    for name in ("dev", "proc", "sys", "run", "tmp", "etc", "sbin", "bin", "boot", "usr/lib", f"lib/modules/{release}"):
        (tree / name).mkdir(parents=True, exist_ok=True)
    for found in Path("/lib/modules", release).glob("modules.*"):
        shutil.copy(found, tree / "lib/modules" / release)
    shutil.copy(unpacked("busybox-static") / "bin/busybox", tree / "bin/busybox")
    (tree / "bin/sh").symlink_to("busybox")
    (tree / "sbin/init").write_text(f"#!/bin/sh\necho {REACHED} >/dev/console\n/bin/busybox poweroff -f\n")
    (tree / "sbin/init").chmod(0o755)
    (tree / "etc/os-release").write_text(_RELEASE)
    (tree / "etc/fstab").write_text(f"UUID={ROOT_UUID} / ext4 defaults 0 1\n")
    return tree


def entry(title: str, args: str, linux: str = "/k/vmlinuz", initrd: str = "/k/initrd") -> bytes:
    """An entry file of type 1."""
    return f"title {title}\nlinux {linux}\ninitrd {initrd}\noptions {ARGS} mark={title} {args}\n".encode()


def pair() -> dict[str, bytes]:
    """The kernel and its initramfs, where :func:`entry` says."""
    return {"k/vmlinuz": kernel()[1], "k/initrd": initramfs()}
