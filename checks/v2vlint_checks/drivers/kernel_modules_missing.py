"""Rule kernel-modules-missing."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, NetworkVerdict, Rule, Severity, Stage, sample_boot, sample_kernel

_FOLDER = "/lib/modules/6.1.0-13-amd64"


class KernelModulesMissing(Rule):
    """The default kernel's modules, or the list modprobe needs to load them, are missing.

    ## What it does
    Looks for the module folder of the default kernel, for `modules.dep` in it, and for the files of the target's network drivers that the
    list names.

    ## Why it matters Anything the initramfs does not load is missing: no network card, no vfat for /boot/efi. A folder without
    `modules.dep` means that depmod never ran; generators then silently omit drivers from the initramfs. Run `depmod -a VERSION`, or
    reinstall the kernel package.

    ## References
    - microsoft/azurelinux pull request 75: hv_storvsc was silently omitted for this reason.
    """

    severity = Severity.ERROR
    stage = Stage.NETWORK
    since = "0.1"
    examples = (
        Example(
            {p: d for p, d in sample_boot().items() if "modules.dep" not in p},
            flags=(f"{_FOLDER}/modules.dep",),
            severity=Severity.ERROR,
        ),
        Example(
            {p: d for p, d in sample_boot().items() if not p.startswith("/lib/modules")},
            flags=(_FOLDER,),
            title="the initramfs has modules of a kernel whose own are gone",
        ),
        Example(
            {p: d for p, d in sample_boot().items() if not p.endswith("virtio_net.ko")},
            flags=(f"{_FOLDER}/kernel/virtio_net.ko",),
            title="the list names a file that is gone",
        ),
        Example(sample_boot()),
        Example(sample_boot(sample_kernel((), ("virtio_blk", "virtio_pci", "virtio_net", "ext4"))), title="built in"),
        Example(
            {p: d for p, d in sample_boot(image=b"").items() if not p.startswith("/lib/modules")}, title="a kernel that may need no modules"
        ),
    )

    def check(self, network: NetworkVerdict) -> Iterator[Finding]:
        for cause in network.modules:
            path = cause.about
            related = () if path.kernel.tree.folder else (path.choice.where,)
            yield self.finding(cause.where, cause.reason, "no network driver is loaded", severity=cause.severity, related=related)
