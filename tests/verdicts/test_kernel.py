"""The verdict on the kernel: what the loader finds, what it is, and whether the firmware lets it start."""

from __future__ import annotations

import dataclasses

import pytest

from tests.verdicts.asking import FAILS, ROOT, UNKNOWN, UNSURE, Told, store, told
from tests.verdicts.booting import BLOCKS, IMAGE, PASSES, SECURE, WHOLE, guest, initramfs, kernel
from v2vlint.facts.boot.choices import BootChoices
from v2vlint.facts.boot.efi import EfiImage
from v2vlint.facts.boot.start import Startup
from v2vlint.model.finding import Fate, Severity
from v2vlint.model.rule import Content
from v2vlint.samples.boot import (
    VERSION,
    sample_arm64_image,
    sample_bzimage,
    sample_kernel,
)


def test_a_whole_guest_passes() -> None:
    assert told(kernel(guest()).causes) == [PASSES]
    assert told(initramfs(guest()).causes) == [PASSES]


def test_no_kernel_at_all() -> None:
    (cause,) = kernel({}).none_installed
    assert (told([cause]), cause.reason) == ([FAILS], "no kernel image is installed")
    modules_only = {path: content for path, content in guest().items() if "/lib/modules" in path}
    assert kernel(modules_only).none_installed[0].reason.endswith(f"; only the modules of {VERSION} are there")


def test_a_loader_that_may_keep_its_kernel_anywhere() -> None:
    unread: dict[str, Content] = {"/boot/efi/EFI/os/start.efi": "MZ"}
    (cause,) = kernel(unread).none_installed
    where = "no kernel image is in the usual places, and it is not known where /boot/efi/EFI/os/start.efi looks for one"
    assert (told([cause]), cause.reason) == ([UNKNOWN], where)
    menu: dict[str, Content] = {"/boot/grub/grub.cfg": "menuentry 'x' {\n linux /vmlinuz root=/dev/vda1\n}\n"}
    assert told(kernel({**unread, **menu}).none_installed) == [FAILS]


@pytest.mark.parametrize(
    ("flags", "target", "found"), [(4, "kvm-aarch64", [UNSURE]), (2, "kvm-aarch64", []), (4, "gce-arm64", []), (4, "kvm", [])]
)
@pytest.mark.parametrize("version", [VERSION, ""])
def test_pages_that_the_processor_may_not_have(flags: int, target: str, found: Told, version: str) -> None:
    """Bits 1 and 2 of an arm64 image's flags (Documentation/arch/arm64/booting.rst): 1 is 4 KiB, 2 is 16 KiB."""
    image = bytearray(sample_arm64_image())
    image[24] = flags
    files = guest(kernel={f"/boot/vmlinuz-{VERSION}" if version else "/boot/vmlinuz": bytes(image)})
    if not version:
        files["/boot/grub/grub.cfg"] = "menuentry 'x' {\n linux /boot/vmlinuz root=/dev/vda1\n}\n"
    judged = kernel(files, target=target).pages
    assert told(judged) == found
    for cause in judged:
        assert cause.reason == f"kernel {version or '/boot/vmlinuz'} has pages of 16 KiB, and the target guarantees 4 or 64"


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
    """GRUB shows the error and starts the kernel all the same (drawn guest 3001); systemd-boot does not."""
    files = guest()
    del files[IMAGE]
    (cause,) = initramfs(files).image
    assert (told([cause]), cause.about.kind, cause.where.line) == ([FAILS], "missing", 3)  # type: ignore[union-attr]
    assert kernel(files).initramfs == ()
    usual = store(files, BLOCKS).get(BootChoices)
    (choice,) = usual.defaults
    assert choice.entry is not None
    strict = dataclasses.replace(choice, entry=dataclasses.replace(choice.entry, goes_on=False))
    given = dataclasses.replace(usual, defaults=(strict,))
    (refused,) = kernel(files, given).initramfs
    assert (told([refused]), refused.about and refused.about.ignored) == ([FAILS], False)
    assert initramfs(files, given).image == ()


def test_a_kernel_that_needs_no_initramfs_starts_though_the_one_it_is_given_is_missing() -> None:
    built_in = sample_kernel((), ("virtio_blk", "virtio_pci", "virtio", "virtio_ring", "ext4", "jbd2"))
    files = guest(args="root=/dev/vda1 ro", kernel=built_in)
    del files[IMAGE]
    assert told(initramfs(files).image) == [(Fate.PASS, Severity.WARNING)]
    assert initramfs(files).fate is Fate.PASS


def test_an_initramfs_that_is_cut_short() -> None:
    cut = guest(WHOLE[: len(WHOLE) // 2])
    assert told(initramfs(cut).image) == [FAILS]
    assert initramfs(cut).root_filesystem == ()


@pytest.mark.parametrize(("loader", "found"), [("grub2", []), ("systemd-boot", [FAILS])])
def test_without_shim_only_systemd_boot_has_the_firmware_check_the_kernel(loader: str, found: Told) -> None:
    first = dataclasses.replace(SECURE, first=EfiImage("/x", "grub", "x64", 1))
    usual = store(guest(), BLOCKS).get(Startup)
    assert usual.menu is not None
    assert told(kernel(guest(), first, dataclasses.replace(usual, menu=dataclasses.replace(usual.menu, loader=loader))).signed) == found
