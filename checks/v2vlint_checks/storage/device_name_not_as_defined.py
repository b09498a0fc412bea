"""Rule device-name-not-as-defined."""

from collections.abc import Iterator

from v2vlint.api import DefinedHardware, Definition, Example, Finding, Fstab, NotApplicable, Rule, Severity, kernel_prefix, sample_vmx

_SCSI = sample_vmx('scsi0:0.fileName = "a.vmdk"\n')


class DeviceNameNotAsDefined(Rule):
    """An fstab entry uses a disk name that no controller of the machine gives.

    ## What it does
    Compares the kernel's disk names in fstab (`/dev/hda1`, `/dev/vda1`…) with the names that the controllers in the definition produce. An
    IDE disk is `hda` or, with newer kernels, `sda`.

    ## Why it matters
    The entry did not work on the source either, or the definition is not the one the guest last ran with.

    ## References
    - fstab(5); virt-v2v `remap_block_devices` maps names by the controllers of the definition
    """

    severity = Severity.INFO
    since = "0.1"
    examples = (
        Example({"/etc/fstab": "/dev/vda1 /data ext4\n"}, given=(_SCSI,), flags=("/etc/fstab:1",), severity=Severity.INFO),
        Example({"/etc/fstab": "/dev/sda1 /data ext4\nUUID=1 / ext4\n/dev/vg/x /x xfs\n"}, given=(_SCSI,)),
        Example({"/etc/fstab": "/dev/hda1 /data ext3\n"}, given=(sample_vmx('ide0:0.fileName = "a.vmdk"\n'),)),
        Example({"/etc/fstab": "/dev/vda1 /data ext4\n"}, title="no definition"),
    )

    def check(self, definition: Definition, hardware: DefinedHardware, fstab: Fstab) -> Iterator[Finding]:
        definition.require()
        if hardware.prefixes is None:
            raise NotApplicable("the definition does not say on which controllers its disks are")
        for entry in fstab.entries:
            prefix = kernel_prefix(entry.device)
            if prefix in ("sd", "hd", "vd", "xvd", "nvme") and prefix not in hardware.prefixes:
                names = " or ".join(sorted(hardware.prefixes))
                message = f"fstab names {entry.device}, but the machine's controllers give names that begin with {names}"
                effect = "the entry did not work on the source, or the definition is not the one the guest last ran with"
                yield self.finding(entry.spec.where, message, effect, related=(definition.disks[0].where,))
