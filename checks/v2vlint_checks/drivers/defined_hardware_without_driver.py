"""Rule defined-hardware-without-driver."""

from collections.abc import Iterator

from v2vlint.api import (
    BootPaths,
    DefinedHardware,
    Definition,
    DriveFate,
    Example,
    Finding,
    Rule,
    Severity,
    Where,
    sample_boot,
    sample_domain,
    sample_vmx,
)

_PVSCSI = sample_vmx('scsi0.virtualDev = "pvscsi"\nscsi0:0.fileName = "a.vmdk"\n')


class DefinedHardwareWithoutDriver(Rule):
    """The default kernel cannot drive the hardware of the machine's own definition.

    ## What it does
    Looks for drivers of the disk controllers and network cards in the definition, in the initramfs and the kernel of the default entry.

    ## Why it matters
    A guest that ran on that hardware has its drivers, so the definition probably belongs to another machine, or was changed after the guest
    last ran. The forecast is not affected: it is made for the target's hardware.

    ## References
    - Red Hat, "initramfs lacks the driver of the disk controller"
    """

    severity = Severity.INFO
    since = "0.1"
    examples = (
        Example(sample_boot(), given=(_PVSCSI,), flags=("guest.vmx:2",), severity=Severity.INFO),
        Example(sample_boot(), given=(sample_domain(""),)),
        Example(sample_boot(), title="no definition"),
    )

    def check(self, definition: Definition, hardware: DefinedHardware, paths: BootPaths) -> Iterator[Finding]:
        definition.require()
        seen: set[tuple[str, str]] = set()
        for path in paths.defaults:
            found: list[tuple[Where, DriveFate]] = [(disk.where, path.controller(controller)) for disk, controller in hardware.disks]
            found += [(nic.where, path.network(model)) for nic, model in hardware.nics]
            for where, fate in found:
                if fate.usable is False and (fate.name, path.kernel.version) not in seen:
                    seen.add((fate.name, path.kernel.version))
                    lacks = ", ".join(one.module for one in fate.failing())
                    message = f"kernel {path.kernel.version} cannot drive {fate.name} (it lacks {lacks})"
                    yield self.finding(where, message, "the definition belongs to another machine, or was changed since the guest ran")
