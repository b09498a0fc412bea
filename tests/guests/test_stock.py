"""A stock Debian has nothing wrong with it for KVM; each deliberate defect gives exactly its finding, at the right line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from guestbuild.debian import Spec, build
from guestbuild.recipe import Expect
from tests.guests.tampering import Copy
from tests.samples.test_samples import check, findings

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("bookworm-bios-ext4")]

GRUB = "/boot/grub/grub.cfg"
GONE = "0d1a5c0e-5b1d-4d37-8e3b-3a1f0c9d2e77"


def judge(image: Path) -> set[Expect]:
    """The warnings and errors of one image for ``kvm``."""
    return {found for found in findings(check((image,), "kvm"), False) if found.severity != "info"}


@pytest.mark.parametrize("spec", [Spec(), Spec(firmware="uefi")], ids=lambda spec: spec.name)
def test_a_stock_guest_has_nothing_wrong(spec: Spec) -> None:
    image = build(spec)
    assert judge(image) == set()
    root = check((image,), "kvm")["images"][0]["roots"][0]
    assert root["targets"][0]["forecast"]["will_boot"] is True
    assert root["os"]["name"] == "Debian GNU/Linux"


def _missing_disk(copy: Copy) -> Expect:
    line = copy.append("/etc/fstab", f"UUID={GONE} /data ext4 defaults 0 2")
    return Expect("fstab-missing-device", f"/etc/fstab:{line}", "error")


def _root_by_name(copy: Copy) -> Expect:
    text = copy.read(GRUB)
    word = next(word for word in text.split() if word.startswith("root=UUID="))
    return Expect("root-device-name", f"{GRUB}:{copy.edit(GRUB, word, 'root=/dev/sda1')}", "error")


def _fstab_by_name(copy: Copy) -> Expect:
    word = next(word for word in copy.read("/etc/fstab").split() if word.startswith("UUID="))
    return Expect("fstab-device-name", f"/etc/fstab:{copy.edit('/etc/fstab', word, '/dev/sda1')}", "warning")


def _stale_resume(copy: Copy) -> Expect:
    line = copy.edit(GRUB, "console=tty0", f"console=tty0 resume=UUID={GONE}")
    return Expect("resume-missing-device", f"{GRUB}:{line}", "warning")


def _no_boot_code(copy: Copy) -> Expect:
    copy.erase_boot_code()
    return Expect("no-boot-loader", "disk1", "error")


def _static_address(copy: Copy) -> Expect:
    path = "/etc/systemd/network/20-wired.network"
    line = copy.edit(path, "DHCP=yes", "Address=10.1.2.3/24\nGateway=10.1.2.1")
    return Expect("static-address", f"{path}:{line}", "warning")


def _pinned_name(copy: Copy) -> Expect:
    path = "/etc/systemd/network/20-wired.network"
    return Expect("interface-name-bound", f"{path}:{copy.edit(path, 'Type=ether', 'Name=ens192')}", "error")


def _no_initramfs(copy: Copy) -> Expect:
    text = copy.read(GRUB)
    initrd = text.split("initrd\t")[1].split()[0]
    copy.remove(initrd)
    line = text[: text.index("initrd\t")].count("\n") + 1
    return Expect("initramfs-damaged", f"{GRUB}:{line}", "error")


DEFECTS = [
    _missing_disk,
    _root_by_name,
    _fstab_by_name,
    _stale_resume,
    _no_boot_code,
    _static_address,
    _pinned_name,
    _no_initramfs,
]


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.__name__.strip("_"))
def test_a_defect_gives_exactly_its_finding(tmp_path: Path, defect: Callable[[Copy], Expect]) -> None:
    copy = Copy.of(build(Spec()), tmp_path)
    expected = defect(copy)
    assert judge(copy.image) == {expected}


def test_an_optional_disk_that_is_missing_only_warns(tmp_path: Path) -> None:
    copy = Copy.of(build(Spec()), tmp_path)
    line = copy.append("/etc/fstab", f"UUID={GONE} /data ext4 nofail 0 2")
    assert judge(copy.image) == {Expect("fstab-missing-device", f"/etc/fstab:{line}", "warning")}


@pytest.mark.xdist_group("bookworm-uefi-ext4")
def test_a_missing_fallback_loader(tmp_path: Path) -> None:
    copy = Copy.of(build(Spec(firmware="uefi")), tmp_path)
    copy.erase_from_esp("/EFI/BOOT/BOOTX64.EFI")
    assert judge(copy.image) == {Expect("efi-no-fallback-loader", "/boot/efi/EFI", "error")}


@pytest.mark.xdist_group("bookworm-bios-ext4-modules=list")
def test_an_initramfs_without_virtio() -> None:
    spec = Spec(modules="list")
    (found,) = judge(build(spec))
    assert (found.rule, found.severity) == ("initramfs-without-storage-driver", "error")
    assert found.place.startswith("/boot/initrd.img-")
