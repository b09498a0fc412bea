"""Rule xorg-fixed-driver."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    Example,
    Finding,
    Fix,
    KernelDisplay,
    Mover,
    NotApplicable,
    Refusals,
    Rule,
    Severity,
    Target,
    Xorg,
    XorgDevice,
    replace_token,
    sample_boot,
    sample_kernel,
)

_CONF = "/etc/X11/xorg.conf"
_DROP_IN = "/etc/X11/xorg.conf.d/20-nvidia.conf"
_X = {"/usr/lib/xorg/Xorg": ""}
_KMS = ("virtio_gpu", "bochs", "virtio_blk: virtio virtio_ring", "virtio_pci: virtio virtio_ring", "virtio_ring: virtio", "virtio", "ext4")
_ANYWHERE = frozenset({"dummy", "modesetting", "fbdev", "vesa"})
_DEVICE = 'Section "Device"\n\tIdentifier "Card0"\n\tDriver     "{0}"\n\tVendorName "VMware"\n\tBoardName  "SVGA"\nEndSection\n'
_VESA, _NEW = "/usr/lib/xorg/modules/drivers/vesa_drv.so", "vesa: Refusing to run, Framebuffer or dri device present"
_VGA = sample_boot(sample_kernel(builtin=("vesafb",)), args="root=/dev/sda1 vga=791")
_PLAIN = 'Section "Device"\n\tIdentifier "Card0"\n\tDriver     "modesetting"\nEndSection\n'


class XorgFixedDriver(Rule):
    """The X configuration names a driver for one specific graphics card.

    ## What it does
    Finds active `Section "Device"` entries in xorg.conf, XF86Config and xorg.conf.d whose `Driver` does not work on the target's display,
    or is not installed. Comments, `OutputClass` sections and devices that no screen uses do not count. `vesa` works only on a card without
    a kernel driver: it refuses one that a driver of the guest's kernel binds to (with `nomodeset` still virtio's), machines with UEFI, and
    since 2.6 any frame buffer of the kernel, such as that of `vga=791`.

    ## Why it matters
    The driver finds no card it knows and the X server gives up ("no screens found"): a black screen, or a login screen
    that keeps restarting. The guest itself runs and can be reached.

    ## Fix safety
    Safe: `modesetting` (or `vesa` on servers too old for it) works on every virtual display. The lines that name the vendor are removed.

    ## References
    - virt-v2v `convert/convert_linux.ml`, `configure_display_driver`: does the same in xorg.conf, not in xorg.conf.d
    - xf86-video-vesa `src/vesa.c`, `VESAPciProbe`: "Ignoring device with a bound kernel driver", "Refusing to run on UEFI" (2.5),
      "Refusing to run, Framebuffer or dri device present" (2.6)
    - xorg.conf(5); microsoft/azurelinux#13690, BlackArch/blackarch#1768
    """

    severity = Severity.WARNING
    since = "0.1"
    predicts = (
        r"no screens found", r"\(EE\) No devices detected", r"Failed to load module \"(vmware|nvidia|fglrx|vboxvideo)\"",
        r"vesa: Ignoring device with a bound kernel driver", r"vesa: Refusing to run",
    )  # fmt: skip
    examples = (
        Example({**_X, _CONF: _DEVICE.format("vmware")}, flags=(f"{_CONF}:3",), severity=Severity.WARNING, fixed={_CONF: _PLAIN}),
        Example(
            {**_X, _CONF: _DEVICE.format("vmware")},
            mover=Mover.VIRT_V2V,
            flags=(f"{_CONF}:3",),
            severity=Severity.INFO,
            title="virt-v2v rewrites xorg.conf",
        ),
        Example(
            {**_X, _DROP_IN: 'Section "Device"\n  Identifier "gpu"\n  Driver "nvidia" # installed by hand\nEndSection\n'},
            mover=Mover.VIRT_V2V,
            flags=(f"{_DROP_IN}:3",),
            severity=Severity.WARNING,
            fixed={_DROP_IN: 'Section "Device"\n  Identifier "gpu"\n  Driver "modesetting" # installed by hand\nEndSection\n'},
            title="but not the drop-ins",
        ),
        Example(
            {
                "/usr/X11R6/bin/Xorg": "",
                "/usr/lib/xorg/modules/drivers/vesa_drv.so": "",
                "/etc/X11/XF86Config": _DEVICE.format("vmware"),
            },
            flags=("/etc/X11/XF86Config:3",),
            fixed={"/etc/X11/XF86Config": _PLAIN.replace("modesetting", "vesa")},
            title="a server from before modesetting",
        ),
        Example(
            {**sample_boot(sample_kernel(_KMS)), **_X, _CONF: _DEVICE.format("vesa")},
            flags=(f"{_CONF}:3",),
            severity=Severity.WARNING,
            fixed={_CONF: _PLAIN},
            title="the kernel drives the card",
        ),
        Example(
            {**sample_boot(sample_kernel(_KMS), args="root=/dev/vda1 nomodeset"), **_X, _CONF: _DEVICE.format("vesa")},
            flags=(f"{_CONF}:3",),
            title="virtio_pci holds a virtio card whatever drives it",
        ),
        Example({**sample_boot(args="root=/dev/sda1 nomodeset"), **_X, _CONF: _DEVICE.format("vesa")}, target="vmware"),
        Example({**sample_boot(), **_X, _CONF: _DEVICE.format("vesa")}, target="vmware", title="the kernel has no driver for the card"),
        Example({**_VGA, **_X, _VESA: _NEW, _CONF: _DEVICE.format("vesa")}, target="vmware", flags=(f"{_CONF}:3",), title="vesa 2.6"),
        Example({**_VGA, **_X, _VESA: "vesa: Refusing to run on UEFI", _CONF: _DEVICE.format("vesa")}, target="vmware", title="vesa 2.5"),
        Example({**_X, _CONF: _DEVICE.format("modesetting")}),
        Example({**_X, _CONF: _DEVICE.format("vmware")}, target="vmware"),
        Example({**_X, _CONF: "#" + _DEVICE.format("vmware").replace("\n", "\n#")}),
        Example({**_X, f"{_CONF}.failsafe": _DEVICE.format("vmware"), f"{_DROP_IN}.bak": _DEVICE.format("nvidia")}),
        Example(
            {
                **_X,
                "/usr/share/X11/xorg.conf.d/10-nvidia.conf": (
                    'Section "OutputClass"\n  Identifier "nvidia"\n  MatchDriver "nvidia-drm"\n  Driver "nvidia"\nEndSection\n'
                ),
            },
            title="OutputClass applies to the card it matches only",
        ),
        Example(
            {**_X, "/usr/lib/xorg/modules/drivers/modesetting_drv.so": "", _CONF: _DEVICE.format("cirrus")},
            target="xen",
            flags=(f"{_CONF}:3",),
            fixed={_CONF: _PLAIN},
            title="the target has that card, and the guest no such module",
        ),
        Example({"/sbin/init": "", _CONF: _DEVICE.format("vmware")}, title="no X server is installed"),
        Example(
            {
                **_X,
                _CONF: _DEVICE.format("nvidia")
                + 'Section "Device"\n  Identifier "any"\nEndSection\nSection "Screen"\n  Identifier "s"\n  Device "any"\nEndSection\n',
            },
            title="no screen uses that device",
        ),
    )

    def check(self, xorg: Xorg, target: Target, refusals: Refusals, display: KernelDisplay) -> Iterator[Finding]:
        if xorg.installed is False or not xorg.devices:
            raise NotApplicable("no X server is installed, or its configuration names no device")
        fitting = _fitting(target)
        for device in xorg.devices:
            driver = device.driver
            if driver is None or not driver.value:
                continue
            refused = display.vesa_refuses if driver.value.lower() == "vesa" else ""
            absent = bool(xorg.drivers) and driver.value.lower() not in xorg.drivers
            if driver.value.lower() in fitting and not refused and not absent:
                continue
            lacking = f"which refuses {refused}" if refused else f"for which {target.name} has no card"
            lacking = "whose module is not installed" if absent and driver.value.lower() in fitting else lacking
            converted = refusals.converts and device.is_main_config
            effect = "the X server finds no screen: the console shows no desktop; the guest itself runs"
            yield self.finding(
                driver.where,
                f'the X configuration asks for the driver "{driver}", {lacking}',
                "virt-v2v replaces it with modesetting" if converted else effect,
                severity=Severity.INFO if converted else Severity.WARNING,
                fix=_generic(device, xorg),
            )


def _fitting(target: Target) -> frozenset[str]:
    """The X drivers that work on every display of the target; ``dummy`` needs no display."""
    sets = [frozenset(display.xorg_drivers) for display in target.displays]
    return frozenset.intersection(*sets) | {"dummy"} if sets else _ANYWHERE


def _generic(device: XorgDevice, xorg: Xorg) -> Fix | None:
    if device.driver is None:
        return None
    old = "vesa" in xorg.drivers and "modesetting" not in xorg.drivers  # an X server from before modesetting
    driver = "vesa" if old and device.driver.value.lower() != "vesa" else "modesetting"
    edits = (replace_token(device.driver, driver), *device.strip)
    return Fix(f'use the X driver "{driver}"', Applicability.SAFE, edits)
