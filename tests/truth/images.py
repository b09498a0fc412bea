"""Disks of drawn guests: the filesystem of a base is made once; each cell writes into a copy of it, and wraps that as its stack says."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from guestbuild import extlinux, filesystem, grub, lvm, md
from guestbuild.partition import MIB, Partition, disk_size, partition
from guestbuild.tools import blank, copy_into, run, write_at
from tests.disk import images
from tests.trees import locked, mounted
from tests.truth import bases, thin
from tests.truth.draw import Guest

KEY = b"a key in a file\n"
_ROOM = 160 * MIB
_FEW_ROUNDS = ("--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")
_HEADER = 32 * MIB


@contextmanager
def root(guest: Guest, image: Path) -> Iterator[Path]:
    """A copy of the base's filesystem as ``image``; the folder is its top, or the subvolume that is the guest's root."""
    run("cp", "--sparse=always", _filesystem(guest), image)
    with mounted(image, guest.fs) as top:
        yield top / "@" if guest.stack == "subvol" else top


def _filesystem(guest: Guest) -> Path:
    tree = bases.tree(guest.base)
    image = tree.with_name(f"{tree.name}-{'subvol' if guest.stack == 'subvol' else guest.fs}.img")
    with locked(image):
        if not image.exists():
            partial = image.with_suffix(".partial")
            size = -(-(filesystem.tree_size(tree) * 5 // 4 + _ROOM) // (4 * MIB)) * 4 * MIB
            filesystem.make(guest.fs, partial, size, tree, uuid=guest.uuid("root"))
            if guest.fs == "btrfs":
                run("truncate", f"--size=+{_ROOM}", partial)
                with mounted(partial, "btrfs") as top:
                    run("btrfs", "filesystem", "resize", "max", top)
                    if guest.stack == "subvol":
                        _into_subvolume(top)
            partial.rename(image)
    return image


def _into_subvolume(top: Path) -> None:
    run("btrfs", "subvolume", "snapshot", top, top / "@")
    for path in (one for one in top.iterdir() if one.name != "@"):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def disk(guest: Guest, content: Path, boot: Path, efi: Path, work: Path) -> Path:
    """The raw disk: ``content`` is the root's filesystem, ``boot`` the folder for a /boot of its own, ``efi`` the ESP's."""
    parts = list(_parts(guest, content, boot, efi, work))
    layout = tuple(part for part, _file in parts)
    raw = blank(work / "disk.raw", disk_size(layout))
    identity = guest.uuid("disk") if guest.firmware == "uefi" else f"0x{guest.uuid('disk')[:8]}"
    offsets = partition(raw, "gpt" if guest.firmware == "uefi" else "mbr", layout, identity)
    for offset, (_part, file) in zip(offsets, parts, strict=True):
        copy_into(raw, offset, file)
    if guest.loader == "extlinux":
        extlinux.write(raw, offsets[0], parts[0][1], "/extlinux" if guest.lvm else "/boot/extlinux")
    elif guest.firmware == "bios":
        grub.install_bios(raw, bases.tree(guest.base), work, **grub_place(guest))
    return raw


def grub_place(guest: Guest) -> dict[str, str]:
    """Where GRUB's core image finds the rest of it."""
    if guest.lvm:
        return {"fs_type": "ext4", "fs_uuid": guest.uuid("boot"), "prefix": "/grub"}
    return {"fs_type": guest.fs, "fs_uuid": guest.uuid("root"), "prefix": "/boot/grub"}


def _parts(guest: Guest, content: Path, boot: Path, efi: Path, work: Path) -> Iterator[tuple[Partition, Path]]:
    if guest.firmware == "uefi":
        esp = filesystem.make("vfat", work / "esp.img", 96 * MIB, efi, uuid=guest.uuid("esp"), label="ESP")
        yield Partition(96 * MIB, "esp", guest.uuid("esp-part")), esp
    if guest.lvm:
        size = -(-(filesystem.tree_size(boot) * 5 // 4 + 48 * MIB) // MIB) * MIB
        made = filesystem.make("ext4", work / "boot.img", size, boot, uuid=guest.uuid("boot"))
        if guest.loader == "extlinux":
            with mounted(made, "ext4") as top:
                solid(top)
        yield Partition(size, "linux", guest.uuid("boot-part"), active=True), made
    kind = {"lvm": "lvm", "thin": "lvm", "md1": "raid"}.get(guest.stack, "linux")
    last = wrapped(guest, content, work)
    run("truncate", "--size=%1M", last)
    yield Partition(last.stat().st_size, kind, guest.uuid("root-part"), active=not guest.lvm), last


def solid(folder: Path) -> None:
    """Write kernels and initramfs images anew: mke2fs leaves holes where they have zeros, at which EXTLINUX says `I/O error`."""
    for path in (*folder.glob("vmlinuz-*"), *folder.glob("initrd.img-*")):
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data)


def wrapped(guest: Guest, content: Path, work: Path) -> Path:
    """The partition that has the filesystem ``content`` in it; ``content`` may be written to, and ``work`` gets what is made on the way."""
    if guest.stack in ("lvm", "luks2-lvm"):
        content = lvm.write_group(work / "pv.img", "vg0", (lvm.Volume("root", content),), lvm.group_size((content.stat().st_size,)))
    if guest.stack == "thin":
        return thin.write(work / "pv.img", "vg0", "root", content)
    if guest.stack == "md1":
        md.append(content, "root", guest.uuid("md"))
    if guest.stack == "luks1":
        return _luks1(guest, content, work)
    return _luks2(guest, content, work) if guest.stack.startswith("luks2") else content


def _luks1(guest: Guest, content: Path, work: Path) -> Path:
    """QEMU's LUKS driver writes the first version, whose UUID it chooses itself."""
    (work / "key").write_bytes(KEY)
    made, place = work / "luks.img", guest.uuid("luks").encode()
    options = ("--object", f"secret,id=key,file={work / 'key'}", "-o", "key-secret=key,iter-time=10")
    images.run("qemu-img", "convert", "-f", "raw", "-O", "luks", *options, content, made)
    write_at(made, 168, place.ljust(40, b"\0"))
    return made


def _luks2(guest: Guest, content: Path, work: Path) -> Path:
    """cryptsetup encrypts a file in place, if it is left room for the header."""
    (work / "key").write_bytes(KEY)
    run("truncate", f"--size=+{_HEADER}", content)
    words = ("-q", "--encrypt", "--type", "luks2", "--reduce-device-size", str(_HEADER), "--key-file", work / "key")
    # Its lock and its temporary header in the current folder are named by the UUID, which is that of the same guest elsewhere.
    named = ("--disable-locks", "--uuid", guest.uuid("luks"))
    run("cryptsetup", "reencrypt", *words, *_FEW_ROUNDS, *named, content, cwd=content.parent)
    return content


def array_name(guest: Guest) -> str:
    """The UUID of its MD array, as mdadm.conf has it."""
    digits = uuid.UUID(guest.uuid("md")).hex
    return ":".join(digits[at : at + 8] for at in range(0, 32, 8))
