"""Rule vfat-disabled."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    Example,
    Finding,
    Fix,
    MountsVerdict,
    Rule,
    Severity,
    Stage,
    comment_out,
    sample_boot,
    sample_kernel,
)

_CONF = "/etc/modprobe.d/cis.conf"
_ESP = "UUID=AB12-34CD /boot/efi vfat umask=0077 0 1\n"
_GUEST = {**sample_boot(sample_kernel(("virtio_blk", "virtio_pci", "ext4", "vfat: fat", "fat"))), "/usr/bin/kmod": ""}


class VfatDisabled(Rule):
    """The driver of a filesystem that boot must mount, such as vfat for the ESP, is disabled.

    ## What it does
    Finds what keeps the driver of a filesystem in fstab from loading: `install vfat …` commands (or for `fat`, which it needs) that load
    nothing, `blacklist vfat`, `alias fs-vfat off`, and `module_blacklist=` or `modprobe.blacklist=` on the kernel command line. Drivers
    that are built in, or that the root filesystem needs too, do not count.

    ## Why it matters
    Hardening guides disable vfat on BIOS machines. With an EFI system partition in fstab the mount fails, and boot stops in emergency mode.

    ## Fix safety
    Safe: the line is commented out; the module is then loaded when something mounts such a filesystem, as usual.

    ## References
    - Microsoft, "vfat disabled boot issues"; CIS benchmarks, "Ensure mounting of FAT filesystems is limited".
    """

    severity = Severity.ERROR
    stage = Stage.MOUNTS
    since = "0.1"
    examples = (
        Example(
            {**_GUEST, "/etc/fstab": _ESP, _CONF: "install vfat /bin/true\n"},
            flags=(f"{_CONF}:1",),
            severity=Severity.ERROR,
            fixed={_CONF: "# install vfat /bin/true\n"},
        ),
        Example(
            {**_GUEST, "/etc/fstab": _ESP.replace("umask=0077", "nofail"), _CONF: "install vfat /bin/true\n"}, title="not needed at boot"
        ),
        Example({**_GUEST, "/etc/fstab": _ESP, _CONF: "install cramfs /bin/true\n"}),
        Example(
            {
                **sample_boot(sample_kernel(("virtio_blk", "virtio_pci"), ("vfat", "ext4"))),
                "/usr/bin/kmod": "",
                "/etc/fstab": _ESP,
                _CONF: "install vfat /bin/true\n",
            },
            title="built in",
        ),
        Example(
            {**_GUEST, "/etc/fstab": _ESP, _CONF: "blacklist vfat\n"},
            flags=(f"{_CONF}:1",),
            severity=Severity.ERROR,
            fixed={_CONF: "# blacklist vfat\n"},
            title="a mount asks for the driver by an alias, where blacklists apply",
        ),
        Example({**_GUEST, "/etc/fstab": _ESP, _CONF: "blacklist fat\n"}, title="what vfat needs is loaded with it"),
    )

    def check(self, mounts: MountsVerdict) -> Iterator[Finding]:
        for cause in mounts.drivers:
            found = cause.about
            edits = tuple(comment_out(c.where, "# ") for c in found.commands)
            fix = Fix("allow the driver to be loaded", Applicability.SAFE, edits) if edits else None
            effect = f"mounting {found.entry.mount_point} fails, and boot stops in emergency mode"
            yield self.finding(cause.where, cause.reason, effect, severity=cause.severity, fix=fix, related=(found.entry.where,))
