"""Rule no-space-for-virt-v2v."""

from collections.abc import Iterator

from v2vlint.api import BlockDevice, BlockTable, Content, Conversion, Example, Finding, Hive, Mover, NotApplicable, Refusals, Rule, Severity

_FILES: dict[str, Content] = {
    "/Windows/System32/config/SYSTEM": Hive("[ControlSet001\\Control]\n"),
    "/esp/EFI/Microsoft/Boot/bootmgfw.efi": b"MZ",
}


def _full(free: int) -> BlockTable:
    return BlockTable((BlockDevice("disk1p1", "partition", 1 << 30, 0, 1, "vfat", "E5E5-0001", details=(("free", str(free)),)),))


class NoSpaceForVirtV2v(Rule):
    """A filesystem has less free space, or fewer free inodes, than virt-v2v requires.

    ## What it does
    With virt-v2v as the mover: compares the free space stated in the superblocks with what virt-v2v requires: 100 MiB on `/` (50 without a
    separate `/boot`), 10 MiB on every other filesystem that fstab mounts, and 100 inodes on ext2, ext3 and ext4.

    ## Why it matters
    virt-v2v stops with "not enough free space for conversion on filesystem" before it changes anything. Make room first: old kernels,
    logs, package caches.

    ## References
    - virt-v2v `convert/convert.ml`, `check_guest_free_space`. Its manual requires 50 MiB on a separate `/boot`; the code requires 10.
    """

    severity = Severity.ERROR
    since = "0.2"
    kinds = frozenset({"linux", "windows"})
    predicts = (r"not enough free space for conversion on filesystem", r"not enough available inodes for conversion on filesystem")
    examples = (
        Example(_FILES, given=(_full(9 << 20),), mover=Mover.VIRT_V2V, flags=("disk1p1",), severity=Severity.ERROR),
        Example(_FILES, given=(_full(11 << 20),), mover=Mover.VIRT_V2V),
        Example(_FILES, given=(_full(0),), title="a raw copy needs none"),
    )

    def check(self, refusals: Refusals, conversion: Conversion) -> Iterator[Finding]:
        if not conversion.by_virt_v2v:
            raise NotApplicable("virt-v2v is not the mover")
        for refusal in refusals.of("space"):
            yield self.finding(refusal.where, refusal.reason, "virt-v2v stops with an error and converts nothing")
