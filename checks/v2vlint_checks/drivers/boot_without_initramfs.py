"""Rule boot-without-initramfs."""

from collections.abc import Iterator

from v2vlint.api import (
    BootPath,
    BootPaths,
    Example,
    Finding,
    Means,
    RootStack,
    Rule,
    Severity,
    Stage,
    Target,
    sample_boot,
    sample_kernel,
)

_PARTUUID = "root=PARTUUID=5a3a4a0b-01 ro"
_TOOLS = {"lv": "LVM", "luks": "LUKS"}


class BootWithoutInitramfs(Rule):
    """The default boot entry has no initramfs, but what it needs is not built into the kernel.

    ## What it does
    Looks at default entries that name no initramfs: every driver for the target's disk controller and the root filesystem must be built in
    then, and the root may not lie on LVM or LUKS.

    ## Why it matters
    Ubuntu's cloud images boot this way on the hypervisor they are made for. On another disk controller the driver is a module, which lies
    on the very disk it should drive: `VFS: Unable to mount root fs on unknown-block(0,0)`. Ubuntu's own entries start once more with the
    initramfs after such a panic (`panic=-1`), which costs one failed boot.

    ## References
    - oxidecomputer/propolis issue 590, cloud-hypervisor issue 2003: Ubuntu's `40-force-partuuid.cfg`.
    """

    severity = Severity.ERROR
    stage = Stage.INITRAMFS
    since = "0.1"
    predicts = (r"Unable to mount root fs on unknown-block\(0,0\)",)
    examples = (
        Example(sample_boot(image=b"", args=_PARTUUID), flags=("/boot/grub/grub.cfg:2",), severity=Severity.ERROR),
        Example(
            sample_boot(image=b"", args=f"{_PARTUUID} panic=-1"),
            flags=("/boot/grub/grub.cfg:2",),
            severity=Severity.WARNING,
            title="Ubuntu restarts with the initramfs",
        ),
        Example(sample_boot(sample_kernel((), ("virtio_blk", "virtio_pci", "ext4")), b"", _PARTUUID)),
        Example(sample_boot()),
    )

    def check(self, paths: BootPaths, stack: RootStack, target: Target) -> Iterator[Finding]:
        for path in paths.defaults:
            lacking = tuple(_lacking(path, stack, target)) if path.image is None else ()
            if not lacking:
                continue
            again = any(arg.name == "panic" and arg.value == "-1" for arg in path.choice.args)
            message = f"the boot entry {path.choice.title!r} has no initramfs, which is needed for {', '.join(lacking)}"
            effect = "the first start panics; the loader then tries with the initramfs" if again else "the kernel panics: it finds no root"
            severity = Severity.WARNING if again or paths.choices.assumed else Severity.ERROR
            yield self.finding(path.choice.where, message, effect, severity=severity)


def _lacking(path: BootPath, stack: RootStack, target: Target) -> Iterator[str]:
    for controller in target.controllers:
        names = [fate.module for fate in path.controller(controller).failing(Means.DISK)]
        if names:
            yield f"{controller.name} ({', '.join(names)})"
    yield from (f"the root filesystem ({fate.module})" for fate in path.root_filesystem(stack).failing(Means.DISK))
    yield from (f"{what} under the root" for kind, what in _TOOLS.items() if stack.of_kind(kind))
