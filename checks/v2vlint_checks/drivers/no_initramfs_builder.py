"""Rule no-initramfs-builder."""

from collections.abc import Iterator

from v2vlint.api import (
    Example,
    Finding,
    InitramfsConfig,
    Mover,
    NotApplicable,
    OsInfo,
    Rule,
    Severity,
    Target,
    WholeFile,
    sample_boot,
    virt_v2v_converts,
)

_BUILDERS = frozenset({"dracut", "initramfs-tools", "mkinitrd", "suse-mkinitrd", "make-initrd"})


class NoInitramfsBuilder(Rule):
    """virt-v2v finds no program in the guest that builds an initramfs.

    ## What it does
    When virt-v2v carries the guest, looks for what it runs to rebuild the initramfs: dracut, update-initramfs, mkinitrd or make-initrd.

    ## Why it matters
    The conversion ends with an error. Install the distribution's generator first, or copy the disks as they are if the image is portable.

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

    def check(self, config: InitramfsConfig, target: Target, mover: Mover, os: OsInfo) -> Iterator[Finding]:
        if not virt_v2v_converts(mover, target):
            raise NotApplicable("virt-v2v does not carry the guest")
        if any(generator.name in _BUILDERS for generator in config.installed):
            return
        message = f"no initramfs generator that virt-v2v knows is installed in this {os.name or 'guest'}"
        yield self.finding(WholeFile("/usr/sbin"), message, "virt-v2v stops with an error when it wants to rebuild the initramfs")
