"""Rule host-only-initramfs."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BootChoices,
    Example,
    Finding,
    Fix,
    InitramfsConfig,
    Kernel,
    Presence,
    Rule,
    Severity,
    Target,
    sample_boot,
)

_DIST = "/usr/lib/dracut/dracut.conf.d/01-dist.conf"
_MAIN = "/etc/initramfs-tools/initramfs.conf"


class HostOnlyInitramfs(Rule):
    """The initramfs generator includes only drivers for the machine it runs on.

    ## What it does
    Reads the generator's configuration (`hostonly=yes`, `MODULES=dep`, the hook `autodetect`, booster without `universal`) and reports when
    no setting names the target's storage modules. Other rules judge existing images by their content.

    ## Why it matters
    A kernel update before the move builds an image without the target's drivers, however good the present one is.

    ## Fix safety
    Safe: one setting is added that includes the modules in every later image.

    ## References
    - dracut.conf(5), initramfs.conf(5), mkinitcpio.conf(5)
    """

    severity = Severity.INFO
    since = "0.1"
    examples = (
        Example(
            {**sample_boot(), "/usr/bin/dracut": "", _DIST: 'hostonly="yes"\n'},
            flags=(f"{_DIST}:1",),
            severity=Severity.INFO,
            fixed={"/etc/dracut.conf.d/90-v2vlint.conf": 'add_drivers+=" virtio_blk virtio_pci "\n'},
        ),
        Example(
            {**sample_boot(), "/usr/sbin/mkinitramfs": "", _MAIN: "MODULES=dep\n"},
            flags=(f"{_MAIN}:1",),
            fixed={"/etc/initramfs-tools/modules": "virtio_blk\nvirtio_pci\n"},
            title="initramfs-tools",
        ),
        Example(
            {**sample_boot(), "/usr/bin/mkinitcpio": "", "/etc/mkinitcpio.conf": "MODULES=(btrfs)\nHOOKS=(base udev autodetect block)\n"},
            flags=("/etc/mkinitcpio.conf:2",),
            fixed={"/etc/mkinitcpio.conf": "MODULES=(btrfs virtio_blk virtio_pci)\nHOOKS=(base udev autodetect block)\n"},
            title="mkinitcpio",
        ),
        Example(
            {**sample_boot(), "/usr/bin/mkinitcpio": "", "/etc/mkinitcpio.conf": "MODULES=btrfs\nHOOKS=(base udev autodetect block)\n"},
            flags=("/etc/mkinitcpio.conf:2",),
            fixed={"/etc/mkinitcpio.conf": 'MODULES=btrfs" virtio_blk virtio_pci"\nHOOKS=(base udev autodetect block)\n'},
            title="a word without quotes",
        ),
        Example({**sample_boot(), "/usr/sbin/mkinitramfs": "", _MAIN: "MODULES=most\n"}),
        Example({**sample_boot(), "/usr/bin/dracut": "", _DIST: 'hostonly="yes"\nadd_drivers+=" virtio_blk virtio_pci "\n'}, title="named"),
        Example(
            {
                **sample_boot(),
                "/usr/bin/dracut": "",
                _DIST: 'hostonly="yes"\n',
                "/usr/lib/dracut/dracut-version.sh": "DRACUT_VERSION=108-1\n",
            },
            title="dracut 108 takes virtio in anyway",
        ),
    )

    def check(self, config: InitramfsConfig, choices: BootChoices, target: Target) -> Iterator[Finding]:
        generator = next(iter(config.installed), None)
        kernel = choices.default.kernel if choices.default else None
        if generator is None or generator.host_only is None or kernel is None:
            return
        missing = generator.missing(_modules(kernel, target))
        if missing:
            limit = generator.host_only
            message = f"{generator.name} builds images for this machine only ({limit.text}), and no setting names {', '.join(missing)}"
            effect = "an image built before the move, as a kernel update does, lacks the target's drivers"
            edits = generator.keep(missing)
            fix = Fix(f"name {', '.join(missing)} in the generator's settings", Applicability.SAFE, edits) if edits else None
            yield self.finding(limit.where, message, effect, fix=fix)


def _modules(kernel: Kernel, target: Target) -> tuple[str, ...]:
    """For every controller, the first alternative that this kernel has as modules."""
    found: list[str] = []
    for controller in target.controllers:
        usable = (modules for modules in controller.any_of if all(kernel.has(name) is not Presence.ABSENT for name in modules))
        found.extend(name for name in next(usable, ()) if kernel.has(name) is Presence.MODULE)
    return tuple(dict.fromkeys(found))
