"""Installed kernels: where they are found, what they are, what they can drive."""

from __future__ import annotations

import struct

import pytest

from tests.facts.guests import HOSTILE, Files, at, fact
from v2vlint.facts.kernel.config import config_from
from v2vlint.facts.kernel.image import KernelImage, read_kernel_image
from v2vlint.facts.kernel.kernels import Kernel, Kernels, Presence, version_key
from v2vlint.facts.kernel.module_names import is_module_path, module_name, normal, tree_version
from v2vlint.facts.kernel.modules import parse_dep, parse_names, parse_softdep
from v2vlint.guest.text import GuestText
from v2vlint.model.rule import Link
from v2vlint.samples.boot import VERSION, sample_arm64_image, sample_bzimage, sample_kernel
from v2vlint.samples.memory import memory_guest
from v2vlint.samples.pe import sample_pe

KERNEL = f"/boot/vmlinuz-{VERSION}"
FOLDER = f"/lib/modules/{VERSION}"


def _only(files: Files) -> Kernel:
    (kernel,) = fact(Kernels, files)
    return kernel


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("kernel/drivers/block/virtio-blk.ko.xz", "virtio_blk"),
        ("xen-blkfront.ko", "xen_blkfront"),
        ("extra/BusLogic.ko.zst", "BusLogic"),
        ("lib/e1000.o", "e1000"),
        ("sd_mod.ko.gz", "sd_mod"),
    ],
)
def test_module_names(path: str, name: str) -> None:
    assert module_name(path) == name
    assert is_module_path(path)


def test_what_is_no_module() -> None:
    assert not any(map(is_module_path, ("modules.dep", "x.ko.bak", "nvme.kobold", "a.c")))
    assert normal("pci-hyperv") == "pci_hyperv"
    assert tree_version("usr/lib/modules/6.7.6-arch1-1/kernel/x.ko") == "6.7.6-arch1-1"
    assert tree_version("lib/x.ko") == ""


def test_module_lists() -> None:
    listed = parse_dep("kernel/a-b.ko.xz: kernel/c.ko.xz extra/d.ko\nkernel/c.ko.xz:\nno colon\n: nothing\n")
    assert dict(listed.paths) == {"a_b": "kernel/a-b.ko.xz", "c": "kernel/c.ko.xz"}
    assert {name: listed.requires(name) for name in ("a-b", "c", "d")} == {"a-b": ("c", "d"), "c": (), "d": None}
    assert parse_names("kernel/fs/ext4/ext4.ko\n\n kernel/crypto/crc32c-intel.ko\n") == {"ext4", "crc32c_intel"}
    assert dict(parse_softdep("# x\nsoftdep ext4 pre: crc32c\nsoftdep ext4 post: a-b\nsoftdep\n")) == {"ext4": ("crc32c", "a_b")}


@pytest.mark.parametrize("content", HOSTILE)
def test_any_bytes_are_lists(content: str) -> None:
    files = {f"{FOLDER}/modules.dep": content, f"{FOLDER}/modules.builtin": content, f"{FOLDER}/modules.softdep": content, KERNEL: content}
    kernel = _only({**files, f"/boot/config-{VERSION}": content})
    assert kernel.has("virtio_blk") is Presence.ABSENT
    assert kernel.tree.closure(["x"]) == ("x",)


