"""X configuration: which file and which section is live, and the edits; vendor GPU drivers."""

from __future__ import annotations

import pytest

from tests.facts.guests import HOSTILE, Files, at, edited, fact
from v2vlint.facts.environment.gpu_stack import GpuStacks
from v2vlint.facts.environment.xorg import Xorg
from v2vlint.model.place import WholeFile

CONF = "/etc/X11/xorg.conf"
DEVICE = (
    '# made by hand\nSection "Device"\n  Identifier  "Card0"\n  #Driver "vesa"\n  Driver      "vmware" # VMware\n  Vendor_Name "VMware"\n'
    '  BusID       "PCI:0:15:0"\n  Option "x" "y"\nEndSection\n'
)


def test_a_device_with_its_places_and_edits() -> None:
    (device,) = fact(Xorg, {CONF: DEVICE}).devices
    assert (at(device.where), device.identifier, at(device.driver), at(device.bus_id)) == ("2:1", "Card0", "vmware@5:16", "PCI:0:15:0@7:16")
    assert device.is_main_config
    assert edited({CONF: DEVICE}, device.unpin, CONF) == DEVICE.replace('  BusID       "PCI:0:15:0"\n', "")
    assert edited({CONF: DEVICE}, device.strip, CONF) == DEVICE.replace('  Vendor_Name "VMware"\n', "")


def test_only_devices_that_a_screen_uses() -> None:
    screen = 'Section "Screen"\n  Identifier "S"\n  Device "card1"\n  SubSection "Display"\n    Depth 24\n  EndSubSection\nEndSection\n'
    other = 'Section "device"\nidentifier "Card1"\ndriver "vesa"\nendsection\n'
    assert [device.identifier for device in fact(Xorg, {CONF: DEVICE + other + screen}).devices] == ["Card1"]
    assert [device.identifier for device in fact(Xorg, {CONF: DEVICE + other}).devices] == ["Card0", "Card1"]


@pytest.mark.parametrize(
    ("files", "devices"),
    [
        ({CONF: DEVICE, "/etc/X11/XF86Config": DEVICE.replace("Card0", "old")}, ["Card0"]),
        ({"/etc/X11/XF86Config": DEVICE}, ["Card0"]),
        ({f"{CONF}.d/20-x.conf": DEVICE, f"{CONF}.d/30-y.conf.bak": DEVICE}, ["Card0"]),
        ({"/usr/share/X11/xorg.conf.d/10-x.conf": DEVICE}, ["Card0"]),
        ({f"{CONF}.backup": DEVICE}, []),
        ({CONF: DEVICE.replace('"Device"', '"OutputClass"')}, []),
        ({CONF: "\n".join(f"#{line}" for line in DEVICE.splitlines())}, []),
    ],
)
def test_which_files_and_sections_are_live(files: Files, devices: list[str]) -> None:
    assert [device.identifier for device in fact(Xorg, files).devices] == devices


@pytest.mark.parametrize(
    ("files", "installed", "drivers"),
    [
        ({}, None, set()),
        ({"/sbin/init": ""}, False, set()),
        ({"/sbin/init": "", "/usr/lib/xorg/Xorg": ""}, True, set()),
        ({"/usr/libexec/Xorg": "", "/usr/lib64/xorg/modules/drivers/modesetting_drv.so": ""}, True, {"modesetting"}),
        ({"/usr/bin/Xorg": "", "/usr/lib/xorg/modules/drivers/vesa_drv.so": "", "/usr/lib/xorg/modules/libfb.so": ""}, True, {"vesa"}),
    ],
)
def test_whether_there_is_an_x_server(files: Files, installed: bool | None, drivers: set[str]) -> None:
    xorg = fact(Xorg, files)
    assert (xorg.installed, set(xorg.drivers)) == (installed, drivers)


@pytest.mark.parametrize(
    ("files", "stacks"),
    [
        ({}, []),
        ({"/etc/modprobe.d/x.conf": "blacklist nouveau\n"}, []),
        (
            {"/usr/bin/nvidia-smi": "", "/etc/modprobe.d/x.conf": "# blacklist nouveau\n  blacklist nouveau\ninstall nouveau /bin/false\n"},
            [("nvidia", "/usr/bin/nvidia-smi", ["2:1", "3:1"])],
        ),
        ({"/opt/amdgpu-pro/": "", "/lib/modprobe.d/a.conf": "blacklist radeon\n"}, [("amdgpu-pro", "/opt/amdgpu-pro", ["1:1"])]),
    ],
)
def test_vendor_drivers(files: Files, stacks: list[tuple[str, str, list[str]]]) -> None:
    found = fact(GpuStacks, files).stacks
    assert [(stack.vendor, stack.where, [at(place) for place in stack.blacklists]) for stack in found] == [
        (vendor, WholeFile(path), places) for vendor, path, places in stacks
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_is_survived(text: str) -> None:
    raw = text.encode("utf-8", "surrogateescape")
    assert fact(Xorg, {CONF: raw, f"{CONF}.d/x.conf": raw}).devices == ()
    assert fact(GpuStacks, {"/etc/modprobe.d/x.conf": raw}).stacks == ()
