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
        (guest("cirrus", args="root=/dev/vda1 cirrus.modeset=0"), "xen", ("cirrus",)),
        (guest("bochs") | BLACKLIST, "kvm", ("virtio_pci",)),
        (guest("vmwgfx", args="root=/dev/vda1 nomodeset"), "virtualbox", ()),
        (guest("bochs", args="root=/dev/vda1 nomodeset"), "kvm", ("virtio_pci",)),
        (guest("vmwgfx"), "virtualbox", ("vmwgfx",)),
        (guest("vmwgfx", args="root=/dev/vda1 -- nomodeset"), "virtualbox", ("vmwgfx",)),
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


OLD, NEW = "/usr/lib/xorg/modules/drivers/vesa_drv.so", "/usr/lib64/xorg/modules/drivers/vesa_drv.so"
REFUSAL = "\0vesa: Refusing to run, Framebuffer or dri device present\n\0"


@pytest.mark.parametrize(
    ("driver", "mode", "refuses"),
    [
        ({NEW: REFUSAL}, "vga=791", True),
        ({NEW: REFUSAL}, "vga=0x317", True),
        ({NEW: REFUSAL}, "vga=0x30a", False),
        ({NEW: REFUSAL}, "vga=normal", False),
        ({NEW: REFUSAL}, "vga=6", False),
        ({NEW: REFUSAL}, "quiet", False),
        ({OLD: "\0vesa: Refusing to run on UEFI\n\0"}, "vga=791", False),
        ({}, "vga=791", False),
    ],
)
def test_newer_vesa_refuses_a_frame_buffer(driver: dict[str, Content], mode: str, refuses: bool) -> None:
    files = sample_boot(sample_kernel((*VIRTIO, *EXT4), builtin=("vesafb",)), args=f"root=/dev/vda1 {mode}")
    found = store({**files, **driver}, ChosenFirmware("bios"), target="vmware").get(KernelDisplay)
    assert found.vesa_refuses == (f"a machine with a frame buffer ({mode})" if refuses else "")


def test_without_a_driver_for_it_there_is_no_frame_buffer() -> None:
    files = {**guest(args="root=/dev/vda1 vga=791"), NEW: REFUSAL}
    assert not store(files, ChosenFirmware("bios"), target="vmware").get(KernelDisplay).vesa_refuses


SET: dict[str, Content] = {"/etc/modprobe.d/a.conf": "options bochs modeset=0\n"}
NATIVE = ("bochs", "virtio_gpu")


@pytest.mark.parametrize(
    ("files", "target", "reason"),
    [
        (guest(*NATIVE), "kvm", ""),
        (guest("bochs") | SET, "kvm", "modeset=0 keeps bochs from driving it"),
        (guest("bochs") | {"/etc/modprobe.d/a.conf": "options bochs modeset=1\r\n"}, "kvm", "modeset=1 keeps bochs from driving it"),
        (guest("bochs") | {"/etc/modprobe.d/a.conf": "options bochs modeset=0x0\n"}, "kvm", "modeset=0x0 keeps bochs from driving it"),
        (guest("bochs", args="root=/dev/vda1 bochs.modeset=off"), "kvm", "bochs.modeset=off keeps bochs from driving it"),
        (sample_boot(sample_kernel((*VIRTIO, *EXT4), builtin=("bochs",)), args="root=/dev/vda1 bochs.modeset=off"), "kvm", ""),
        (guest(*NATIVE) | SET, "kvm", ""),
        (sample_boot(sample_kernel((*VIRTIO, *EXT4), builtin=("bochs",))) | SET, "kvm", ""),
        (guest("bochs", args="root=/dev/vda1 bochs.modeset=1") | SET, "kvm", ""),
        (guest("virtio-gpu", args="root=/dev/vda1 nomodeset virtio-gpu.modeset=1"), "kvm", ""),
        (guest("virtio-gpu", args="root=/dev/vda1 virtio_gpu.modeset=0"), "kvm", "virtio_gpu.modeset=0 keeps virtio_gpu from driving it"),
        (guest("bochs", args="root=/dev/vda1 nomodeset bochs.modeset=-1"), "kvm", "nomodeset keeps bochs from driving it"),
        (guest("vmwgfx", args="root=/dev/vda1 nomodeset vmwgfx.modeset=1"), "vmware", "nomodeset keeps vmwgfx from driving it"),
        (guest("cirrus", args="root=/dev/vda1 cirrus.modeset=0"), "xen", ""),
        (guest("bochs") | BLACKLIST, "kvm", "bochs is blocked by `blacklist bochs`"),
        (guest("hyperv_fb"), "azure", "hyperv_drm is not part of kernel 6.1.0-13-amd64"),
        (guest("vmwgfx", "simpledrm", args="root=/dev/vda1 nomodeset"), "vmware", ""),
        (guest(), "any", ""),
        ({}, "kvm", ""),
    ],
)
def test_why_there_is_no_drm_device(files: dict[str, Content], target: str, reason: str) -> None:
    assert [one.reason for one in store(files, target=target).get(KernelDisplay).without_drm] == ([reason] if reason else [])