_STUB = "was built without an EFI stub, which loaders for UEFI need"
IMAGES = {
    "bzimage": (sample_bzimage("6.1.0-13-amd64"), KernelImage("bzimage", "6.1.0-13-amd64")),
    "signed": (sample_bzimage("6.1.0") + bytes(9), KernelImage("bzimage", "6.1.0")),
    "cut in its header": (sample_bzimage("6.1.0")[:0x208], KernelImage("bzimage", problem="is truncated: 520 bytes, within its header")),
    "short": (sample_bzimage("6.1.0", 64)[:2000], KernelImage("bzimage", "6.1.0", "is truncated: 2000 bytes of 2048")),
    "empty": (b"", KernelImage("", problem="is empty")),
    "zeros": (bytes(9000), KernelImage("", problem="starts with nothing but zero bytes")),
    "pe": (b"MZ" + b"\x01" * 99, KernelImage("pe")),
    "unified": (sample_pe({".linux": sample_bzimage("6.7.6"), ".uname": b"5.4\0"}), KernelImage("pe", "6.7.6")),
    "unified arm64": (sample_pe({".linux": sample_arm64_image(), ".uname": b"6.8.0-arm64\0"}), KernelImage("pe", "6.8.0-arm64")),
    "cut unified": (sample_pe({".linux": sample_bzimage()[:0x208], ".uname": b"\xff"}), KernelImage("pe")),
    "another program": (sample_pe({".text": b"x", ".uname": b"6.8.0"}), KernelImage("pe")),
    "elf": (b"\x7fELF\x02", KernelImage("elf")),
    "gzip": (b"\x1f\x8b\x08", KernelImage("gzip")),
    "arm64": (sample_arm64_image(), KernelImage("arm64")),
    "cut arm64": (sample_arm64_image()[:-9], KernelImage("arm64", problem="is cut short: it has 1031 of 1040 bytes")),
    "bare arm64": (bytes(8) + sample_arm64_image()[8:], KernelImage("arm64", problem=_STUB)),
    "zboot": (sample_arm64_image("gzip"), KernelImage("zboot")),
    "cut zboot": (sample_arm64_image("zstd")[:64], KernelImage("zboot", problem="has no PE header")),
    "text": (b"hello", KernelImage("")),
}


@pytest.mark.parametrize("name", IMAGES)
def test_kernel_images(name: str) -> None:
    data, image = IMAGES[name]
    assert read_kernel_image(memory_guest({"/vmlinuz": data}), "/vmlinuz") == image


def test_an_old_protocol_has_a_16_bit_size() -> None:
    data = bytearray(sample_bzimage("2.6.9", 32))
    struct.pack_into("<I", data, 0x1F4, 0xFFFF0020)
    struct.pack_into("<H", data, 0x206, 0x0203)
    assert read_kernel_image(memory_guest({"/vmlinuz": bytes(data)}), "/vmlinuz") == KernelImage("bzimage", "2.6.9")


def test_an_absent_image_is_none_and_a_wild_pointer_no_version() -> None:
    assert read_kernel_image(memory_guest({}), "/vmlinuz") is None
    data = bytearray(sample_bzimage())
    struct.pack_into("<H", data, 0x20E, 0xFFFF)
    assert read_kernel_image(memory_guest({"/vmlinuz": bytes(data)}), "/vmlinuz") == KernelImage("bzimage")


def test_presence_by_lists() -> None:
    kernel = _only(sample_kernel(("virtio_blk: virtio", "virtio"), ("nvme",)))
    assert [kernel.has(name) for name in ("virtio-blk", "nvme", "ahci")] == [Presence.MODULE, Presence.BUILTIN, Presence.ABSENT]
    assert kernel.tree.closure(["virtio_blk"]) == ("virtio", "virtio_blk")
    assert kernel.tree.path("virtio_blk") == f"{FOLDER}/kernel/virtio_blk.ko"
    assert kernel.tree.path("nvme") is None


CONFIG = "CONFIG_VIRTIO_BLK=y\nCONFIG_VIRTIO_NET=m\n# CONFIG_BLK_DEV_NVME is not set\n"


@pytest.mark.parametrize(
    ("files", "virtio_blk", "virtio_net", "nvme", "odd"),
    [
        ({}, Presence.UNKNOWN, Presence.UNKNOWN, Presence.UNKNOWN, Presence.UNKNOWN),
        ({f"/boot/config-{VERSION}": CONFIG}, Presence.BUILTIN, Presence.MODULE, Presence.ABSENT, Presence.UNKNOWN),
        ({f"{FOLDER}/modules.dep": "kernel/nvme.ko:\n"}, Presence.UNKNOWN, Presence.UNKNOWN, Presence.MODULE, Presence.UNKNOWN),
        (
            {f"{FOLDER}/modules.dep": "kernel/nvme.ko:\n", f"{FOLDER}/config": CONFIG},
            Presence.BUILTIN,
            Presence.ABSENT,
            Presence.MODULE,
            Presence.UNKNOWN,
        ),
        (
            {f"{FOLDER}/kernel/drivers/nvme.ko.xz": b"", f"{FOLDER}/modules.builtin": "kernel/virtio_blk.ko\n"},
            Presence.BUILTIN,
            Presence.UNKNOWN,
            Presence.MODULE,
            Presence.UNKNOWN,
        ),
    ],
)
def test_presence_with_less(files: Files, virtio_blk: Presence, virtio_net: Presence, nvme: Presence, odd: Presence) -> None:
    kernel = _only({KERNEL: sample_bzimage(), **files})
    assert [kernel.has(name) for name in ("virtio_blk", "virtio_net", "nvme", "odd_driver")] == [virtio_blk, virtio_net, nvme, odd]


