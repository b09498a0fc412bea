"""What keeps xf86-video-vesa from a card."""

from __future__ import annotations

import pytest

from tests.verdicts.asking import store
from v2vlint.facts.boot.start import ChosenFirmware
from v2vlint.facts.environment.kernel_display import KernelDisplay
from v2vlint.model.rule import Content
from v2vlint.samples.boot import EXT4, VIRTIO, sample_boot, sample_kernel


def guest(*modules: str, args: str = "root=/dev/vda1", **more: Content) -> dict[str, Content]:
    return {**sample_boot(sample_kernel((*VIRTIO, *EXT4, *modules)), args=args), **more}


BLACKLIST: dict[str, Content] = {"/etc/modprobe.d/a.conf": "blacklist bochs\n"}


@pytest.mark.parametrize(
    ("files", "target", "drivers"),
    [
        (guest("bochs", "virtio_gpu"), "kvm", ("virtio_gpu", "bochs")),
        (guest("bochs") | BLACKLIST, "kvm", ("virtio_pci",)),
        (guest("vmwgfx", args="root=/dev/vda1 nomodeset"), "virtualbox", ()),
        (guest("bochs", args="root=/dev/vda1 nomodeset"), "kvm", ("virtio_pci",)),
        (guest("vmwgfx"), "virtualbox", ("vmwgfx",)),
        (guest("vmwgfx"), "kvm", ("virtio_pci",)),
        (guest("simpledrm"), "virtualbox", ()),
        ({}, "kvm", ()),
    ],
)
def test_drivers_that_take_the_card(files: dict[str, Content], target: str, drivers: tuple[str, ...]) -> None:
    found = store(files, target=target).get(KernelDisplay)
    assert found.drivers == drivers
    assert bool(found.vesa_refuses) == bool(drivers)


def test_uefi_has_no_video_bios() -> None:
    assert "UEFI" in store(guest(), ChosenFirmware("uefi"), target="vmware").get(KernelDisplay).vesa_refuses
    assert not store(guest(), ChosenFirmware("bios"), target="vmware").get(KernelDisplay).vesa_refuses
