"""Rule several-systems-for-virt-v2v."""

from collections.abc import Iterator

from v2vlint.api import (
    BlockDevice,
    BlockTable,
    Conversion,
    Device,
    Example,
    Finding,
    GuestFS,
    Mover,
    NotApplicable,
    Rule,
    Severity,
    Systems,
    sample_other_system,
)

_BTRFS = BlockDevice("disk1p1", "partition", 1 << 30, 0, 1, "btrfs", "0a3f-01", details=(("snapshots", "7"),))
_DISK = BlockTable((BlockDevice("disk1", "disk", 2 << 30, 0), _BTRFS))


class SeveralSystemsForVirtV2v(Rule):
    """virt-v2v asks which of several systems to convert.

    ## What it does
    With virt-v2v as the mover: finds guests with more than one operating system, and roots on btrfs with snapshots.

    ## Why it matters
    Without `--root`, virt-v2v lists the systems and reads a number from the terminal; in a script it fails with `connection closed`.
    libguestfs before 1.56 counts each snapper snapshot of a root as a system of its own. The command line in the report contains the
    `--root` of the system that was checked.

    ## References
    - virt-v2v `convert/choose_root.ml`; libguestfs `daemon/listfs.ml`, and `daemon/inspect.ml`,
      `check_for_duplicated_btrfs_snapshots_of_root` (from 1.55.14 on)
    """

    severity = Severity.WARNING
    kinds = frozenset({"linux", "windows"})
    since = "0.1"
    predicts = (r"Dual- or multi-boot operating system detected", r"multi-boot operating systems are not supported by")
    examples = (
        Example({"/x": ""}, given=(sample_other_system("disk1p1", "Windows 10")[0],), mover=Mover.VIRT_V2V, flags=("disk1p9",)),
        Example({"/x": ""}, given=(_DISK,), mover=Mover.VIRT_V2V, uuid="0a3f-01", flags=("disk1p1",), severity=Severity.INFO),
        Example({"/x": ""}, mover=Mover.VIRT_V2V),
        Example({"/x": ""}, given=(sample_other_system("disk1p1", "Windows 10")[0],)),
    )

    def check(self, systems: Systems, blocks: BlockTable, fs: GuestFS, conversion: Conversion) -> Iterator[Finding]:
        if not conversion.by_virt_v2v:
            raise NotApplicable("virt-v2v is not the mover")
        if len(systems.found) > 1:
            where = Device(systems.found[systems.own].device)
            message = f"the guest has {len(systems.found)} systems, of which virt-v2v converts one"
            yield self.finding(where, message, "virt-v2v asks which one; without a terminal it fails: give it --root")
            return
        for device in blocks.tagged("UUID", fs.mounts["/"].uuid):
            count = device.detail("snapshots")
            if count not in ("", "0"):
                message = f"libguestfs before 1.56 counts snapshots of the root as systems, and the btrfs has {count}"
                yield self.finding(Device(device.name), message, "virt-v2v then asks which one: give it --root", severity=Severity.INFO)
                return
