"""Rule bls-machine-id-mismatch."""

import re
from collections.abc import Iterator

from v2vlint.api import BlsEntries, Bootloader, Example, Finding, NotApplicable, Rule, Severity, WholeFile

_NAME = re.compile(r"([0-9a-f]{32})-.+")
_OLD, _NEW = "6a" * 16, "b0" * 16
_ENTRY = "title R\nversion 5.14.0\nlinux /vmlinuz-5.14.0\ninitrd /i.img\noptions root=UUID=1\n"
_GRUB: dict[str, str] = {"/boot/grub2/grub.cfg": "blscfg\n"}


class BlsMachineIdMismatch(Rule):
    """The boot entries belong to another machine ID than the guest's.

    ## What it does
    Compares the machine ID at the start of BLS entry names with `/etc/machine-id`. Guests without a machine ID (templates) and rescue
    entries are skipped.

    ## Why it matters
    The entries still boot. New kernels get entries under the present machine ID, which may sort below the old ones, and tools neither
    update nor remove the old ones: the guest keeps booting an old kernel.

    ## References
    - stackhpc/stackhpc-kayobe-config pull request 878; openstack-k8s-operators/osp-director-operator pull request 733
    - kernel-install(8)
    """

    severity = Severity.INFO
    since = "0.1"
    examples = (
        Example(
            {**_GRUB, "/etc/machine-id": f"{_NEW}\n", f"/boot/loader/entries/{_OLD}-5.14.0.conf": _ENTRY},
            flags=(f"/boot/loader/entries/{_OLD}-5.14.0.conf",),
            severity=Severity.INFO,
        ),
        Example({**_GRUB, "/etc/machine-id": f"{_OLD}\n", f"/boot/loader/entries/{_OLD}-5.14.0.conf": _ENTRY}),
        Example({**_GRUB, "/etc/machine-id": "uninitialized\n", f"/boot/loader/entries/{_OLD}-5.14.0.conf": _ENTRY}),
        Example({**_GRUB, "/etc/machine-id": f"{_NEW}\n", f"/boot/loader/entries/{_OLD}-0-rescue.conf": _ENTRY}),
    )

    def check(self, entries: BlsEntries, bootloader: Bootloader) -> Iterator[Finding]:
        if not entries.machine_id:
            raise NotApplicable("the guest has no machine ID yet")
        live = {entry.source for entry in bootloader.all_entries}
        others = [entry for entry in entries.entries if entry.where.path in live and _owner(entry.id) not in ("", entries.machine_id)]
        if others:
            count = f"{len(others)} boot entries belong" if len(others) > 1 else "a boot entry belongs"
            message = f"{count} to machine {_owner(others[0].id)}, but this is {entries.machine_id}"
            effect = "new kernels may sort below the old entries, and the guest keeps booting the old one"
            yield self.finding(others[0].where, message, effect, related=(WholeFile("/etc/machine-id"),))


def _owner(name: str) -> str:
    match = _NAME.fullmatch(name)
    # The rescue entry is made once, at installation, and never replaced.
    return match[1] if match and "-0-rescue" not in name else ""
