"""The verdict on the initramfs: what an image lacks, by everything that makes it matter or not."""

from __future__ import annotations

import dataclasses

import pytest

from tests.verdicts.asking import FAILS, REPAIRED, ROOT, UNKNOWN, UNSURE, WARNS, Told, landing, part, store, told
from tests.verdicts.booting import BLOCKS, EXT, IMAGE, KERNEL, PASSES, SECURE, TOOLS, WHOLE, guest, initramfs
from v2vlint.facts.boot.path import SCSI_DISK
from v2vlint.facts.boot.start import Startup
from v2vlint.facts.conversion.refusals import Refusals
from v2vlint.facts.initramfs.cpio import newc
from v2vlint.facts.kernel.module_signature import MAGIC
from v2vlint.facts.storage.root_stack import RootStack
from v2vlint.model.blocks import BlockDevice
from v2vlint.model.finding import Fate, Mover
from v2vlint.model.target import Controller
from v2vlint.samples.boot import (
    EXT4,
    NETWORK,
    SCSI,
    VERSION,
    VIRTIO,
    sample_bzimage,
    sample_initramfs,
    sample_kernel,
)
from v2vlint.target import load
from v2vlint.verdicts.initramfs import InitramfsVerdict

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


def test_of_many_other_kernels_three_are_told() -> None:
    versions = [f"5.{number}.0-1-amd64" for number in (10, 11, 12, 13)]
    folders = {f"usr/lib/modules/{version}/kernel/x.ko": b"\x7fELF" for version in versions}
    (cause,) = initramfs(guest(sample_initramfs((), folders, versions[0]))).other_kernel
    assert cause.reason == f"the initramfs of kernel {VERSION} holds modules of {', '.join(versions[:3])} only"


def test_virt_v2v_replaces_the_image_of_another_kernel() -> None:
    """What that image lacks besides is of no interest."""
    files = guest(sample_initramfs(("ext4",), version="5.10.0-1-amd64")) | TOOLS
    judged = initramfs(files, STACKS["lv"], Refusals(converts=True), mover=Mover.VIRT_V2V)
    assert (told(judged.other_kernel), judged.root_filesystem, judged.drivers) == ([REPAIRED], (), ())


def test_a_controller_that_the_mover_chooses_instead() -> None:
    """The kernel has to drive that one."""
    files = guest(kernel=sample_kernel((*SCSI, *EXT4)))
    other, unknown = landing("hd"), landing("xx")
    assert told(initramfs(files, dataclasses.replace(other, controllers=_named("hd", "sd_mod"))).kernel_drivers) == [WARNS]
    assert told(initramfs(files, dataclasses.replace(unknown, controllers=_named("xx", "xx"))).kernel_drivers) == [FAILS]


def _named(prefix: str, module: str) -> tuple[Controller, ...]:
    return (Controller(prefix, prefix, ((module,),)),)


def test_each_controller_counts() -> None:
    """The kernel's configuration mentions the second one only; for the first, its image tells."""
    bare = {f"/boot/vmlinuz-{VERSION}": sample_bzimage(VERSION), f"/boot/config-{VERSION}": "# CONFIG_VMWARE_PVSCSI is not set\n"}
    both = dataclasses.replace(load("kvm"), controllers=(*_named("xx", "odd_blk"), *_named("sd", "vmw_pvscsi")))
    judged = store(guest(sample_initramfs(("odd_blk", *EXT4)), kernel=bare), BLOCKS, EXT, both).get(InitramfsVerdict)
    assert (told(judged.kernel_drivers), "vmw_pvscsi" in judged.kernel_drivers[0].reason) == ([FAILS], True)


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
    files = guest(DRIVES(LACKS)) | TOOLS
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


@pytest.mark.parametrize(
    ("config", "signed", "wanted"),
    [(LOCKED, False, [FAILS]), (LOCKED, True, []), (None, False, [UNSURE]), ("CONFIG_MODULE_SIG=y\n", False, [])],
)
@pytest.mark.parametrize("name", ["virtio_blk", "ext4"])
def test_a_locked_kernel_loads_signed_modules_only(config: str | None, signed: bool, wanted: Told, name: str) -> None:
    driver = f"/lib/modules/{VERSION}/kernel/{name}.ko"
    assert driver in KERNEL
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


