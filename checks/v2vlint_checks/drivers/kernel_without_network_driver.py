"""Rule kernel-without-network-driver."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Mover, NetworkVerdict, Rule, Severity, Stage, sample_boot, sample_kernel, sample_tools


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
            {**sample_boot(sample_kernel(("virtio_blk", "virtio_pci", "ext4", "e1000"))), **sample_tools()},
            mover=Mover.VIRT_V2V,
            flags=("/boot/vmlinuz-6.1.0-13-amd64",),
            severity=Severity.WARNING,
        ),
        Example(sample_boot()),
        Example(sample_boot(), target="vmware", title="one of several cards is enough"),
    )

    def check(self, network: NetworkVerdict) -> Iterator[Finding]:
        for cause in network.kernel_drivers:
            found = cause.about
            effect = "virt-v2v presents an e1000 card instead" if found.replaced else "the guest comes up without a network card"
            yield self.finding(cause.where, cause.reason, effect, severity=cause.severity, related=(found.choice.where,))
