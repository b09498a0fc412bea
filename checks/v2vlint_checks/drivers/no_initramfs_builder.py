"""Rule no-initramfs-builder."""

from collections.abc import Iterator

from v2vlint.api import Conversion, Example, Finding, Mover, NotApplicable, Refusals, Rule, Severity, sample_boot


class NoInitramfsBuilder(Rule):
    """The guest has no program that virt-v2v can use to build an initramfs.

    ## What it does
    With virt-v2v as the mover: looks for the programs it runs to rebuild the initramfs: dracut, update-initramfs, mkinitrd or make-initrd.

    ## Why it matters
    The conversion stops with an error. Install the distribution's generator first, or copy the disks unchanged if the image is portable.

    ## References
    - virt-v2v, `convert/convert_linux.ml`, `rebuild_initrd`; libguestfs/virt-v2v issue 91 (SLES 15 appliance).
    """

    severity = Severity.ERROR
    since = "0.1"
    predicts = (r"unable to rebuild initrd", r"update-initramfs.*not found")
    examples = (
        Example(sample_boot(), mover=Mover.VIRT_V2V, flags=("/usr/sbin",), severity=Severity.ERROR),
        Example({**sample_boot(), "/usr/sbin/mkinitramfs": ""}, mover=Mover.VIRT_V2V),
        Example(sample_boot(), title="nobody rebuilds it in a raw copy"),
    )

    def check(self, refusals: Refusals, conversion: Conversion) -> Iterator[Finding]:
        if not conversion.by_virt_v2v:
            raise NotApplicable("virt-v2v is not the mover")
        for refusal in refusals.of("initramfs builder"):
            effect = "virt-v2v stops with an error when it tries to rebuild the initramfs"
            yield self.finding(refusal.where, refusal.reason, effect)
