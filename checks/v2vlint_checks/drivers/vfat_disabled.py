"""Rule vfat-disabled."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BootChoices,
    Example,
    Finding,
    Fix,
    Fstab,
    Modprobe,
    Presence,
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
    """The vfat filesystem is disabled, but boot must mount the EFI system partition.

    ## What it does
    Finds `install vfat …` (or `fat`) commands that load nothing, and a blacklisted vfat, while fstab mounts a vfat filesystem at boot.

    ## Why it matters
    Hardening guides disable vfat on BIOS machines. With an EFI system partition in fstab the mount fails, and boot stops in emergency mode.

    ## Fix safety
    Safe: the line is commented out; the module is loaded when something mounts vfat, as everywhere.

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
    )

    def check(self, fstab: Fstab, modprobe: Modprobe, choices: BootChoices) -> Iterator[Finding]:
        kernel = choices.default.kernel if choices.default else None
        entry = next((entry for entry in fstab.entries if entry.fs_type in ("vfat", "msdos") and entry.blocks_boot), None)
        if entry is None or (kernel is not None and kernel.has("vfat") is Presence.BUILTIN):
            return
        commands = [
            c for c in modprobe.commands if (c.disables and c.name in ("vfat", "fat")) or (c.command == "blacklist" and c.name == "vfat")
        ]
        for command in commands:
            fix = Fix("allow vfat to be loaded", Applicability.SAFE, tuple(comment_out(c.where, "# ") for c in commands))
            message = f"{command.name} is disabled, but {entry.mount_point} is a {entry.fs_type} filesystem that boot mounts"
            effect = f"mounting {entry.mount_point} fails, and boot stops in emergency mode"
            severity = Severity.ERROR if command.disables else Severity.WARNING
            yield self.finding(command.where, message, effect, severity=severity, fix=fix, related=(entry.where,))
