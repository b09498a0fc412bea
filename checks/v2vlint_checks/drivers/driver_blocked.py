"""Rule driver-blocked."""

from collections.abc import Iterator

from v2vlint.api import (
    AppendInitramfs,
    Applicability,
    BootPath,
    Cause,
    DefaultBoot,
    Edit,
    Example,
    Finding,
    Fix,
    InitramfsVerdict,
    Landing,
    Means,
    Modprobe,
    ModprobeCommand,
    ModuleFate,
    NetworkVerdict,
    Presence,
    Rule,
    Severity,
    Span,
    Stage,
    Where,
    comment_out,
    sample_boot,
    sample_initramfs,
)

_CIS = "# hardening\ninstall virtio_blk /bin/true\n"
_BLACKLIST = "blacklist virtio_net\n"
_OTHERS = "blacklist floppy\ninstall usb-storage /bin/true\noptions virtio_net csum=0\n"
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
    Hardening guides and removed guest tools leave such lines behind. The module exists but is never loaded: no disk, or no network. For
    the disk the copy inside the initramfs counts; editing /etc/modprobe.d alone changes nothing before the next rebuild.

    ## Fix safety
    Safe: the line is commented out, and a blacklisted storage module is loaded by name from the initramfs from then on.

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
            {**sample_boot(), **_KMOD, "/etc/modprobe.d/net.conf": f"{_OTHERS}{_BLACKLIST}"},
            flags=("/etc/modprobe.d/net.conf:4",),
            fixed={"/etc/modprobe.d/net.conf": f"{_OTHERS}# {_BLACKLIST}"},
            title="lines about other modules, and options of this one, stay",
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
            title="a file modprobe does not read; a dependency is loaded anyway",
        ),
    )

    def check(
        self, initramfs: InitramfsVerdict, network: NetworkVerdict, boot: DefaultBoot, modprobe: Modprobe, landing: Landing
    ) -> Iterator[Finding]:
        path = boot.path
        if path is None:
            return
        seen: set[str | Where] = set()
        stops = "the root disk is never found, and boot stops in the initramfs"
        yield from self._told(initramfs.blocked, path, modprobe, stops, seen, Stage.INITRAMFS)
        yield from self._told(network.blocked, path, modprobe, "the guest comes up without a network card", seen, Stage.NETWORK)
        yield from self._later(path, landing, modprobe, seen)

    def _told(
        self, causes: tuple[Cause[ModuleFate], ...], path: BootPath, modprobe: Modprobe, effect: str, seen: set[str | Where], stage: Stage
    ) -> Iterator[Finding]:
        for cause in causes:
            if cause.about is not None and _is_new(cause.about, seen):
                fix, related = _fix(path, cause.about.module, modprobe), (path.choice.where,) if stage is Stage.INITRAMFS else ()
                yield self.finding(cause.where, cause.reason, effect, severity=cause.severity, fix=fix, related=related, stage=stage)

    def _later(self, path: BootPath, landing: Landing, modprobe: Modprobe, seen: set[str | Where]) -> Iterator[Finding]:
        """Lines that are not in the initramfs yet, for modules that the target's controllers need."""
        needed = dict.fromkeys(name for controller in landing.controllers for modules in controller.any_of for name in modules)
        usable = [name for name in needed if name not in seen and path.kernel.has(name) is Presence.MODULE]
        for name in usable if path.image else ():
            command = modprobe.disabled(name) or modprobe.blacklisted(name)
            if command and not any(path.controller(c).usable is False for c in landing.controllers):
                message = f"the storage driver {name} is blocked by `{command.command} {command.name}`"
                effect = "the next initramfs copies the line, and the root disk is no longer found"
                yield self.finding(command.where, message, effect, severity=Severity.WARNING, fix=_fix(path, name, modprobe))


def _is_new(fate: ModuleFate, seen: set[str | Where]) -> bool:
    """Whether neither the module nor the line that blocks it was reported before; both then count as seen."""
    place = fate.where if isinstance(fate.where, Span) else fate.module
    new = not {fate.module, place} & seen
    seen.update((fate.module, place))
    return new


def _fix(path: BootPath, module: str, modprobe: Modprobe) -> Fix | None:
    names = {module, *path.requires(module)}
    commands = [c for c in modprobe.commands if _stops(c, module, names)]
    edits: list[Edit] = [comment_out(command.where, "# ") for command in commands]
    image = path.image
    # What is appended loads the module by name, which passes over a blacklist in the image, but not over an install line.
    if image and image.generator in _APPENDED and path.module(module).means is Means.BLOCKED and not any(c.disables for c in commands):
        edits.append(AppendInitramfs(image.where.path, path.kernel.version, (module,)))
    return Fix(f"allow {module} to be loaded", Applicability.SAFE, tuple(edits)) if commands else None


def _stops(command: ModprobeCommand, module: str, names: set[str]) -> bool:
    return (command.command == "blacklist" and command.name == module) or (command.disables and command.name in names)
