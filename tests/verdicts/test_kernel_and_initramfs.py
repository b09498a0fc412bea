"""The verdicts on the kernel and its initramfs: what an image lacks, by everything that makes it matter or not."""

from __future__ import annotations

import dataclasses

import pytest

from tests.verdicts.asking import FAILS, REPAIRED, ROOT, UNKNOWN, UNSURE, WARNS, Told, disk, landing, part, store, told
from v2vlint.facts.boot.efi import EfiImage
from v2vlint.facts.boot.path import SCSI_DISK
from v2vlint.facts.boot.secure_boot import SecureBoot
from v2vlint.facts.boot.start import Startup
from v2vlint.facts.conversion.refusals import Refusals
from v2vlint.facts.initramfs.cpio import newc
from v2vlint.facts.kernel.module_signature import MAGIC
from v2vlint.facts.storage.root_stack import RootStack
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.finding import Fate, Mover, Severity
from v2vlint.model.rule import Content
from v2vlint.samples.boot import (
    EXT4,
    NETWORK,
    SCSI,
    VERSION,
    VIRTIO,
    sample_boot,
    sample_bzimage,
    sample_chain,
    sample_initramfs,
    sample_kernel,
)
from v2vlint.verdicts.initramfs import InitramfsVerdict
from v2vlint.verdicts.kernel import KernelVerdict

KERNEL = sample_kernel((*VIRTIO, *SCSI, *EXT4, *NETWORK, "dm_mod", "dm_crypt", "raid1", "vmw_pvscsi"))
WHOLE = sample_initramfs((*VIRTIO, *SCSI, *EXT4))
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


def test_a_whole_guest_passes() -> None:
    assert told(kernel(guest()).causes) == [PASSES]
    assert told(initramfs(guest()).causes) == [PASSES]


def test_no_kernel_at_all() -> None:
    (cause,) = kernel({}).none_installed
    assert (told([cause]), cause.reason) == ([FAILS], "no kernel image is installed")
    modules_only = {path: content for path, content in guest().items() if "/lib/modules" in path}
    assert kernel(modules_only).none_installed[0].reason.endswith(f"; only the modules of {VERSION} are there")


def test_the_file_that_the_entry_names_is_not_there() -> None:
    files = guest()
    del files[f"/boot/vmlinuz-{VERSION}"]
    files["/boot/vmlinuz-other"] = sample_bzimage("6.1.0-14-amd64")
    assert (told(kernel(files).missing), kernel(files).fate) == ([FAILS], Fate.FAIL)
    assert told(kernel(guest()).missing) == []


def test_a_kernel_that_is_cut_short() -> None:
    files = guest() | {f"/boot/vmlinuz-{VERSION}": sample_bzimage(payload=64)[:1500]}
    assert told(kernel(files).damaged) == [FAILS]


def test_a_loader_that_starts_efi_programs_does_not_unpack_a_kernel() -> None:
    entry: dict[str, Content] = {
        "/boot/EFI/BOOT/BOOTX64.EFI": b"MZ LoaderInfo: systemd-boot 255",
        "/boot/loader/entries/a.conf": f"linux /vmlinuz-{VERSION}\ninitrd /initrd.img-{VERSION}\noptions root=UUID={ROOT}\n",
    }
    files: dict[str, Content] = {path: content for path, content in guest().items() if not path.endswith("grub.cfg")}
    files |= entry
    assert told(kernel(files).damaged) == []
    packed = kernel(files | {f"/boot/vmlinuz-{VERSION}": b"\x1f\x8b\x08"})
    assert [(cause.severity, "systemd-boot" in cause.reason) for cause in packed.damaged] == [(Severity.ERROR, True)]
    assert told(kernel(guest() | {f"/boot/vmlinuz-{VERSION}": b"\x1f\x8b\x08"}).damaged) == []


def test_an_initramfs_that_is_not_there() -> None:
    files = guest()
    del files[IMAGE]
    (cause,) = kernel(files).initramfs
    assert cause.about is not None
    assert (told([cause]), cause.about.kind, cause.where.line) == ([FAILS], "missing", 3)  # type: ignore[union-attr]


