"""Rule udev-disk-identity."""

from collections.abc import Iterator

from v2vlint.api import BlockTable, DeviceMention, DeviceMentions, Example, Finding, NameFate, Rule, Severity, Target, kernel_fate


class UdevDiskIdentity(Rule):
    """A udev rule identifies a disk by a serial number, WWN or kernel name.

    ## What it does
    Finds rules in `/etc/udev/rules.d` that match `ID_SERIAL`, `ID_WWN`, `ID_PATH`, a `scsi_id` result or a fixed kernel name.

    ## Why it matters
    The target's disks have other serial numbers (or none), so the rule's links, owners and permissions are not set. Oracle ASM finds its
    disks this way.

    ## References
    - forklift `disk_serial_numbers.rego`; seen to fail with VMware's `36000c29…` WWNs
    - udev(7)
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example(
            {
                "/etc/udev/rules.d/99-asm.rules": '# KERNEL=="sdz"\nKERNEL=="sd?1", SUBSYSTEM=="block", '
                'PROGRAM=="/lib/udev/scsi_id -g -u -d /dev/$parent", RESULT=="36000c29f1a2b3c4d", SYMLINK+="asm/data1"\n'
                'ENV{ID_SERIAL}=="36000c29aa", OWNER="grid"\n'
            },
            flags=("/etc/udev/rules.d/99-asm.rules:2", "/etc/udev/rules.d/99-asm.rules:3"),
            severity=Severity.WARNING,
        ),
        Example({"/etc/udev/rules.d/60-x.rules": 'KERNEL=="sdb1", OWNER="oracle"\n'}, flags=("/etc/udev/rules.d/60-x.rules:1",)),
        Example(
            {
                "/etc/udev/rules.d/60-y.rules": 'KERNEL=="sd[a-z]", ATTR{queue/scheduler}="none"\nENV{ID_SERIAL}=="?*", GOTO="end"\n'
                'SUBSYSTEM=="tty", ENV{ID_SERIAL}=="FTDI_1", SYMLINK+="ups"\nENV{ID_CDROM}=="?*", ENV{ID_PATH}=="pci-0", SYMLINK+="cdrom"\n'
                'SUBSYSTEM=="net", ATTR{address}=="52:54:00:00:00:01", NAME="eth0"\n'
            }
        ),
    )

    def check(self, mentions: DeviceMentions, blocks: BlockTable, target: Target) -> Iterator[Finding]:
        for mention in mentions.mentions:
            if mention.kind == "udev" and _changes(mention, target, blocks):
                what = f"{mention.key or 'the kernel name'} {mention.name}"
                message = f"this rule identifies a disk by {what}, which it does not have on the target"
                yield self.finding(
                    mention.name.where, message, "its links, owner and permissions are not set, and whatever needs them fails"
                )


def _changes(mention: DeviceMention, target: Target, blocks: BlockTable) -> bool:
    if mention.how == "identity":
        # The UUIDs of LVM and LUKS are in their headers, and travel.
        return mention.key != "DM_UUID" or mention.name.value.startswith("mpath-")
    return mention.how == "kernel" and kernel_fate(mention.device, target, blocks) is NameFate.GONE
