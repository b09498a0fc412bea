"""Rule layout-not-imported."""

from collections.abc import Iterator

from v2vlint.api import (
    BlockDevice,
    BlockTable,
    Device,
    Example,
    Finding,
    Firmware,
    NotApplicable,
    OsInfo,
    RootStack,
    Rule,
    Severity,
    Systems,
    Target,
)

_DISKS = (BlockDevice("disk1", "disk", 8 << 30, 0), BlockDevice("disk2", "disk", 8 << 30, 1))
_ROOT = BlockDevice("disk2p1", "partition", 4 << 30, 1, 1, "ext4", "0A0A-0001", parents=("disk2",))
_LOCKED = BlockDevice("disk1p2", "partition", 4 << 30, 0, 2, "crypto_LUKS", "0A0A-0002", parents=("disk1",))
_OLD = OsInfo("linux", "debian", "debian", "Debian GNU/Linux", "9", "i386")
_BIOS = Firmware(True, False, "", "", boot_disk=0)


class LayoutNotImported(Rule):
    """The target's importer does not accept an image with this layout.

    ## What it does
    Looks for what `admission.refuses` of the target's profile names: encrypted volumes (`encrypted`), more than one operating system
    (`several-systems`), a root filesystem on another disk than the boot code (`root-elsewhere`), a system of 32 bits (`32-bit`).

    ## Why it matters
    The import task fails after the upload, with a message that hardly explains why. Import the disk as a snapshot instead, and create a
    machine from it manually.

    ## References
    - EC2, VM Import/Export, "Limitations for resources being imported": dual boot, encrypted volumes, "the root partition is not on the
      same virtual hard drive as the MBR"
    - EC2, "Compatibility for changing the instance type": the types that start 32-bit AMIs, none of them on Nitro
    - Compute Engine, `compute-image-import`, precheck "Check root partition": the root filesystem must be on one disk
    """

    severity = Severity.WARNING
    kinds = frozenset({"linux", "windows"})
    since = "0.2"
    examples = (
        Example({}, given=(BlockTable((*_DISKS, _LOCKED)), RootStack("ext4"), _BIOS), target="ec2-nitro", flags=("disk1p2",)),
        Example({}, given=(BlockTable((*_DISKS, _ROOT)), RootStack("ext4", _ROOT), _BIOS), target="ec2-xen", flags=("disk2p1",)),
        Example({}, given=(BlockTable((*_DISKS, _ROOT)), RootStack("ext4", _ROOT), _BIOS), title="KVM starts it"),
        Example({}, given=(BlockTable(_DISKS), RootStack("ext4"), _BIOS), target="ec2-nitro"),
        Example({}, given=(BlockTable(_DISKS), RootStack("ext4"), _OLD), target="ec2-nitro", flags=("disk1 operating system",)),
        Example({}, given=(BlockTable(_DISKS), RootStack("ext4"), _OLD), target="ec2-xen", title="t2 and older types start it"),
        Example({}, given=(BlockTable(_DISKS), RootStack("ext4"), _OLD), target="ec2-graviton", title="architecture-differs is for that"),
    )

    def check(
        self, blocks: BlockTable, stack: RootStack, firmware: Firmware, systems: Systems, os: OsInfo, target: Target
    ) -> Iterator[Finding]:
        refuses = target.admission.refuses
        if not refuses:
            raise NotApplicable(f"no importer of {target.name} is known to refuse a layout")
        effect = f"the import into {target.title} fails: import the disk as a snapshot and create the machine from it"
        if "encrypted" in refuses:
            for device in blocks.devices:
                if device.fs_type in ("crypto_LUKS", "BitLocker"):
                    yield self.finding(Device(device.name), f"{device.name} is encrypted ({device.fs_type})", effect)
        # Each system is checked by itself; the first one reports this for all.
        if "several-systems" in refuses and len(systems.found) > 1 and systems.own == 0:
            names = ", ".join(one.name or one.kind for one in systems.found)
            yield self.finding(Device(systems.found[0].device), f"there are several operating systems: {names}", effect)
        if "32-bit" in refuses and os.arch == "i386" and target.runs(os.arch):
            yield self.finding(
                Device("disk1", "operating system"), "the guest is one of 32 bits", f"no machine of {target.title} starts it"
            )
        root, start = stack.device, firmware.boot_disk if firmware.boot_disk is not None else firmware.esp_disk
        if "root-elsewhere" in refuses and root is not None and start is not None and (disks := _disks(blocks, root)) - {start}:
            where = " and ".join(f"disk{index + 1}" for index in sorted(disks))
            yield self.finding(Device(root.name), f"the root filesystem is on {where}, the boot code on disk{start + 1}", effect)


def _disks(blocks: BlockTable, device: BlockDevice) -> set[int]:
    """The disks that a device is made of."""
    pending, seen, found = [device], set[str](), set[int]()
    while pending:
        one = pending.pop()
        if one.name in seen:
            continue
        seen.add(one.name)
        if one.kind == "disk":
            found.add(one.disk)
        pending += [parent for name in one.parents if (parent := blocks.named(name)) is not None]
    return found
