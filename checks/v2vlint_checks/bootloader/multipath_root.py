"""Rule multipath-root."""

from collections.abc import Iterator

from v2vlint.api import Bootloader, Example, Finding, NotApplicable, RootVerdict, Rule, Severity, Stage

_CFG = "/boot/grub2/grub.cfg"
_ENTRY = "menuentry 'RHEL' {{\n linux /vmlinuz-5.14.0 root={0} ro\n initrd /i\n}}\n"


class MultipathRoot(Rule):
    """The root device on the command line is a multipath map.

    ## What it does
    Finds `root=` naming a multipath device (`mpatha2`, a WWID, an alias from multipath.conf) in the default boot entry.

    ## Why it matters
    A virtual disk has a single path and another WWID. multipathd ignores virtio disks by default, so the map never appears and the
    initramfs ends in its shell. On SCSI-like targets the map may appear under another name.

    ## References
    - rear pull request 1324, issue 1796; dracut `modules.d/70multipath`; multipath.conf(5), `blacklist`
    """

    severity = Severity.ERROR
    stage = Stage.ROOT
    since = "0.1"
    examples = (
        Example({_CFG: _ENTRY.format("/dev/mapper/mpatha2")}, flags=(f"{_CFG}:2",), severity=Severity.ERROR),
        Example({_CFG: _ENTRY.format("/dev/mapper/mpatha2")}, target="kvm-scsi", flags=(f"{_CFG}:2",), severity=Severity.WARNING),
        Example({_CFG: _ENTRY.format("/dev/mapper/rhel-root"), "/etc/multipath.conf": "defaults {\n user_friendly_names yes\n}\n"}),
    )

    def check(self, root: RootVerdict, bootloader: Bootloader) -> Iterator[Finding]:
        if not bootloader.defaults:
            raise NotApplicable("no default entry is known")
        for cause in root.multipath:
            entry = cause.about
            message = f"the default entry ({entry}) boots from the multipath device {entry.root.value if entry.root else ''}"
            effect = "the map is not created there, and the initramfs ends in its shell"
            if cause.severity is Severity.WARNING:
                effect = "the map is not created there, or gets another name, and the root filesystem is not found"
            yield self.finding(cause.where, message, effect, severity=cause.severity)
