"""Rule selinux-wrong-label."""

from collections.abc import Iterator, Sequence

from v2vlint.api import (
    Applicability,
    Example,
    FileLabel,
    Finding,
    Fix,
    Mover,
    NotApplicable,
    Rule,
    Selinux,
    SelinuxLabels,
    Severity,
    Unknown,
    WholeFile,
    WriteFile,
    sample_boot,
)

_RELABEL = "/.autorelabel"
_ON = {**sample_boot(), "/etc/selinux/config": "SELINUX=enforcing\n"}
_LOST = frozenset({"", "unlabeled_t", "file_t", "default_t", "tmp_t", "user_tmp_t", "var_tmp_t", "user_home_t", "admin_home_t", "mnt_t"})
"""Types of what was made somewhere else, which no service and no login program may use."""


def _given(*files: tuple[str, str, str]) -> tuple[SelinuxLabels]:
    return (SelinuxLabels(tuple(FileLabel(WholeFile(path), found, wanted) for path, found, wanted in files), can_relabel=True),)


class SelinuxWrongLabel(Rule):
    """A file that a boot or a login needs lacks its SELinux label.

    ## What it does
    Where SELinux enforces an installed policy, compares the labels of programs, accounts, keys and settings that boot and login need with
    those in the policy's file_contexts. Files with the label of another place (`user_home_t`, `tmp_t`, `unlabeled_t`) or none are a
    warning, those with any other type are reported as info. There is no finding if the next boot, or virt-v2v, relabels all files.

    ## Why it matters
    Labels get lost when a disk is repaired or copied by a system without SELinux: a rescue system, `rsync` without `-X`, `tar` without
    `--xattrs`. The kernel treats a file without a label as `unlabeled_t`, which confined programs may not read: sshd and login refuse all
    users, services fail.

    ## Fix safety
    Safe: creates /.autorelabel, as virt-v2v does. The first boot labels all files and restarts, which takes minutes on a large disk.

    ## References
    - file_contexts(5), selabel_file(5), selinux-autorelabel(8); libselinux `label_file.c`
    - virt-v2v `convert_linux.ml`, "touch /.autorelabel"
    """

    severity = Severity.WARNING
    since = "0.2"
    predicts = (r"avc: +denied .*tcontext=\S*:unlabeled_t", r"Unable to get valid context for")
    examples = (
        Example(
            _ON,
            given=_given(("/etc/passwd", "passwd_file_t", "passwd_file_t"), ("/etc/shadow", "", "shadow_t")),
            flags=("/etc/shadow",),
            severity=Severity.WARNING,
            fixed={_RELABEL: ""},
        ),
        Example(
            _ON,
            given=_given(("/etc/shadow", "user_tmp_t", "shadow_t"), ("/etc/fstab", "etc_runtime_t", "etc_t")),
            flags=("/etc/shadow", "/etc/fstab"),
            fixed={_RELABEL: ""},
            title="one that was moved there, and one that a program made",
        ),
        Example(_ON, given=_given(("/etc/fstab", "etc_t", ""))),
        Example(_ON, given=_given(("/etc/shadow", "", "shadow_t")), mover=Mover.VIRT_V2V, title="virt-v2v labels them"),
        Example(_ON, given=(SelinuxLabels(unclear=(WholeFile("/etc/shadow"),)),), unknown=True),
        Example(_ON, given=(SelinuxLabels(reason="SELinux is disabled"),), title="SELinux is off"),
    )

    def check(self, labels: SelinuxLabels, selinux: Selinux, mover: Mover) -> Iterator[Finding | Unknown]:
        if labels.reason or selinux.relabel or mover is Mover.VIRT_V2V:
            raise NotApplicable(labels.reason or f"{'the next boot' if selinux.relabel else 'virt-v2v'} labels all files")
        wrong = [one for one in labels.files if one.wanted and one.type != one.wanted]
        lost = [one for one in wrong if one.type in _LOST]
        if lost:
            edits = (WriteFile(_RELABEL, ""),)
            fix = Fix("let the first boot label all files (/.autorelabel)", Applicability.SAFE, edits) if labels.can_relabel else None
            effect = "programs that SELinux confines may not use them: logins are refused, services fail"
            yield self.finding(lost[0].where, _message(lost), effect, fix=fix)
        for one in wrong:
            if one not in lost:
                message = f"{one.where.path} has the SELinux type {one.type}, and by the policy {one.wanted}"
                yield self.finding(one.where, message, "what may use it is decided by the wrong type", severity=Severity.INFO)
        for where in labels.unclear:
            yield self.unknown(where, "the policy's expression for it is not understood")


def _message(lost: Sequence[FileLabel]) -> str:
    one, *others = lost
    state = f"has the SELinux type {one.type}, not {one.wanted}" if one.type else f"has no SELinux label, and needs {one.wanted}"
    names = ", ".join(other.where.path for other in others[:3])
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    return f"{one.where.path} {state}" + (f"; likewise {names}{more}" if others else "")
