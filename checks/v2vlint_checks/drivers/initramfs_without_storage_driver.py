"""Rule initramfs-without-storage-driver."""

from collections.abc import Iterator

from v2vlint.api import (
    AppendInitramfs,
    Applicability,
    BootChoice,
    BootPath,
    BootPaths,
    Example,
    Finding,
    Fix,
    GeneratorConfig,
    InitramfsConfig,
    InitramfsVerdict,
    Lacking,
    Landing,
    Mover,
    Rebuild,
    Rule,
    Severity,
    Stage,
    Unknown,
    WholeFile,
    missing_modules,
    sample_boot,
    sample_initramfs,
    sample_kernel,
    sample_tools,
)

_APPENDED = frozenset({"initramfs-tools", "dracut", "mkinitcpio"})
_IDE = ("ata_piix: libata", "libata: scsi_mod", "sd_mod: scsi_mod", "scsi_mod", "ext4: jbd2", "jbd2")
_DRACUT = {"usr/lib/dracut/modules.txt": "base\n", "usr/lib/dracut-lib.sh": "#\n"}
_OTHERS = 3  # each is another image to read
_OLD = "5.10.0-1-amd64"
_OLD_ENTRY = f"menuentry 'Old' {{\n\tlinux /boot/vmlinuz-{_OLD} ro\n\tinitrd /boot/initrd.img-{_OLD}\n}}\n"


def _two_kernels(old: bytes) -> dict[str, str | bytes]:
    files = {**sample_boot(image=sample_initramfs(_IDE)), **sample_kernel(version=_OLD), f"/boot/initrd.img-{_OLD}": old}
    files["/boot/grub/grub.cfg"] = f"{files['/boot/grub/grub.cfg']!s}{_OLD_ENTRY}"
    return files


