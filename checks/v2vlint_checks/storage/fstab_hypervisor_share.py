"""Rule fstab-hypervisor-share."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    Cause,
    Example,
    Fate,
    Finding,
    Fix,
    FstabEntry,
    MountsVerdict,
    ReplaceText,
    Rule,
    Severity,
    Span,
    Stage,
)


class FstabHypervisorShare(Rule):
    """An fstab entry mounts a folder shared by the hypervisor.

    ## What it does
    Finds shared folders of VMware (`vmhgfs`), VirtualBox (`vboxsf`), Parallels (`prl_fs`) and QEMU (`9p`, `virtiofs`) in fstab.

    ## Why it matters
    The share exists on the source's host only, and another hypervisor does not even speak its protocol. For systemd these are local
    filesystems: without `nofail` a failed mount stops boot in emergency mode.

    ## Fix safety
    Unsafe: the line is commented out, and whatever used the folder has to do without it.

    ## References
    - virt-v2v removes guest tools but not such lines; AWS VM Import disables vboxsf, cifs and sshfs entries (import-modify-vm).
    """

    severity = Severity.ERROR
    stage = Stage.MOUNTS
    since = "0.1"
    examples = (
        Example(
            {"/etc/fstab": "UUID=1 / ext4\nshare /mnt/share vboxsf defaults 0 0\n"},
            flags=("/etc/fstab:2",),
            severity=Severity.ERROR,
            fixed={"/etc/fstab": "UUID=1 / ext4\n# share /mnt/share vboxsf defaults 0 0\n"},
        ),
        Example(
            {"/etc/fstab": ".host:/ /mnt/hgfs fuse.vmhgfs-fuse allow_other,nofail 0 0\n"},
            flags=("/etc/fstab:1",),
            severity=Severity.WARNING,
        ),
        Example(
            {"/etc/fstab": "vmhgfs-fuse /mnt/hgfs fuse defaults,allow_other 0 0\n"},
            flags=("/etc/fstab:1",),
            severity=Severity.ERROR,
            title="the program is named where the device would be",
        ),
        Example({"/etc/fstab": "vmhgfs-fuse /mnt/hgfs fuse defaults,nofail 0 0\n"}, target="vmware", flags=("/etc/fstab:1",)),
        Example({"/etc/fstab": "sshfs#me@there: /mnt fuse defaults,nofail 0 0\n"}),
        Example(
            {"/etc/fstab": "hostshare /data virtiofs defaults 0 0\n"},
            flags=("/etc/fstab:1",),
            severity=Severity.WARNING,
            title="the protocol stays, the share's tag may not",
        ),
        Example({"/etc/fstab": "#share /mnt vboxsf\nshare /mnt/b vboxsf noauto 0 0\nnone /proc/xen xenfs defaults 0 0\n"}),
    )

    def check(self, mounts: MountsVerdict) -> Iterator[Finding]:
        for cause in mounts.host_folders:
            entry = cause.about
            yield self.finding(cause.where, cause.reason, _effect(cause), severity=cause.severity, fix=_comment(entry))


def _effect(cause: Cause[FstabEntry]) -> str:
    if cause.fate is Fate.UNKNOWN:
        return "boot may stop unless the new host has the same share"
    return "the mount fails, and boot stops in emergency mode" if cause.fate is Fate.FAIL else "the mount fails and the folder stays empty"


def _comment(entry: FstabEntry) -> Fix | None:
    if entry.unit:
        return None
    where = entry.where
    start = Span(where.path, where.start, where.start, where.line, where.column)
    return Fix(f"comment out the mount of {entry.mount_point}", Applicability.UNSAFE, (ReplaceText(start, "", "# "),))