PLACES = {
    "/boot/vmlinuz-6.1.0-13-amd64": "6.1.0-13-amd64",
    "/boot/vmlinuz-virt": "6.1.0-13-amd64",
    "/boot/kernel-genkernel-x86_64-6.1.0-13-amd64": "6.1.0-13-amd64",
    "/usr/lib/modules/6.1.0-13-amd64/vmlinuz": "6.1.0-13-amd64",
    "/boot/5f2c8d3a/6.1.0-13-amd64/linux": "6.1.0-13-amd64",
    "/vmlinuz-6.1.0-13-amd64": "6.1.0-13-amd64",
}


@pytest.mark.parametrize("path", PLACES)
def test_where_kernels_lie(path: str) -> None:
    kernel = _only({path: sample_bzimage("6.1.0-13-amd64"), f"{FOLDER}/modules.dep": ""})
    assert (kernel.version, kernel.image, kernel.tree.folder) == (PLACES[path], path, FOLDER)


def test_an_image_that_says_nothing_takes_its_name_or_the_only_folder() -> None:
    assert _only({"/boot/vmlinuz-4.19.1": b"\x7fELF"}).version == "4.19.1"
    assert _only({"/boot/vmlinuz": b"\x7fELF", "/lib/modules/4.4.1/modules.dep": ""}).version == "4.4.1"
    assert _only({"/boot/bzImage": b"\x7fELF"}).version == ""


def test_links_backups_and_leftovers_are_no_kernels() -> None:
    files: Files = {
        **sample_kernel(),
        "/vmlinuz": Link(f"boot/vmlinuz-{VERSION}"),
        "/vmlinuz.old": Link("boot/vmlinuz-gone"),
        f"{KERNEL}.dpkg-bak": sample_bzimage("1.0"),
        "/boot/vmlinuz-5.0.rpmsave": sample_bzimage("5.0"),
        f"/boot/.vmlinuz-{VERSION}.hmac": "x",
        "/lib/modules/notes/README": "",
    }
    assert [(kernel.version, kernel.image) for kernel in fact(Kernels, files)] == [(VERSION, KERNEL)]


def test_newest_first_then_rescue_then_bare_modules() -> None:
    files: Files = {
        "/boot/vmlinuz-6.1.9": sample_bzimage("6.1.9"),
        "/boot/vmlinuz-6.1.10": sample_bzimage("6.1.10"),
        "/boot/vmlinuz-0-rescue-1f": sample_bzimage("6.1.8"),
        "/lib/modules/7.0/modules.dep": "",
    }
    kernels = fact(Kernels, files)
    assert [kernel.version for kernel in kernels] == ["6.1.10", "6.1.9", "6.1.8", "7.0"]
    assert [kernel.version for kernel in kernels.bootable] == ["6.1.10", "6.1.9"]
    assert [kernel.is_rescue for kernel in kernels] == [False, False, True, False]
    found = kernels.of_version("6.1.9")
    assert found is not None
    assert str(found.where) == "/boot/vmlinuz-6.1.9"


def test_a_kernel_is_found_by_any_path_to_its_file() -> None:
    fs = memory_guest({**sample_kernel(), "/vmlinuz": Link(KERNEL), "/srv/own-kernel": sample_bzimage("9.9")})
    kernels = fact(Kernels, {**sample_kernel()})
    by_link, elsewhere = kernels.of_image("/vmlinuz", fs), kernels.of_image("/srv/own-kernel", fs)
    assert by_link is not None
    assert by_link.version == VERSION
    assert elsewhere is not None
    assert (elsewhere.version, elsewhere.image) == ("9.9", "/srv/own-kernel")
    assert kernels.of_image("/none", fs) is None


