"""Initramfs images with the layout each generator gives them, holding module stubs of an installed kernel."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from guestbuild import elf
from guestbuild.cpio import newc
from guestbuild.kernel import Kernel, database, dependency_line, expand, packed
from guestbuild.tools import BuildError

_MICROCODE = {"kernel/x86/microcode/GenuineIntel.bin": bytes(64)}
_PROGRAMS = {"mkinitrd": "bin", "mkinitfs": "sbin", "mkinitcpio": "usr/bin"}
_SCRIPT = b"#!/bin/sh\n"
_NIX_STORE = "nix/store/0a1b2c3d4e5f6g7h8i9j0k1l2m3n4p5q"


@dataclass(frozen=True, slots=True)
class Initramfs:
    """One image: ``style`` is its generator (initramfs-tools, dracut, mkinitcpio, mkinitrd, mkinitfs, nixos), ``modules`` as in Kernel.

    ``files`` are more text files in it, ``programs`` the names of tools it brings (lvm, mdadm). ``microcode`` puts an early archive in
    front. ``compress`` is gzip, xz, zstd, lz4 or none.
    """

    path: str
    kernel: str
    style: str
    modules: tuple[str, ...] = ()
    compress: str = "gzip"
    microcode: bool = False
    programs: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)


def make(spec: Initramfs, kernel: Kernel) -> bytes:
    """The image's bytes."""
    contents: dict[str, bytes | str] = {**_frame(spec.style), **_modules(spec, kernel)}
    contents.update({f"{_PROGRAMS.get(spec.style, 'usr/sbin')}/{name}": elf.program() for name in spec.programs})
    contents.update({name.lstrip("/"): text.encode() for name, text in spec.files.items()})
    if spec.style == "mkinitrd":
        contents["init"] = _nash(spec, kernel)
    early = newc({"early_cpio": b"1\n", **_MICROCODE}) if spec.microcode else b""
    return early + _compress(newc(contents), spec.compress)


def install(spec: Initramfs, kernels: tuple[Kernel, ...], tree: Path) -> None:
    """Write the image into ``tree``."""
    kernel = next((kernel for kernel in kernels if kernel.version == spec.kernel), None)
    if kernel is None:
        raise BuildError(f"{spec.path} belongs to kernel {spec.kernel}, which is not installed")
    path = tree / spec.path.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(make(spec, kernel))


def _wanted(spec: Initramfs, kernel: Kernel) -> list[str]:
    present = set(expand(kernel.modules)) - set(expand(kernel.builtin))
    return [name for name in expand(spec.modules) if name in present]


def _modules(spec: Initramfs, kernel: Kernel) -> dict[str, bytes]:
    names = _wanted(spec, kernel)
    if spec.style == "mkinitrd":
        return {f"lib/{database()[name].path.rsplit('/', 1)[1]}{kernel.suffix}": packed(kernel, name) for name in names}
    prefixes = {"mkinitfs": "lib/modules", "nixos": f"{_NIX_STORE}-linux-{kernel.version}-modules-shrunk/lib/modules"}
    prefix = prefixes.get(spec.style, "usr/lib/modules")
    home = f"{prefix}/{kernel.version}"
    files = {f"{home}/kernel/{database()[name].path}{kernel.suffix}": packed(kernel, name) for name in names}
    files[f"{home}/modules.dep"] = "".join(f"{dependency_line(name, set(names), kernel.suffix)}\n" for name in names).encode()
    files[f"{home}/modules.builtin"] = "".join(f"kernel/{database()[name].path}.ko\n" for name in expand(kernel.builtin)).encode()
    return files


def _nash(spec: Initramfs, kernel: Kernel) -> bytes:
    names = [database()[name].path.rsplit("/", 1)[1] for name in _wanted(spec, kernel)]
    loads = "".join(f'echo "Loading {name}.ko module"\ninsmod /lib/{name}{kernel.suffix}\n' for name in names)
    return f"#!/bin/nash\n\nmount -t proc /proc /proc\n{loads}mkblkdevs\nmount /sysroot\nsetuproot\nswitchroot\n".encode()


def _frame(style: str) -> dict[str, bytes | str]:
    frames: dict[str, dict[str, bytes | str]] = {
        "initramfs-tools": {
            "init": _SCRIPT, "bin": "usr/bin", "lib": "usr/lib", "scripts/functions": b"", "scripts/local": b"",
            "conf/arch.conf": b"DPKG_ARCH=amd64\n", "conf/initramfs.conf": b"MODULES=most\nBOOT=local\n", "conf/modules": b"",
        },
        "dracut": {
            "init": "usr/lib/systemd/systemd", "usr/lib/systemd/systemd": b"", "bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64",
            "usr/lib/dracut/dracut-version": b"", "usr/lib/dracut/modules.txt": b"bash\nsystemd\nkernel-modules\nrootfs-block\nbase\n",
            "usr/lib/initrd-release": b"NAME=dracut\n", "etc/initrd-release": "../usr/lib/initrd-release",
        },
        "mkinitcpio": {
            "init": _SCRIPT, "init_functions": b"", "bin": "usr/bin", "lib": "usr/lib", "VERSION": b"39\n",
            "config": b"EARLYHOOKS='udev'\n", "buildconfig": b"", "hooks/udev": _SCRIPT,
        },
        "mkinitrd": {"bin/nash": b"", "bin/insmod": b"", "etc/passwd": b""},
        "nixos": {"init": f"/{_NIX_STORE}-stage-1-init.sh", f"{_NIX_STORE}-stage-1-init.sh": _SCRIPT},
        "mkinitfs": {"init": _SCRIPT, "bin/busybox": b"", "sbin/apk": b"", "etc/modprobe.d/.keep": b""},
    }  # fmt: skip
    if style not in frames:
        raise BuildError(f"unknown initramfs style {style!r}")
    return frames[style]


def _compress(data: bytes, method: str) -> bytes:
    if method == "gzip":
        return gzip.compress(data, mtime=0)
    if method == "xz":
        return lzma.compress(data, check=lzma.CHECK_CRC32)
    if method == "zstd":
        import zstandard

        return zstandard.compress(data)
    if method == "lz4":
        import lz4.block

        block: bytes = lz4.block.compress(data, store_size=False)
        return b"\x02\x21\x4c\x18" + len(block).to_bytes(4, "little") + block
    if method == "none":
        return data
    raise BuildError(f"unknown compression {method!r}")
