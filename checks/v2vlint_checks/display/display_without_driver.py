"""Rule display-without-driver."""

from collections.abc import Iterator

from v2vlint.api import BootChoices, Example, Finding, NotApplicable, Presence, Rule, Services, Severity, Target, Unknown, WholeFile

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
_MANAGERS = ("display-manager", "gdm", "gdm3", "lightdm", "sddm", "kdm", "lxdm", "xdm", "greetd", "slim")


class DisplayWithoutDriver(Rule):
    """The guest starts a desktop, and its kernel has no driver for the target's display.

    ## What it does
    Where a display manager is enabled, checks that the default kernel has a driver for the target's display. Cloud kernels often have
    none at all.

    ## Why it matters
    Wayland needs the kernel driver, and X works without one only in the simplest modes: the screen stays black. The guest itself runs.

    ## References
    - virt-v2v adds `bochs-drm` to the initramfs since BZ 2131123; Debian's cloud kernels have no DRM drivers
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example({**_DESKTOP, _DEP: "kernel/fs/xfs/xfs.ko:\n"}, flags=("/boot/vmlinuz-6.1.0-9-cloud-amd64",)),
        Example({**_DESKTOP, _DEP: "kernel/drivers/gpu/drm/virtio/virtio-gpu.ko:\n"}),
        Example({"/sbin/init": "", "/boot/grub/grub.cfg": _GRUB, "/boot/vmlinuz-6.1.0-9-cloud-amd64": ""}, title="no desktop"),
    )

    def check(self, services: Services, choices: BootChoices, target: Target) -> Iterator[Finding | Unknown]:
        if not services.starts(*_MANAGERS):
            raise NotApplicable("no display manager starts")
        kernel = choices.default.kernel if choices.default else None
        if kernel is None:
            yield self.unknown(WholeFile("/boot"), "the default kernel was not found")
            return
        for display in target.displays:
            found = [kernel.has(module) for module in display.modules]
            if found and all(presence is Presence.ABSENT for presence in found):
                message = f"the kernel {kernel.version} has no driver for the {display.name}"
                yield self.finding(kernel.where, message, "the desktop does not come up and the screen stays black; the guest itself runs")
