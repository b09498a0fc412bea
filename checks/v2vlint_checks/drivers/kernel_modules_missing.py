"""Rule kernel-modules-missing."""

from collections.abc import Iterator

from v2vlint.api import (
    BootChoices,
    BootPaths,
    Example,
    Finding,
    Kernel,
    Presence,
    Rule,
    Severity,
    Stage,
    Target,
    WholeFile,
    sample_boot,
    sample_kernel,
)

_FOLDER = "/lib/modules/6.1.0-13-amd64"


class KernelModulesMissing(Rule):
    """The default kernel's modules, or the list modprobe needs to load them, are not in the guest.

    ## What it does
    Looks for the module folder of the default kernel, for `modules.dep` in it, and for the files of the target's network drivers that the
    list names.

    ## Why it matters
    Whatever the initramfs does not load is lost: no network card, no vfat for /boot/efi. A folder without `modules.dep` means that depmod
    never ran; generators then leave drivers out of the initramfs without a word. Run `depmod -a VERSION`, or reinstall the kernel package.

    ## References
    - microsoft/azurelinux pull request 75: hv_storvsc silently left out because of it.
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

    def check(self, choices: BootChoices, paths: BootPaths, target: Target) -> Iterator[Finding]:
        for path in paths.defaults:
            kernel, worst = path.kernel, Severity.WARNING if choices.assumed else Severity.ERROR
            effect = "no network driver is loaded"
            if not kernel.tree.folder:
                if path.image and kernel.version in path.image.versions:
                    where = WholeFile(f"/lib/modules/{kernel.version}")
                    message = f"the modules of the default kernel {kernel.version} are not installed"
                    yield self.finding(where, message, effect, severity=worst, related=(path.choice.where,))
            elif kernel.tree.dep is None:
                if kernel.tree.files:
                    message = f"the modules of kernel {kernel.version} have no modules.dep, so modprobe finds none of them"
                    yield self.finding(WholeFile(f"{kernel.tree.folder}/modules.dep"), message, effect, severity=worst)
            else:
                for file in _gone(kernel, target):
                    message = f"modules.dep of kernel {kernel.version} names {file.rsplit('/', 1)[1]}, which is gone"
                    yield self.finding(WholeFile(file), message, effect, severity=worst)


def _gone(kernel: Kernel, target: Target) -> Iterator[str]:
    """Listed files that do not exist, of network cards that no alternative drives without them."""
    for nic in target.nics:
        known = [modules for modules in nic.any_of if all(kernel.has(name) is not Presence.ABSENT for name in modules)]
        gone = [[file for name in modules if (file := kernel.tree.path(name)) and not kernel.tree.exists(file)] for modules in known]
        if gone and all(gone):
            yield from min(gone, key=len)
