"""Rule driver-blocked."""

from collections.abc import Iterator

from v2vlint.api import (
    AppendInitramfs,
    Applicability,
    BootPath,
    BootPaths,
    Edit,
    Example,
    Finding,
    Fix,
    Means,
    Modprobe,
    ModprobeCommand,
    ModuleFate,
    Presence,
    Rule,
    Severity,
    Span,
    Stage,
    Target,
    Where,
    comment_out,
    sample_boot,
    sample_initramfs,
)

_CIS = "# hardening\ninstall virtio_blk /bin/true\n"
_BLACKLIST = "blacklist virtio_net\n"
_MODULES = ("virtio_blk: virtio_ring", "virtio_pci: virtio_ring", "virtio_ring", "ext4")
_IMAGE = sample_initramfs(_MODULES, {"etc/modprobe.d/cis.conf": _CIS})
_KMOD = {"/usr/bin/kmod": ""}
_APPENDED = frozenset({"initramfs-tools", "dracut", "mkinitcpio"})


class DriverBlocked(Rule):
    """A driver the target needs is blacklisted or disabled.

    ## What it does
    Finds `blacklist` and `install … /bin/true` (or `/bin/false`) for the target's storage and network modules: in modprobe's configuration,
    in its copy inside the initramfs, and on the kernel command line (`module_blacklist=`, `modprobe.blacklist=`, `rd.driver.blacklist=`).
    Built-in drivers and modules that the target does not need do not count.

    ## Why it matters
    Hardening guides and removed guest tools leave such lines behind. The module is there and never loaded: no disk, or no network. The copy
    inside the initramfs decides about the disk; editing /etc/modprobe.d alone changes nothing before the next rebuild.

    ## Fix safety
    Safe: the line is commented out, and a blacklisted storage module is loaded by its name from the initramfs from now on.

    ## References
    - modprobe.d(5); Microsoft's "linux-hyperv-issue" describes hv_netvsc and hv_storvsc disabled this way.
    """

    severity = Severity.ERROR
    stage = Stage.INITRAMFS
    since = "0.1"
    examples = (
        Example(
            {**sample_boot(image=_IMAGE), **_KMOD, "/etc/modprobe.d/cis.conf": _CIS},
            flags=("/etc/modprobe.d/cis.conf:2",),
            severity=Severity.ERROR,
            fixed={"/etc/modprobe.d/cis.conf": "# hardening\n# install virtio_blk /bin/true\n"},
        ),
        Example(
            {**sample_boot(), **_KMOD, "/etc/modprobe.d/cis.conf": _CIS},
            flags=("/etc/modprobe.d/cis.conf:2",),
            severity=Severity.WARNING,
            fixed={"/etc/modprobe.d/cis.conf": "# hardening\n# install virtio_blk /bin/true\n"},
            title="the initramfs is older than the line",
        ),
        Example(
            {**sample_boot(), **_KMOD, "/etc/modprobe.d/net.conf": _BLACKLIST},
            flags=("/etc/modprobe.d/net.conf:1",),
            severity=Severity.ERROR,
            fixed={"/etc/modprobe.d/net.conf": f"# {_BLACKLIST}"},
            title="the network card",
        ),
        Example(
            sample_boot(args="root=UUID=1 ro module_blacklist=floppy,virtio_ring"),
            flags=("/boot/grub/grub.cfg:2",),
            title="a dependency",
        ),
        Example(
            {**sample_boot(), **_KMOD, "/etc/modprobe.d/x.conf": "blacklist floppy\ninstall usb-storage /bin/true\nblacklist hv_netvsc\n"}
        ),
        Example(
            {**sample_boot(), **_KMOD, "/etc/modprobe.d/x.conf.bak": _CIS, "/etc/modprobe.d/y.conf": "blacklist virtio_ring\n"},
            title="a file modprobe does not read; a dependency is loaded all the same",
        ),
    )

    def check(self, paths: BootPaths, modprobe: Modprobe, target: Target) -> Iterator[Finding]:
        for path in paths.defaults:
            worst = Severity.WARNING if paths.choices.assumed else Severity.ERROR
            seen: set[str | Where] = set()
            for fate in _blocked(path, target):
                if _is_new(fate, seen):
                    yield self._storage(path, fate, modprobe, worst)
            yield from self._network(path, target, modprobe, worst, seen)
            yield from self._later(path, target, modprobe, seen)

    def _storage(self, path: BootPath, fate: ModuleFate, modprobe: Modprobe, worst: Severity) -> Finding:
        fix = _fix(path, fate.module, modprobe)
        effect = "the root disk is never found, and boot stops in the initramfs"
        return self.finding(fate.where, f"the storage driver {fate}", effect, severity=worst, fix=fix, related=(path.choice.where,))

    def _network(self, path: BootPath, target: Target, modprobe: Modprobe, worst: Severity, seen: set[str | Where]) -> Iterator[Finding]:
        for nic in target.nics:
            for fate in path.network(nic).failing(Means.BLOCKED):
                if _is_new(fate, seen):
                    message, effect = f"the network driver {fate}", "the guest comes up without a network card"
                    fix = _fix(path, fate.module, modprobe)
                    yield self.finding(fate.where, message, effect, severity=worst, fix=fix, stage=Stage.NETWORK)

    def _later(self, path: BootPath, target: Target, modprobe: Modprobe, seen: set[str | Where]) -> Iterator[Finding]:
        """Lines that the initramfs does not know yet, about modules the target's controllers need."""
        needed = dict.fromkeys(name for controller in target.controllers for modules in controller.any_of for name in modules)
        usable = [name for name in needed if name not in seen and path.kernel.has(name) is Presence.MODULE]
        for name in usable if path.image else ():
            command = modprobe.disabled(name) or modprobe.blacklisted(name)
            if command and not any(path.controller(c).usable is False for c in target.controllers):
                message = f"the storage driver {name} is kept from loading by `{command.command} {command.name}`"
                effect = "the next initramfs takes the line over, and the root disk is not found any more"
                yield self.finding(command.where, message, effect, severity=Severity.WARNING, fix=_fix(path, name, modprobe))


def _is_new(fate: ModuleFate, seen: set[str | Where]) -> bool:
    """Whether neither the module nor the line that blocks it was reported; both count as seen from now on."""
    place = fate.where if isinstance(fate.where, Span) else fate.module
    new = not {fate.module, place} & seen
    seen.update((fate.module, place))
    return new


def _blocked(path: BootPath, target: Target) -> Iterator[ModuleFate]:
    for controller in target.controllers:
        yield from path.controller(controller).failing(Means.BLOCKED)


def _fix(path: BootPath, module: str, modprobe: Modprobe) -> Fix | None:
    names = {module, *path.requires(module)}
    commands = [c for c in modprobe.commands if _stops(c, module, names)]
    edits: list[Edit] = [comment_out(command.where, "# ") for command in commands]
    image = path.image
    if image and image.generator in _APPENDED and path.module(module).means is Means.BLOCKED and not any(c.disables for c in commands):
        edits.append(AppendInitramfs(image.where.path, path.kernel.version, (module,)))
    return Fix(f"allow {module} to be loaded", Applicability.SAFE, tuple(edits)) if commands else None


def _stops(command: ModprobeCommand, module: str, names: set[str]) -> bool:
    return (command.command == "blacklist" and command.name == module) or (command.disables and command.name in names)
