"""Rule fstab-network-mount."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Example, Finding, Fix, Fstab, FstabEntry, ReplaceText, Rule, Severity, Target

_SPARED = frozenset({"nofail", "noauto", "x-systemd.automount", "bg"})


class FstabNetworkMount(Rule):
    """A network filesystem is mounted at boot without nofail.

    ## What it does
    Finds NFS, CIFS, GlusterFS, Ceph and other network filesystems in fstab without `nofail`, on targets that do not promise the source's
    network.

    ## Why it matters
    On the target the guest may not reach the server, or not at first: boot waits for the mount to time out (systemd: 90 seconds, NFS:
    minutes), and services that need the directory fail.

    ## Fix safety
    Unsafe: with `nofail` the guest comes up without the data when the server is unreachable.

    ## References
    - systemd.mount(5), "fstab"; nfs(5), `retry=`
    - AWS VM Import disables such entries (import-modify-vm).
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example(
            {"/etc/fstab": "nas:/export /srv nfs rw,hard 0 0\n"},
            flags=("/etc/fstab:1",),
            severity=Severity.WARNING,
            fixed={"/etc/fstab": "nas:/export /srv nfs rw,hard,nofail 0 0\n"},
        ),
        Example({"/etc/fstab": "//files/home /home cifs\n"}, flags=("/etc/fstab:1",), title="no options field to extend"),
        Example(
            {
                "/etc/fstab": "nas:/a /a nfs nofail 0 0\nnas:/b /b nfs4 noauto 0 0\nnas:/c /c nfs noauto,x-systemd.automount 0 0\n"
                "nas:/d /d nfs bg 0 0\nUUID=1 /iscsi ext4 _netdev 0 0\n#nas:/e /e nfs defaults 0 0\n"
            }
        ),
    )

    def check(self, fstab: Fstab, target: Target) -> Iterator[Finding]:
        if target.keeps_network:
            return
        for entry in fstab.entries:
            if entry.is_network and not _SPARED & set(entry.options) and not entry.device.startswith(("/dev/", "UUID=", "LABEL=")):
                message = f"{entry.mount_point} is mounted from {entry.device} over the network, and boot waits for it"
                effect = "if the server is unreachable from the target, boot stalls until the mount times out"
                yield self.finding(entry.spec.where, message, effect, fix=_nofail(entry))


def _nofail(entry: FstabEntry) -> Fix | None:
    if entry.options_at is None:
        return None
    options = ",".join(entry.options)
    return Fix(
        f"let boot continue without {entry.device}", Applicability.UNSAFE, (ReplaceText(entry.options_at, options, f"{options},nofail"),)
    )