def test_an_initramfs_that_is_cut_short() -> None:
    cut = guest(WHOLE[: len(WHOLE) // 2])
    assert told(kernel(cut).initramfs) == [FAILS]
    assert initramfs(cut).root_filesystem == ()


DRIVES = sample_initramfs
LACKS = (*SCSI, *EXT4)


@pytest.mark.parametrize(
    ("modules", "target", "found"),
    [
        ((*VIRTIO, *SCSI, *EXT4), "kvm", []),
        (LACKS, "kvm", [FAILS]),
        ((*VIRTIO[1:], *SCSI, *EXT4), "kvm", [FAILS]),
        ((*LACKS, "virtio_blk: virtio virtio_ring"), "kvm", [FAILS]),
        ((*LACKS, "vmw_pvscsi"), "vmware", []),
    ],
)
def test_modules_of_the_controller(modules: tuple[str, ...], target: str, found: Told) -> None:
    judged = initramfs(guest(DRIVES(modules)), landing("vd") if target == "none" else BLOCKS, target=target)
    lacking = [cause for cause in judged.drivers if cause.about is not None and "virtio" in cause.reason]
    assert told(lacking) == found


def test_what_is_put_in_is_what_is_missing() -> None:
    (cause,) = initramfs(guest(DRIVES(LACKS))).drivers
    assert cause.about is not None
    assert (cause.about.controllers, "virtio_blk" in cause.about.names, "ext4" in cause.about.names) == (("virtio-blk",), True, False)


def test_a_driver_that_the_kernel_does_not_have() -> None:
    small = sample_kernel((*SCSI, *EXT4))
    judged = initramfs(guest(DRIVES(LACKS), kernel=small))
    assert told(judged.kernel_drivers) == [FAILS]
    assert "virtio_blk" in judged.kernel_drivers[0].reason
    assert told(initramfs(guest()).kernel_drivers) == []


def test_a_kernel_without_any_list_of_modules_says_nothing() -> None:
    bare = {f"/boot/vmlinuz-{VERSION}": sample_bzimage(VERSION)}
    assert told(initramfs(guest(DRIVES(LACKS), kernel=bare)).kernel_drivers) == [UNKNOWN]
    assert told(initramfs(guest(kernel=bare)).kernel_drivers) == [], "its initramfs shows what it has"


@pytest.mark.parametrize(
    ("conf", "found"),
    [
        ("install virtio_blk /bin/false", [FAILS]),
        ("blacklist virtio_blk", [FAILS]),
        ("blacklist floppy", []),
        ("install virtio /bin/true", [FAILS, FAILS]),
    ],
)
def test_a_driver_that_is_kept_from_loading(conf: str, found: Told) -> None:
    image = sample_initramfs((*VIRTIO, *SCSI, *EXT4), {"etc/modprobe.d/x.conf": f"{conf}\n"})
    assert told(initramfs(guest(image)).blocked) == found


def test_an_image_of_another_kernel() -> None:
    other = sample_initramfs((*VIRTIO, *SCSI, *EXT4), version="5.10.0-1-amd64")
    judged = initramfs(guest(other))
    assert (told(judged.other_kernel), judged.drivers, judged.root_filesystem) == ([FAILS], (), ())
    assert "5.10.0-1-amd64 only" in judged.other_kernel[0].reason
    builtin = sample_kernel((), ("virtio_blk", "virtio_pci", "virtio", "virtio_ring", "ext4", "sd_mod"))
    assert told(initramfs(guest(other, kernel=builtin)).other_kernel) == [WARNS]


def test_an_entry_without_an_initramfs() -> None:
    assert told(initramfs(guest(b"")).none_loaded) == [FAILS]
    assert told(initramfs(guest(b"", f"root=UUID={ROOT} panic=-1")).none_loaded) == [UNSURE]
    assert told(initramfs(guest(b"", f"root=UUID={ROOT} panic=30")).none_loaded) == [FAILS]
    builtin = sample_kernel((), ("virtio_blk", "virtio_pci", "virtio", "virtio_ring", "ext4", "jbd2"))
    assert told(initramfs(guest(b"", kernel=builtin)).none_loaded) == []


def test_a_volume_under_the_root_needs_an_initramfs_even_with_everything_built_in() -> None:
    volume = BlockDevice("vg/root", "lv", 1 << 30, 0, fs_type="ext4", uuid=ROOT, parents=("disk1p1",))
    builtin = sample_kernel((), ("virtio_blk", "virtio_pci", "virtio", "virtio_ring", "ext4", "jbd2", "dm_mod"))
    (cause,) = initramfs(guest(b"", kernel=builtin), RootStack("ext4", volume, (volume,))).none_loaded
    assert (told([cause]), "LVM under the root" in cause.reason) == ([FAILS], True)


STACKS = {
    "lv": RootStack("ext4", None, (BlockDevice("vg/root", "lv", 1, 0),)),
    "luks": RootStack("ext4", None, (BlockDevice("luks-x", "luks", 1, 0),)),
    "md": RootStack("ext4", None, (BlockDevice("md/0", "md", 1, 0, details=(("level", "raid1"),)),)),
}
DEVICE_MAPPER = (*VIRTIO, *SCSI, *EXT4, "dm_mod", "dm_crypt", "raid1", "md_mod")


@pytest.mark.parametrize(
    ("kind", "programs", "found"),
    [
        ("lv", ("sbin/lvm",), []),
        ("lv", ("sbin/vgchange",), []),
        ("lv", (), [FAILS]),
        ("luks", ("sbin/cryptsetup",), []),
        ("luks", ("sbin/lvm",), [FAILS]),
        ("md", ("sbin/mdadm",), []),
        ("md", (), [FAILS]),
    ],
)
def test_programs_that_open_the_layers(kind: str, programs: tuple[str, ...], found: Told) -> None:
    image = sample_initramfs(DEVICE_MAPPER, dict.fromkeys(programs, b"\x7fELF"))
    judged = initramfs(guest(image, kernel=sample_kernel(DEVICE_MAPPER)), STACKS[kind])
    assert told(judged.root_filesystem) == found


def test_the_type_of_the_root_filesystem() -> None:
    judged = initramfs(guest(DRIVES((*VIRTIO, *SCSI))))
    assert told(judged.root_filesystem) == [FAILS]
    assert "ext4 (the type of the root filesystem)" in judged.root_filesystem[0].reason
    unknown = initramfs(guest(), RootStack("", None))
    assert (unknown.fate, unknown.decisive.reason) == (Fate.UNKNOWN, "the root filesystem was not recognised")


def test_virt_v2v_rebuilds_the_image() -> None:
    tools = {"/usr/sbin/grub-mkconfig": "", "/usr/sbin/mkinitramfs": "", "/usr/sbin/update-initramfs": ""}
    files = guest(DRIVES(LACKS)) | tools
    judged = initramfs(files, Refusals(converts=True), mover=Mover.VIRT_V2V)
    assert (told(judged.drivers), judged.fate) == ([REPAIRED], Fate.PASS)
    assert "virt-v2v's new initramfs" in judged.decisive.reason
    refused = initramfs(files, Refusals(), mover=Mover.VIRT_V2V)
    assert (told(refused.drivers), refused.fate) == ([FAILS], Fate.FAIL)


def test_the_modules_of_scsi_disks_count_with_the_controller() -> None:
    assert SCSI_DISK == "sd_mod"
    lacking = initramfs(guest(DRIVES((*EXT4, "vmw_pvscsi"))), target="vmware")
    assert any("sd_mod" in cause.reason for cause in lacking.drivers)


LOCKED = "CONFIG_MODULE_SIG=y\nCONFIG_LOCK_DOWN_IN_EFI_SECURE_BOOT=y\n"
SECURE = SecureBoot("microsoft", demanded=True, first=EfiImage("/x", "shim", "x64", 1))


@pytest.mark.parametrize(
    ("config", "signed", "wanted"),
    [(LOCKED, False, [FAILS]), (LOCKED, True, []), (None, False, [UNSURE]), ("CONFIG_MODULE_SIG=y\n", False, [])],
)
def test_a_locked_kernel_loads_signed_modules_only(config: str | None, signed: bool, wanted: Told) -> None:
    driver = f"/lib/modules/{VERSION}/kernel/virtio_blk.ko"
    signature = {path: b"\x7fELF" + MAGIC for path in KERNEL if path.endswith(".ko") and (signed or path != driver)}
    more = {} if config is None else {f"/boot/config-{VERSION}": config}
    assert told(initramfs({**guest(), **signature, **more}, SECURE).unsigned) == wanted
    assert told(initramfs({**guest(), **more}).unsigned) == []


@pytest.mark.parametrize(("target", "config", "found"), [("kvm", "XEN", []), ("xen", "XEN", [FAILS]), ("kvm", "64BIT", [FAILS])])
def test_drivers_of_a_kernel_for_xen_alone(target: str, config: str, found: Told) -> None:
    """Such a kernel fails at an earlier stage anywhere else; on Xen its block driver counts."""
    files = guest(kernel=sample_kernel((*SCSI, *EXT4))) | {f"/boot/config-{VERSION}": f"CONFIG_X86_64_{config}=y\n"}
    assert told(initramfs(files, target=target).kernel_drivers) == found


@pytest.mark.parametrize("loader", ["uki", "efi-stub"])
def test_what_firmware_starts_by_itself_reboots_for_ever(loader: str) -> None:
    files = guest(b"", f"root=UUID={ROOT} panic=-1")
    startup = store(files, BLOCKS, EXT).get(Startup)
    assert startup.menu is not None
    direct = dataclasses.replace(startup, menu=dataclasses.replace(startup.menu, loader=loader))
    assert told(initramfs(files, direct).none_loaded) == [FAILS]


def test_a_kernel_that_reboots_at_once_may_come_up_by_another_entry() -> None:
    args = f"root=UUID={ROOT} panic=-1"
    assert told(initramfs(guest(b"", args)).drives) == [UNKNOWN, UNKNOWN, PASSES]
    builtin = sample_kernel((), ("virtio_blk", "virtio_pci", "virtio", "virtio_ring", "ext4", "jbd2"))
    assert told(initramfs(guest(b"", args, kernel=builtin)).drives) == [PASSES]
    assert told(initramfs(guest(args=args)).drives) == [PASSES]


def test_what_an_image_of_unknown_make_holds_cannot_be_told() -> None:
    """An image without modules and without the marks of a generator."""
    judged = initramfs(guest(newc({"init": b"#!/bin/sh\n"})))
    assert told(judged.drivers) == [UNKNOWN, UNKNOWN]
    assert judged.drivers[0].reason.startswith("virtio-blk: ")
    assert [str(cause.where) for cause in judged.drives[:-1]] == [IMAGE] * 2
    cut = initramfs(guest(WHOLE[: len(WHOLE) // 2]))
    assert told(cut.drivers) == []


@pytest.mark.parametrize(("mover", "found"), [(Mover.VIRT_V2V, [REPAIRED]), (Mover.RAW, [FAILS])])
def test_virt_v2v_puts_the_programs_for_the_layers_into_the_image(mover: Mover, found: Told) -> None:
    tools = {"/usr/sbin/grub-mkconfig": "", "/usr/sbin/mkinitramfs": "", "/usr/sbin/update-initramfs": ""}
    files = guest(sample_initramfs(DEVICE_MAPPER), kernel=sample_kernel((*DEVICE_MAPPER, *NETWORK))) | tools
    judged = initramfs(files, STACKS["lv"], Refusals(converts=mover is Mover.VIRT_V2V), mover=mover)
    assert told(judged.root_filesystem) == found
    assert "the program lvm (LVM)" in judged.root_filesystem[0].reason


@pytest.mark.parametrize(("loader", "found"), [("grub2", []), ("systemd-boot", [FAILS])])
def test_without_shim_only_systemd_boot_has_the_firmware_check_the_kernel(loader: str, found: Told) -> None:
    first = dataclasses.replace(SECURE, first=EfiImage("/x", "grub", "x64", 1))
    usual = store(guest(), BLOCKS).get(Startup)
    assert usual.menu is not None
    assert told(kernel(guest(), first, dataclasses.replace(usual, menu=dataclasses.replace(usual.menu, loader=loader))).signed) == found