@pytest.mark.parametrize(
    ("version", "flavour"),
    [
        ("6.1.0-13-cloud-amd64", "cloud"), ("5.15.0-1050-kvm", "kvm"), ("6.1.0-13-rt-amd64", "rt"), ("3.0.101-0.15-pae", "pae"),
        ("2.6.18-398.el5PAE", "pae"), ("2.6.18-398.el5xen", "xen"), ("2.6.16.60-0.85.1-bigsmp", "bigsmp"),
        ("2.6.9-103.ELhugemem", "hugemem"),
        ("6.1.0-13-686", "i686"), ("6.5.0-1010-azure", "azure"), ("6.8.1-2-cachyos", "cachyos"), ("6.6.31-0-virt", "virt"),
        ("5.15.0-200.131.27.el9uek.x86_64", "oracle"), ("6.1.0-13-amd64", ""), ("5.14.0-362.el9.x86_64", ""), ("6.1.0-start", ""),
    ],
)  # fmt: skip
def test_flavours(version: str, flavour: str) -> None:
    assert _only({f"/boot/vmlinuz-{version}": sample_bzimage(version)}).flavour == flavour


@pytest.mark.parametrize(
    ("version", "config", "pv_only"),
    [
        ("2.6.18-398.el5xen", "CONFIG_X86_64_XEN=y\n", True),
        ("2.6.16-xen", "CONFIG_X86_XEN=y\n", True),
        ("6.1.0", "CONFIG_XEN=y\nCONFIG_XEN_PV=y\n# CONFIG_X86_XEN is not set\n", False),
        ("2.6.18-xenU", None, True),
        ("6.1.0-xen", None, False),
    ],
)
def test_xen_pv_only(version: str, config: str | None, pv_only: bool) -> None:
    files: Files = {f"/boot/vmlinuz-{version}": sample_bzimage(version)}
    assert _only({**files, **({f"/boot/config-{version}": config} if config else {})}).is_xen_pv_only is pv_only


def test_an_unmounted_boot_is_told() -> None:
    assert fact(Kernels, {"/etc/fstab": "UUID=1 /boot ext4 defaults 0 2\n"}).unreadable
    assert not fact(Kernels, {"/etc/fstab": "UUID=1 / ext4 defaults 0 1\n"}).unreadable


def test_configuration() -> None:
    config = config_from(GuestText("/boot/config", '# x\nCONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C="a b"\n'))
    assert [config.get(name) for name in "ABCD"] == ["y", "n", '"a b"', "n"]
    assert (config.is_set("A"), config.is_set("C")) == (True, False)
    assert [at(config.where(name)) for name in "ABD"] == ["2:1", "3:1", "1:1"]


def test_version_order() -> None:
    versions = ["6.1.0-9", "6.1.0-13", "6.1.10", "6.1.9", "6.1", "5.19", "6.2-rc1"]
    assert sorted(versions, key=version_key) == ["5.19", "6.1", "6.1.0-9", "6.1.0-13", "6.1.9", "6.1.10", "6.2-rc1"]


def test_initrd_names() -> None:
    kernel = _only({"/boot/vmlinuz-linux": sample_bzimage("6.7.6-arch1-1")})
    assert "/boot/initramfs-linux.img" in kernel.initrd_names()
    assert kernel.initrd_names()[0] == "/boot/initrd.img-6.7.6-arch1-1"


@pytest.mark.parametrize(
    ("name", "config", "found"),
    [
        ("vmlinuz-huge-5.15.19", {"config-huge-5.15.19.x64": "CONFIG_VIRTIO_BLK=y\nCONFIG_NFS_FS=m\n"}, ("built in", "unknown", "absent")),
        ("vmlinuz-huge-5.15.19", {}, ("unknown", "unknown", "unknown")),
        ("vmlinuz-huge-5.15.19", {"config-5.15.19": "CONFIG_VIRTIO_BLK=m\n"}, ("module", "unknown", "absent")),
        ("vmlinuz-generic-5.15.19", {"config-huge-5.15.19.x64": "CONFIG_VIRTIO_BLK=y\n"}, ("module", "built in", "absent")),
        ("vmlinuz-generic-5.15.19", {"config-generic-5.15.19.x64": "CONFIG_VIRTIO_BLK=y\n"}, ("built in", "built in", "absent")),
    ],
)
def test_slackware_s_huge_kernel_has_modules_of_another_build(name: str, config: dict[str, str], found: tuple[str, ...]) -> None:
    """It has drivers built in that are modules of the generic kernel, whose folder both use."""
    files = sample_kernel(("virtio_blk",), ("loop",), "5.15.19")
    files = {path: data for path, data in files.items() if "vmlinuz" not in path} | {f"/boot/{name}": sample_bzimage("5.15.19")}
    kernel = _only({**files, **{f"/boot/{path}": text for path, text in config.items()}})
    assert tuple(kernel.has(module).value for module in ("virtio_blk", "loop", "xfs")) == found