CLOSED = RootStack("", None, (BlockDevice("luks-AB-1", "luks", 1, 0, parents=("disk1p1",)), *STACKS["luks"].layers), closed=True)


@pytest.mark.parametrize(
    ("args", "lacks", "drives"),
    [
        (f"quiet root=UUID={ROOT}", [UNSURE, UNSURE], [UNSURE, UNKNOWN, PASSES]),
        ("quiet rd.luks.uuid=luks-ab-1", [FAILS, FAILS], [FAILS, UNKNOWN, PASSES]),
        ("quiet root=UUID=AB-1", [FAILS, FAILS], [FAILS, UNKNOWN, PASSES]),
    ],
)
def test_a_container_that_nobody_opened(args: str, lacks: Told, drives: Told) -> None:
    """Only the command line tells that the root is in it."""
    kernel = sample_kernel((*VIRTIO, *SCSI, *EXT4, "dm_mod", "dm_crypt"))
    judged = initramfs(guest(args=args, kernel=kernel), CLOSED)
    assert told(judged.root_filesystem) == lacks[:1]
    assert told(judged.drives) == drives
    reasons = [cause.reason for cause in judged.drives]
    opens = "initramfs-tools drives virtio-blk and opens LUKS; what is in luks-AB-1 is not known"
    assert reasons[:2] == ["root volume: dm_mod is not in the initramfs", opens]
    whole = sample_initramfs((*VIRTIO, *EXT4, "dm_mod", "dm_crypt"), {"sbin/cryptsetup": b"\x7fELF"})
    assert told(initramfs(guest(whole, args, kernel), CLOSED).root_filesystem) == []


def test_how_the_way_to_the_root_is_told() -> None:
    (cause,) = initramfs(guest()).drives
    assert cause.reason == "initramfs-tools drives virtio-blk and mounts ext4"
    builtin = sample_kernel((), ("virtio_blk", "virtio_pci", "virtio", "virtio_ring", "ext4", "jbd2"))
    (cause,) = initramfs(guest(b"", kernel=builtin)).drives
    assert cause.reason == "no initramfs; the kernel itself drives virtio-blk and mounts ext4"
    lacks = initramfs(guest(sample_initramfs(("sd_mod",)))).drives
    assert [cause.reason for cause in lacks[:2]] == ["virtio-blk: virtio_blk is not in the initramfs", "ext4: ext4 is not in the initramfs"]
    files = guest()
    del files[IMAGE]
    assert initramfs(files).drives[0].reason == "virtio-blk: virtio_blk is a module, and the kernel starts without an initramfs"
    bare = guest(b"")
    del bare[f"/boot/vmlinuz-{VERSION}"]
    bare["/boot/vmlinuz-other"] = sample_bzimage("6.1.0-14-amd64")
    assert [cause.reason for cause in initramfs(bare).drives] == [f"/boot/vmlinuz-{VERSION} does not exist"]


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
    files = guest(sample_initramfs(DEVICE_MAPPER), kernel=sample_kernel((*DEVICE_MAPPER, *NETWORK))) | TOOLS
    judged = initramfs(files, STACKS["lv"], Refusals(converts=mover is Mover.VIRT_V2V), mover=mover)
    assert told(judged.root_filesystem) == found
    assert "the program lvm (LVM)" in judged.root_filesystem[0].reason


@pytest.mark.parametrize(
    ("version", "kind", "args", "found"),
    [
        ("0.90", "0xfd", "", []),
        ("0.90", "0x83", "", [FAILS]),
        ("0.90", "0x83", " md=0,/dev/vda1", []),
        ("1.2", "0xfd", " md=0,/dev/vda1", [FAILS]),
    ],
)
def test_the_kernel_assembles_old_arrays_only(version: str, kind: str, args: str, found: Told) -> None:
    array = BlockDevice("md/0", "md", 1 << 30, 0, 0, "ext4", ROOT, parents=("disk1p1",), details=(("md_version", version),))
    blocks = dataclasses.replace(BLOCKS, devices=(BLOCKS.devices[0], part(1, "linux_raid_member", "a", part_type=kind), array))
    small = sample_kernel((), (*(name.partition(":")[0] for name in (*VIRTIO, *EXT4)), "md_mod"))
    files = guest(b"", args=f"root=/dev/md0{args}", kernel=small)
    assert told(initramfs(files, blocks, RootStack("ext4", array, (array,))).none_loaded) == found