class InitramfsWithoutStorageDriver(Rule):
    """The initramfs lacks the driver of the target's disk controller.

    ## What it does
    Reads the initramfs of the default boot entry (all of its segments) and looks for the target's storage modules, their dependencies, the
    bus driver (`virtio_pci`) and the disk driver (`sd_mod`), counting built-in drivers. If the default image fails, the images of other
    entries are checked too.

    ## Why it matters
    Host-only images (dracut's default on Red Hat and SUSE, `MODULES=dep` on Debian, mkinitcpio's `autodetect`) hold the drivers of the
    machine they were built on. Elsewhere the root disk does not appear: dracut times out, Debian stops at its `(initramfs)` prompt.

    ## Fix safety
    Safe: a segment with the guest's own modules is appended to the image, whose content stays, and the generator is configured to include
    the modules from then on. An image from an unknown generator can only be rebuilt by hand.

    ## References
    - `Documentation/driver-api/early-userspace/buffer-format.rst`: the kernel unpacks concatenated archives.
    - virt-v2v rebuilds the default kernel's image with virtio drivers: `convert/convert_linux.ml`, `rebuild_initrd`.
    """

    severity = Severity.ERROR
    stage = Stage.INITRAMFS
    since = "0.1"
    predicts = (r"dracut-initqueue.*timeout", r"ALERT! .* does not exist", r"Gave up waiting for root", r"Waiting for root device")
    examples = (
        Example(
            {**sample_boot(image=sample_initramfs(_IDE)), "/etc/initramfs-tools/modules": "# names\n", "/usr/sbin/mkinitramfs": ""},
            flags=("/boot/initrd.img-6.1.0-13-amd64",),
            severity=Severity.ERROR,
            fixed={"/etc/initramfs-tools/modules": "# names\nvirtio_blk\nvirtio_pci\n"},
        ),
        Example(
            {**sample_boot(image=sample_initramfs(_IDE, _DRACUT)), "/usr/bin/dracut": ""},
            flags=("/boot/initrd.img-6.1.0-13-amd64",),
            fixed={"/etc/dracut.conf.d/90-v2vlint.conf": 'add_drivers+=" virtio_blk virtio_pci "\n'},
            title="dracut",
        ),
        Example(
            {**sample_boot(image=sample_initramfs(_IDE)), **sample_tools()},
            mover=Mover.VIRT_V2V,
            flags=("/boot/initrd.img-6.1.0-13-amd64",),
            severity=Severity.INFO,
            title="virt-v2v rebuilds the image",
        ),
        Example(
            {
                **sample_boot(sample_kernel(("virtio_blk", "virtio_pci", "ext4", "nvme")), sample_initramfs(_IDE)),
                **sample_tools(),
            },
            target="ec2-nitro",
            mover=Mover.VIRT_V2V,
            flags=("/boot/initrd.img-6.1.0-13-amd64",),
            severity=Severity.ERROR,
            title="virt-v2v adds virtio's drivers, not NVMe's",
        ),
        Example(
            sample_boot(image=sample_initramfs(("virtio_blk: virtio_ring", "virtio_pci", "ext4"))),
            flags=("/boot/initrd.img-6.1.0-13-amd64",),
            title="a dependency is missing",
        ),
        Example(sample_boot()),
        Example(
            _two_kernels(sample_initramfs(_IDE, version=_OLD)),
            flags=("/boot/initrd.img-6.1.0-13-amd64", f"/boot/initrd.img-{_OLD}"),
            title="the older kernel's image has the same gap",
        ),
        Example(
            _two_kernels(sample_initramfs(version=_OLD)), flags=("/boot/initrd.img-6.1.0-13-amd64",), title="the older kernel is a way back"
        ),
        Example(
            sample_boot(image=sample_initramfs(("e1000",), {"bin/nash": ""})),
            flags=("/boot/initrd.img-6.1.0-13-amd64",),
            title="Red Hat's old mkinitrd: to be rebuilt by hand",
        ),
        Example(
            sample_boot(sample_kernel(("hv_storvsc: hv_vmbus", "hv_vmbus", "sd_mod", "ext4")), sample_initramfs(("virtio_blk", "ext4"))),
            target="hyperv-gen2",
            flags=("/boot/initrd.img-6.1.0-13-amd64",),
            title="no hv_storvsc",
        ),
    )

    def check(
        self, initramfs: InitramfsVerdict, paths: BootPaths, config: InitramfsConfig, landing: Landing
    ) -> Iterator[Finding | Unknown]:
        failed = False
        for cause in initramfs.drivers:
            found = cause.about
            if found is None:
                yield self.unknown(cause.where, cause.reason)
                continue
            rebuilt = cause.severity is Severity.INFO
            failed = failed or not rebuilt
            effect = "virt-v2v rebuilds it with the drivers it needs" if rebuilt else _effect(paths.way_back(landing.controllers))
            yield self._found(found, config, cause.severity, effect)
        others = (choice for choice in paths.choices.others if failed and not choice.rescue)
        for choice in list(others)[:_OTHERS]:
            other = paths.of(choice)
            if other is not None and (names := missing_modules(other, landing.controllers)):
                failing = tuple(one.name for one in landing.controllers if other.controller(one).usable is False)
                effect = "this kernel does not find the root disk either"
                yield self._found(Lacking(other, names, failing), config, Severity.WARNING, effect)

    def _found(self, found: Lacking, config: InitramfsConfig, severity: Severity | None, effect: str) -> Finding:
        path, failing = found.path, found.controllers
        names = " or ".join(failing) if len(failing) < 4 else f"{len(failing)} of the target's controllers"
        message = f"the initramfs of kernel {path.kernel.version} lacks {', '.join(found.names)} for {names}"
        where = path.image.where if path.image else path.choice.where
        generator = config.for_image(path.image.generator if path.image else "")
        fix = _fix(path, found.names, generator)
        return self.finding(where, message, effect, severity=severity, fix=fix, related=(path.choice.where,))


def _effect(way_back: BootChoice | None) -> str:
    effect = "the root disk is never found, and boot stops in the initramfs"
    return f"{effect}; the entry {str(way_back.title)!r} still starts" if way_back else effect


def _fix(path: BootPath, missing: tuple[str, ...], generator: GeneratorConfig | None) -> Fix | None:
    image, version = path.image, path.kernel.version
    if image is None or not version:
        return None
    title = f"add {', '.join(missing)} to the initramfs of kernel {version}"
    if image.generator in _APPENDED and image.where != WholeFile(path.kernel.image):  # inside a unified kernel, nothing can be appended
        edits = (AppendInitramfs(image.where.path, version, missing), *(generator.keep(missing) if generator else ()))
        return Fix(title, Applicability.SAFE, edits)
    return Fix(title, Applicability.MANUAL, (Rebuild(f"initramfs:{version}"), *(generator.keep(missing) if generator else ())))
