"""Rule fstab-malformed."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Conversion, Example, Finding, Fix, Fstab, MountPolicy, Mover, ReplaceText, Rule, Severity, Span


class FstabMalformed(Rule):
    """A line of fstab is not a valid entry.

    ## What it does
    Finds lines of `/etc/fstab` with fewer than three fields that are not comments.

    ## Why it matters
    mount(8) skips them, so a mount that someone relies on may be missing; systemd still makes a mount unit of a line with two fields.
    libguestfs parses fstab with Augeas, and a line that does not parse aborts the inspection: virt-v2v then refuses the guest.

    ## Fix safety
    Safe: the line is commented out, which changes nothing for the guest. Unsafe where systemd mounts what the line names.

    ## References
    - libguestfs `daemon/inspect_utils.ml`, `with_augeas`: a parse error in fstab, crypttab or mdadm.conf aborts inspection.
    - fstab(5)
    """

    severity = Severity.WARNING
    since = "0.1"
    predicts = (r"augeas parse failure.*/etc/fstab",)
    examples = (
        Example(
            {"/etc/fstab": "UUID=1 / ext4\n/dev/sdb1 /data\n"},
            flags=("/etc/fstab:2",),
            severity=Severity.WARNING,
            fixed={"/etc/fstab": "UUID=1 / ext4\n# /dev/sdb1 /data\n"},
            title="systemd mounts it all the same",
        ),
        Example(
            {"/etc/fstab": "UUID=1 / ext4\n/dev/sdb1\n"},
            flags=("/etc/fstab:2",),
            severity=Severity.WARNING,
            fixed={"/etc/fstab": "UUID=1 / ext4\n# /dev/sdb1\n"},
        ),
        Example({"/etc/fstab": "oops\n"}, mover=Mover.VIRT_V2V, flags=("/etc/fstab:1",), severity=Severity.ERROR),
        Example({"/etc/fstab": "# a comment\n\nUUID=1 / ext4 defaults # remark\n\t\nUUID=2 /a\\040b xfs\n"}),
    )

    def check(self, fstab: Fstab, conversion: Conversion, policy: MountPolicy) -> Iterator[Finding]:
        refused = conversion.by_virt_v2v
        severity = Severity.ERROR if refused else Severity.WARNING
        acted_on = {entry.where for entry in policy.entries}
        for where in fstab.malformed:
            message = "this line has fewer than three fields and is not a valid entry"
            skipped = "systemd mounts it, mount(8) does not" if where in acted_on else "the line is skipped, and nothing is mounted"
            effect = "inspection fails, and virt-v2v refuses the guest" if refused else skipped
            yield self.finding(where, message, effect, severity=severity, fix=_comment(where, safe=where not in acted_on))


def _comment(where: Span, *, safe: bool) -> Fix:
    start = Span(where.path, where.start, where.start, where.line, where.column)
    level = Applicability.SAFE if safe else Applicability.UNSAFE
    return Fix(f"comment out line {where.line}", level, (ReplaceText(start, "", "# "),))
