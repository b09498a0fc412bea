"""Rule display-without-driver."""

from collections.abc import Iterator

from v2vlint.api import (
    BootChoices,
    Content,
    Desktop,
    Example,
    Finding,
    KernelDisplay,
    Link,
    NotApplicable,
    Presence,
    Rule,
    Severity,
    Target,
    Unknown,
    WholeFile,
    sample_boot,
    sample_kernel,
)

_DEP = "/lib/modules/6.1.0-9-cloud-amd64/modules.dep"
_GRUB = "menuentry 'Debian' {\n\tlinux /boot/vmlinuz-6.1.0-9-cloud-amd64 root=UUID=1c7e ro\n}\n"
_DESKTOP = {
    "/sbin/init": "",
    "/etc/systemd/system/display-manager.service": "",
    "/etc/systemd/system/graphical.target.wants/gdm.service": "",
    "/boot/grub/grub.cfg": _GRUB,
    "/boot/vmlinuz-6.1.0-9-cloud-amd64": "",
    "/lib/modules/6.1.0-9-cloud-amd64/modules.builtin": "kernel/drivers/nvme/host/nvme.ko\n",
}
_WAYLAND: dict[str, Content] = {
    "/etc/systemd/system/graphical.target.wants/greetd.service": Link("/lib/systemd/system/greetd.service"),
    "/lib/systemd/system/greetd.service": "[Service]\nExecStart=/usr/bin/greetd\n",
    "/lib/systemd/system/default.target": Link("graphical.target"),
    "/lib/systemd/system/graphical.target": "[Unit]\nRequires=multi-user.target\n",
    "/lib/systemd/system/multi-user.target": "[Unit]\n",
    "/sbin/init": Link("/lib/systemd/systemd"),
    "/lib/systemd/systemd": "",
    "/usr/bin/sway": "",
}
_MODULES = ("virtio_blk: virtio virtio_ring", "virtio_pci: virtio virtio_ring", "virtio_ring: virtio", "virtio", "ext4")
_DRIVEN = sample_kernel((*_MODULES, "virtio_gpu", "bochs"))
_BARE = sample_kernel(_MODULES, builtin=("vesafb", "efifb"))
_FIRMWARE = sample_kernel(_MODULES, builtin=("simpledrm",))
_IMAGE = "/boot/vmlinuz-6.1.0-13-amd64"
_NOMODESET = "root=/dev/vda1 nomodeset"


class DisplayWithoutDriver(Rule):
    """The guest starts a desktop, and its kernel has no driver for the target's display.

    ## What it does
    Where the boot starts a display manager, or a compositor as a service, checks that the default kernel has a driver for the target's
    display. Cloud kernels often have none at all. In a guest without an X server, it must be a driver that makes a DRM device
    (`/dev/dri/card0`): one for the card that is there, not blacklisted, and not kept off by `nomodeset` or `modeset=0`, or `simpledrm`,
    which uses the firmware's frame buffer in spite of `nomodeset`. A frame buffer alone (vesafb, efifb) is enough for X only.

    ## Why it matters
    A Wayland compositor without a DRM device ends at once ("no drm device found"), and X works without one only in the simplest modes: the
    screen stays black. The guest itself runs.

    ## References
    - virt-v2v adds `bochs-drm` to the initramfs since BZ 2131123; Debian's cloud kernels have no DRM drivers
    - `docs/x-displays.md`: Weston on QEMU's cards
    - Linux `include/drm/drm_module.h`: `nomodeset` keeps a driver off unless its own `modeset` says 1; `drivers/gpu/drm/tiny/simpledrm.c`
      has no such test
    """

    severity = Severity.WARNING
    since = "0.1"
    predicts = (r"no drm device found",)
    examples = (
        Example({**_DESKTOP, _DEP: "kernel/fs/xfs/xfs.ko:\n"}, flags=("/boot/vmlinuz-6.1.0-9-cloud-amd64",)),
        Example({**_DESKTOP, _DEP: "kernel/drivers/gpu/drm/virtio/virtio-gpu.ko:\n"}),
        Example({"/sbin/init": "", "/boot/grub/grub.cfg": _GRUB, "/boot/vmlinuz-6.1.0-9-cloud-amd64": ""}, title="no desktop"),
        Example({**_WAYLAND, **sample_boot(_DRIVEN)}, title="Wayland, and the kernel drives the card"),
        Example({**_WAYLAND, **sample_boot(_BARE)}, flags=(_IMAGE,), title="Wayland on a frame buffer"),
        Example({**_WAYLAND, **sample_boot(_BARE), "/usr/bin/Xorg": ""}, title="X on a frame buffer"),
        Example({**_WAYLAND, **sample_boot(_FIRMWARE, args=_NOMODESET)}, title="simpledrm does not heed nomodeset"),
        Example({**_WAYLAND, **sample_boot(_DRIVEN, args=_NOMODESET)}, flags=("/boot/grub/grub.cfg:2",), title="nomodeset"),
        Example(
            {**_WAYLAND, **sample_boot(_DRIVEN), "/etc/modprobe.d/a.conf": "blacklist bochs\nblacklist virtio_gpu\n"},
            flags=("/etc/modprobe.d/a.conf:2",),
            title="every driver is blacklisted",
        ),
        Example({**_WAYLAND, **sample_boot(_DRIVEN, args=f"{_NOMODESET} bochs.modeset=1")}, title="modeset=1 goes before nomodeset"),
        Example(
            {**_WAYLAND, **sample_boot(_BARE), "/etc/systemd/system/default.target": Link("/lib/systemd/system/multi-user.target")},
            title="the boot ends before the desktop",
        ),
        Example(
            {
                **sample_boot(_BARE),
                "/sbin/init": Link("/lib/systemd/systemd"),
                "/lib/systemd/systemd": "",
                "/lib/systemd/system/gdm.service": "[Unit]\n",
            },
            unknown=True,
            title="a display manager is there, but no target that could start it",
        ),
    )

    def check(self, desktop: Desktop, choices: BootChoices, target: Target, drawn: KernelDisplay) -> Iterator[Finding | Unknown]:
        if desktop.starts is None:
            yield self.unknown(WholeFile("/etc/systemd/system/default.target"), "whether the boot starts a display manager is not clear")
            return
        if not desktop.starts:
            raise NotApplicable("no display manager starts")
        kernel = choices.default.kernel if choices.default else None
        if kernel is None:
            yield self.unknown(WholeFile("/boot"), "the default kernel was not found")
            return
        lacking = {one.display: one for one in drawn.without_drm if desktop.wayland_only}
        for display in target.displays:
            found = [kernel.has(module) for module in display.modules]
            if found and all(presence is Presence.ABSENT for presence in found):
                message = f"the kernel {kernel.version} has no driver for the {display.name}"
                yield self.finding(kernel.where, message, "the desktop does not come up and the screen stays black; the guest itself runs")
            elif one := lacking.get(display.name):
                message = f"Wayland, the guest's only desktop, finds no DRM device on the {display.name}: {one.reason}"
                effect = "the compositor ends at once and the desktop does not come up; the guest itself runs"
                yield self.finding(one.where, message, effect)
