"""A guest with a kernel and its initramfs, and the verdicts on both."""

from __future__ import annotations

from tests.verdicts.asking import ROOT, disk, part, store
from v2vlint.facts.boot.efi import EfiImage
from v2vlint.facts.boot.secure_boot import SecureBoot
from v2vlint.facts.storage.root_stack import RootStack
from v2vlint.model.blocks import BlockTable
from v2vlint.model.finding import Fate, Mover
from v2vlint.model.rule import Content
from v2vlint.samples.boot import (
    EXT4,
    NETWORK,
    SCSI,
    VERSION,
    VIRTIO,
    sample_boot,
    sample_chain,
    sample_initramfs,
    sample_kernel,
    sample_tools,
)
from v2vlint.verdicts.initramfs import InitramfsVerdict
from v2vlint.verdicts.kernel import KernelVerdict

KERNEL = sample_kernel((*VIRTIO, *SCSI, *EXT4, *NETWORK, "dm_mod", "dm_crypt", "raid1", "vmw_pvscsi"))
WHOLE = sample_initramfs((*VIRTIO, *SCSI, *EXT4))
TOOLS = {**sample_tools(), "/usr/sbin/update-initramfs": ""}
BLOCKS = BlockTable((disk(details=(("pt", "dos"),)), part(1, "ext4", ROOT)), chains=(sample_chain(),))
EXT = RootStack("ext4", BLOCKS.devices[1])
IMAGE = f"/boot/initrd.img-{VERSION}"
PASSES = (Fate.PASS, None)


def guest(image: bytes | None = WHOLE, args: str = f"root=UUID={ROOT} ro", kernel: object = KERNEL, **more: Content) -> dict[str, Content]:
    """A guest whose default entry loads ``image``; other files are named ``etc_modprobe.d_x.conf``."""
    files: dict[str, Content] = {**sample_boot(KERNEL if kernel is None else kernel, image, args)}  # type: ignore[arg-type]
    return files | {f"/{name.replace('__', '.').replace('_', '/')}": content for name, content in more.items()}


def initramfs(files: dict[str, Content], *given: object, target: str = "kvm", mover: Mover = Mover.RAW) -> InitramfsVerdict:
    known = {type(fact) for fact in given}
    return store(files, *(fact for fact in (BLOCKS, EXT) if type(fact) not in known), *given, target=target, mover=mover).get(
        InitramfsVerdict
    )


def kernel(files: dict[str, Content], *given: object, target: str = "kvm", mover: Mover = Mover.RAW) -> KernelVerdict:
    return store(files, BLOCKS, *given, target=target, mover=mover).get(KernelVerdict)


SECURE = SecureBoot("microsoft", demanded=True, first=EfiImage("/x", "shim", "x64", 1))
