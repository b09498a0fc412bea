"""Rule kernel-without-network-driver."""

from collections.abc import Iterator

from v2vlint.api import (
    BootChoices,
    Example,
    Finding,
    Mover,
    Rule,
    Severity,
    Stage,
    Target,
    lacking,
    sample_boot,
    sample_kernel,
    virt_v2v_converts,
)


class KernelWithoutNetworkDriver(Rule):
    """The default kernel has no driver for the target's network card.

    ## What it does
    Looks for the modules of every network card the target may present among the modules and built-in drivers of the default kernel. The
    initramfs does not matter here: network drivers are loaded from the root filesystem.

    ## Why it matters
    The guest boots with nothing but `lo`. Install the full kernel (`linux-modules-extra-*`, `kernel-modules`) or choose a card it drives.

    ## References
    - virt-v2v falls back to e1000 when the kernel lacks virtio_net: libguestfs-common `mldrivers/linux_kernels.ml`.
    """

    severity = Severity.ERROR
    stage = Stage.NETWORK
    since = "0.1"
    examples = (
        Example(
            sample_boot(sample_kernel(("virtio_blk", "virtio_pci", "ext4", "e1000"))),
            flags=("/boot/vmlinuz-6.1.0-13-amd64",),
            severity=Severity.ERROR,
        ),
        Example(
            sample_boot(sample_kernel(("virtio_blk", "virtio_pci", "ext4", "e1000"))),
            mover=Mover.VIRT_V2V,
            flags=("/boot/vmlinuz-6.1.0-13-amd64",),
            severity=Severity.WARNING,
        ),
        Example(sample_boot()),
        Example(sample_boot(), target="vmware", title="one of several cards is enough"),
    )

    def check(self, choices: BootChoices, target: Target, mover: Mover) -> Iterator[Finding]:
        repaired = virt_v2v_converts(mover, target)
        for choice in choices.defaults:
            kernel = choice.kernel
            if kernel is None or (kernel.is_xen_pv_only and not target.xen_pv):
                continue
            for nic in target.nics:
                absent = lacking(kernel, nic.any_of)
                if not absent:
                    continue
                message = f"kernel {kernel.version} has no driver for {nic.name} ({', '.join(absent)})"
                effect = "virt-v2v presents an e1000 card instead" if repaired else "the guest comes up without a network card"
                severity = Severity.WARNING if repaired or choices.assumed else Severity.ERROR
                yield self.finding(kernel.where, message, effect, severity=severity, related=(choice.where,))
