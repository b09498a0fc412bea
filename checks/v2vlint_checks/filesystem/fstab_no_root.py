"""Rule fstab-no-root."""

from collections.abc import Iterator

from v2vlint.api import Conversion, Example, Finding, Fstab, Mover, NotApplicable, Refusals, Rule, Severity


class FstabNoRoot(Rule):
    """fstab has entries, but none for the root filesystem, or two different ones.

    ## What it does
    With virt-v2v as the mover: looks for `/etc/fstab` files without an entry for `/`, or with several that name different devices.

    ## Why it matters
    The guest boots, because `root=` on the command line decides. libguestfs mounts what fstab says: without an entry for `/` it mounts no
    root, and virt-v2v refuses the guest. Of two entries it uses the first, while the running system uses the last.

    ## References
    - libguestfs `daemon/inspect_fs_unix_fstab.ml` (RHEL-90168)
    """

    severity = Severity.ERROR
    since = "0.1"
    examples = (
        Example({"/etc/fstab": "UUID=1 /boot ext4\n"}, mover=Mover.VIRT_V2V, flags=("/etc/fstab",), severity=Severity.ERROR),
        Example({"/etc/fstab": "UUID=1 / ext4\nUUID=2 / xfs\n"}, mover=Mover.VIRT_V2V, flags=("/etc/fstab:2",), severity=Severity.WARNING),
        Example({"/etc/fstab": "UUID=1 / ext4\nUUID=2 /boot xfs\n"}, mover=Mover.VIRT_V2V),
        Example(
            {"/etc/fstab": "# empty\ntmpfs /tmp tmpfs\n"}, mover=Mover.VIRT_V2V, title="no entries: libguestfs mounts the root it found"
        ),
        Example({"/etc/fstab": "UUID=1 /boot ext4\n"}),
    )

    def check(self, fstab: Fstab, refusals: Refusals, conversion: Conversion) -> Iterator[Finding]:
        if not conversion.by_virt_v2v:
            raise NotApplicable("virt-v2v is not the mover")
        roots = [entry for entry in fstab.entries if entry.mount_point == "/"]
        for refusal in refusals.of("fstab root"):
            yield self.finding(refusal.where, refusal.reason, "libguestfs mounts no root, and virt-v2v refuses the guest")
        if len({entry.device for entry in roots}) > 1:
            message = f"fstab has a second entry for / ({roots[1].device})"
            effect = "libguestfs uses the first one, the running system the last"
            yield self.finding(roots[1].where, message, effect, severity=Severity.WARNING, related=(roots[0].where,))
