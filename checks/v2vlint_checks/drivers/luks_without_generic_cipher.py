"""Rule luks-without-generic-cipher."""

from collections.abc import Iterator

from v2vlint.api import (
    AppendInitramfs,
    Applicability,
    BlockDevice,
    BootPaths,
    ConvertedKernel,
    Example,
    Finding,
    Fix,
    InitramfsConfig,
    Means,
    RootStack,
    Rule,
    Severity,
    sample_boot,
    sample_initramfs,
    sample_kernel,
)

_LUKS = RootStack("ext4", None, (BlockDevice("luks-1", "luks", 1 << 30, 0, fs_type="ext4", parents=("disk1p1",)),))
_KERNEL = sample_kernel(("virtio_blk", "virtio_pci", "ext4", "dm_mod", "dm_crypt: dm_mod", "xts", "aesni_intel"))
_APPENDED = frozenset({"initramfs-tools", "dracut", "mkinitcpio"})


class LuksWithoutGenericCipher(Rule):
    """The root is encrypted, and the initramfs has the cipher only for this CPU's instructions.

    ## What it does
    Looks for the module `xts` in the initramfs of a guest whose root is on LUKS, when the kernel has it as a module.

    ## Why it matters
    A host-only image may hold only `aesni_intel`, which brings its own XTS. On a virtual CPU without AES instructions the passphrase is
    accepted but the volume does not open.

    ## Fix safety
    Safe: the module is appended to the image.

    ## References
    - virt-v2v adds xts for this reason: `convert/convert_linux.ml`, Red Hat bug 1658126.
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example(
            {
                **sample_boot(_KERNEL, sample_initramfs(("virtio_blk", "virtio_pci", "ext4", "dm_mod", "dm_crypt: dm_mod", "aesni_intel"))),
                "/etc/initramfs-tools/modules": "",
                "/usr/sbin/mkinitramfs": "",
            },
            given=(_LUKS,),
            flags=("/boot/initrd.img-6.1.0-13-amd64",),
            severity=Severity.WARNING,
            fixed={"/etc/initramfs-tools/modules": "xts\n"},
        ),
        Example(sample_boot(_KERNEL, sample_initramfs(("virtio_blk", "virtio_pci", "xts", "ext4"))), given=(_LUKS,)),
        Example(sample_boot(_KERNEL, sample_initramfs(("virtio_blk", "virtio_pci", "ext4"))), title="not encrypted"),
    )

    def check(self, paths: BootPaths, stack: RootStack, config: InitramfsConfig, converted: ConvertedKernel) -> Iterator[Finding]:
        if not stack.of_kind("luks"):
            return
        for path in paths.defaults:
            if path.image is None or converted.path(path).module("xts").means is not Means.DISK:
                continue
            generator = config.for_image(path.image.generator)
            keep = generator.keep(("xts",)) if generator else ()
            fix = Fix(
                "add xts to the initramfs",
                Applicability.SAFE,
                (AppendInitramfs(path.image.where.path, path.kernel.version, ("xts",)), *keep),
            )
            message = f"the root is encrypted, and the initramfs of kernel {path.kernel.version} lacks the generic module xts"
            effect = "the root is not unlocked on a CPU without AES instructions"
            yield self.finding(path.image.where, message, effect, fix=fix if path.image.generator in _APPENDED else None)
