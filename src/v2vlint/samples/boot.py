"""Small guests for examples and tests: a kernel with its modules, its initramfs, a GRUB entry that boots both, an ELF file.

Everything consists of bytes that the real parsers read; nothing here could boot.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterable, Mapping

from v2vlint.facts.boot.who import Starter, System, Systems
from v2vlint.facts.initramfs.cpio import newc
from v2vlint.facts.kernel.module_names import module_name
from v2vlint.facts.registry import FactStore
from v2vlint.model.boot_chain import BootChain
from v2vlint.samples.pe import MACHINES, sample_pe

VERSION = "6.1.0-13-amd64"
FILES = Mapping[str, str | bytes]

VIRTIO = ("virtio_blk: virtio virtio_ring", "virtio_pci: virtio virtio_ring", "virtio_ring: virtio", "virtio")
SCSI = ("sd_mod: scsi_mod", "scsi_mod")
EXT4 = ("ext4: jbd2", "jbd2")
NETWORK = ("virtio_net: virtio virtio_ring", "e1000", "vmxnet3")


def sample_kernel(modules: Iterable[str] = (*VIRTIO, *SCSI, *EXT4, *NETWORK), builtin: Iterable[str] = (), version: str = VERSION) -> FILES:
    """A kernel's image and module folder. A module is written with its dependencies: ``"virtio_blk: virtio virtio_ring"``."""
    folder = f"/lib/modules/{version}"
    files: dict[str, str | bytes] = {
        f"/boot/vmlinuz-{version}": sample_bzimage(version),
        f"{folder}/modules.builtin": "".join(f"kernel/{name}.ko\n" for name in builtin),
        f"{folder}/modules.dep": _dep(modules),
    }
    for line in modules:
        files[f"{folder}/kernel/{line.partition(':')[0]}.ko"] = b"\x7fELF"
    return files


def sample_initramfs(modules: Iterable[str] = (*VIRTIO, *SCSI, *EXT4), files: FILES | None = None, version: str = VERSION) -> bytes:
    """An uncompressed image like one from initramfs-tools, with ``modules`` (written as above) and further ``files``."""
    names = [line.partition(":")[0] for line in modules]
    members: dict[str, bytes | str] = {f"usr/lib/modules/{version}/kernel/{name}.ko": b"\x7fELF" for name in names}
    members[f"usr/lib/modules/{version}/modules.dep"] = _dep(modules).encode()
    if files is None or not any(path.startswith(("usr/lib/dracut", "buildconfig", "bin/nash")) for path in files):
        members |= {"conf/initramfs.conf": b"MODULES=most\n", "scripts/functions": b"#\n"}
    for path, content in {"init": "#!/bin/sh\n", **(files or {})}.items():
        members[path] = content.encode() if isinstance(content, str) else content
    return newc(members)


def sample_boot(
    kernel: FILES | None = None,
    image: bytes | None = None,
    args: str = "root=UUID=0a1b2c3d-0000-4000-8000-000000000001 ro quiet",
    version: str = VERSION,
) -> dict[str, str | bytes]:
    """A whole boot path: GRUB's configuration, the kernel, and its initramfs (``b""`` as ``image``: none is named)."""
    files: dict[str, str | bytes] = dict(_stock(version)[0] if kernel is None else kernel)
    initrd = f"\tinitrd /boot/initrd.img-{version}\n"
    if image == b"":
        initrd = ""
    else:
        files[f"/boot/initrd.img-{version}"] = _stock(version)[1] if image is None else image
    files["/boot/grub/grub.cfg"] = f"menuentry 'Debian GNU/Linux' {{\n\tlinux /boot/vmlinuz-{version} {args}\n{initrd}}}\n"
    return files


@functools.cache
def _stock(version: str) -> tuple[FILES, bytes]:
    """The files that most boot paths share: made once, because rules create their examples on import."""
    return sample_kernel(version=version), sample_initramfs(version=version)


def sample_tools() -> dict[str, str | bytes]:
    """Programs that virt-v2v needs to convert a Debian: grub-mkconfig and mkinitramfs."""
    return {"/usr/sbin/grub-mkconfig": "#!/bin/sh\n", "/usr/sbin/mkinitramfs": "#!/bin/sh\n"}


def sample_other_system(device: str, name: str) -> tuple[Systems, Starter]:
    """Facts for an example whose guest has two systems: the other one, called ``name`` and on ``device``, boots."""
    own, other = (System(place, "linux", what, place, FactStore()) for place, what in (("disk1p9", ""), (device, name)))
    return Systems((own, other)), Starter(other, "the firmware starts its loader")


def sample_chain(code: str = "grub2", disk: int = 0, partition: str = "") -> BootChain:
    """The BIOS boot chain of a disk with intact boot code ``code``: ``none`` boots nothing, ``other`` is not understood."""
    starts = {"none": False, "other": None, "lilo": None}.get(code, True)
    return BootChain(disk, code, starts, f"disk{disk + 1} has boot code ({code})", code if starts else "", partition)


def sample_bzimage(version: str = VERSION, payload: int = 16) -> bytes:
    """The head of an x86 kernel of the given version, complete unless the caller cuts it."""
    text = f"{version} (build@host) #1 SMP".encode() + b"\0"
    head = bytearray(1024 + payload * 16)
    # struct setup_header (Documentation/arch/x86/boot.rst): setup_sects, syssize, boot_flag, header, version, kernel_version.
    head[0x1F1] = 1
    struct.pack_into("<I", head, 0x1F4, payload)
    head[0x1FE:0x200] = b"\x55\xaa"
    head[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", head, 0x206, 0x020F)
    struct.pack_into("<H", head, 0x20E, 0x100)
    head[0x300 : 0x300 + len(text)] = text
    return bytes(head)


def sample_arm64_image(compression: str = "") -> bytes:
    """The head of a kernel for 64-bit ARM with its EFI stub; with ``compression``, of an EFI program that unpacks it (zboot)."""
    image = bytearray(sample_pe({".text": bytes(16)}, MACHINES["aarch64"]))
    # The magic number of an arm64 Image (Documentation/arch/arm64/booting.rst).
    image[56:60] = b"ARMd"
    if compression:
        image[4:8], image[24:56], image[56:60] = b"zimg", compression.encode().ljust(32, b"\0"), bytes.fromhex("cd238281")
    return bytes(image)


def sample_elf(level: int = 0) -> bytes:
    """A 64-bit x86 ELF file whose note requires an x86-64 level; 0 omits the note."""
    note = b""
    if level:
        # GNU_PROPERTY_X86_ISA_1_NEEDED in a note of type NT_GNU_PROPERTY_TYPE_0.
        properties = struct.pack("<IIII", 0xC0008002, 4, (1 << level) - 1, 0)
        note = struct.pack("<III", 4, len(properties), 5) + b"GNU\0" + properties
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return head + struct.pack("<IIQQQQQQ", 4, 4, 120, 120, 120, len(note), len(note), 8) + note


def _dep(modules: Iterable[str]) -> str:
    lines: list[str] = []
    for line in modules:
        name, _, needed = line.partition(":")
        lines.append(f"kernel/{name}.ko: {' '.join(f'kernel/{module_name(dep)}.ko' for dep in needed.split())}".rstrip())
    return "\n".join(lines) + "\n" if lines else ""
