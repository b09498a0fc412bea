"""Rule mount-type-unknown."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, MountPolicy, MountsVerdict, Rule, Severity, Stage, sample_boot

_ALIASES = {"/lib/modules/6.1.0-13-amd64/modules.alias": "alias fs-xfs xfs\n"}
_ROOT = "UUID=0a1b2c3d / ext4 defaults 0 1\n"


class MountTypeUnknown(Rule):
    """A mount that boot depends on has a filesystem type that the kernel does not know.

    ## What it does
    Looks for the type among the modules (`modules.alias`) and the built-in drivers of the kernel that starts by default, and for a program
    `mount.TYPE`.

    ## Why it matters
    `mount: unknown filesystem type`: systemd fails the mount and with it `local-fs.target`, and the guest stops in emergency mode. The
    module belongs to another kernel, was dropped by a newer one (`reiserfs`, `ntfs`), or was built for the source's kernel only.

    ## References
    - mount(8), systemd.mount(5); `get_fs_type` in fs/filesystems.c asks modprobe for `fs-TYPE`.
    """

    severity = Severity.ERROR
    stage = Stage.MOUNTS
    since = "0.1"
    predicts = (r"unknown filesystem type",)
    examples = (
        Example(
            {**sample_boot(), **_ALIASES, "/etc/fstab": f"{_ROOT}tmpfs /odd oddfs defaults 0 0\n"},
            flags=("/etc/fstab:2",),
            severity=Severity.ERROR,
        ),
        Example(
            {**sample_boot(), **_ALIASES, "/etc/fstab": f"{_ROOT}/srv/a /odd oddfs loop 0 0\n", "/sbin/mount.oddfs": "#!/bin/sh\n"},
            title="a program mounts it",
        ),
        Example({**sample_boot(), **_ALIASES, "/etc/fstab": f"{_ROOT}/srv/image /data xfs loop 0 0\n"}, title="a module has it"),
        Example({**sample_boot(), **_ALIASES, "/etc/fstab": f"{_ROOT}tmpfs /odd oddfs nofail 0 0\n"}),
        Example({**sample_boot(), "/etc/fstab": f"{_ROOT}tmpfs /odd oddfs defaults 0 0\n"}, title="modules.alias is not there"),
    )

    def check(self, mounts: MountsVerdict, policy: MountPolicy) -> Iterator[Finding]:
        for cause in mounts.types:
            yield self.finding(cause.where, cause.reason, policy.failure(cause.about), severity=cause.severity)
