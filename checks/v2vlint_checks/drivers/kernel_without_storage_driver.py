"""Rule kernel-without-storage-driver."""

from collections.abc import Iterator

from v2vlint.api import (
    Example,
    Finding,
    InitramfsVerdict,
    Kernels,
    Mover,
    Rule,
    Severity,
    Stage,
    Unknown,
    lacking,
    sample_boot,
    sample_initramfs,
    sample_kernel,
    sample_tools,
)

_CLOUD = "6.1.0-13-cloud-amd64"


class KernelWithoutStorageDriver(Rule):
    """The default kernel has no driver for the target's disk controller.

    ## What it does
    Looks for the target's storage modules (with the bus and disk drivers they need) among the modules and built-in drivers of the kernel
    that boots by default. Other kernels do not count. A kernel with neither a module list nor a configuration is reported as unknown.

    ## Why it matters
    No initramfs can help: the driver is not in the guest at all. Kernels trimmed for one cloud (Debian's `cloud`, Ubuntu's `kvm`) lack
    SATA, LSI Logic or NVMe. Install the distribution's full kernel before the move, or choose a controller this kernel can drive.

    ## References
    - Debian's `linux-image-6.1.0-*-cloud-amd64` has no ahci, mptspi or megaraid_sas; gardenlinux issue 360 shows the result.
    - virt-v2v falls back to IDE or SATA when the kernel lacks virtio_blk: libguestfs-common `mldrivers/linux_kernels.ml`.
    """

    severity = Severity.ERROR
    stage = Stage.INITRAMFS
    since = "0.1"
    predicts = (r"dracut-initqueue.*timeout", r"ALERT! .* does not exist", r"unable to mount root fs")
    examples = (
        Example(
            sample_boot(
                sample_kernel(("virtio_blk", "virtio_pci", "sd_mod"), ("ext4",), _CLOUD), sample_initramfs(version=_CLOUD), version=_CLOUD
            ),
            target="virtualbox",
            flags=(f"/boot/vmlinuz-{_CLOUD}",),
            severity=Severity.ERROR,
            title="Debian's cloud kernel has no SATA driver",
        ),
        Example(
            {**sample_boot(sample_kernel(("e1000", "ahci"), ("ext4", "sd_mod", "virtio"))), **sample_tools()},
            mover=Mover.VIRT_V2V,
            flags=("/boot/vmlinuz-6.1.0-13-amd64",),
            severity=Severity.WARNING,
            title="virt-v2v falls back to another controller",
        ),
        Example(sample_boot(), title="modules"),
        Example(sample_boot(sample_kernel((), ("virtio_blk", "virtio_pci", "ext4"))), title="built in"),
        Example(
            {path: data for path, data in sample_boot(image=sample_initramfs(())).items() if "modules" not in path},
            unknown=True,
            title="a kernel without any list cannot be judged",
        ),
    )

    def check(self, initramfs: InitramfsVerdict, kernels: Kernels) -> Iterator[Finding | Unknown]:
        for cause in initramfs.kernel_drivers:
            found = cause.about
            if found is None:
                yield self.unknown(cause.where, cause.reason)
                continue
            controller = found.controller
            other = next((k for k in kernels.bootable if lacking(k, controller.any_of, controller.prefix) == ()), None)
            advice = f"; kernel {other.version} is installed and has it" if other else ""
            effect = "virt-v2v attaches the disk to IDE or SATA instead" if found.replaced else f"the root disk is never found{advice}"
            yield self.finding(cause.where, cause.reason, effect, severity=cause.severity, related=(found.choice.where,))
