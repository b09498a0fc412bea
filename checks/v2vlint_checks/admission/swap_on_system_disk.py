"""Rule swap-on-system-disk."""

from collections.abc import Iterator

from v2vlint.api import Audience, Example, Finding, Fstab, NotApplicable, Rule, Severity, Target

_FSTAB = "/etc/fstab"
_SWAP = "UUID=a / ext4 defaults 0 1\nUUID=b none swap sw 0 0\n"


class SwapOnSystemDisk(Rule):
    """The image has swap space, and the target asks for images without.

    ## What it does
    Finds swap entries in fstab where the target's profile says `admission.swap = false`.

    ## Why it matters
    Azure charges for operations on the system disk, and endorses no image with swap on it: its agent or cloud-init creates swap on the
    temporary disk of each machine.

    ## References
    - Azure, "Information for community supported and non-endorsed distributions", "Linux image requirements"
    """

    severity = Severity.WARNING
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example({_FSTAB: _SWAP}, target="azure", flags=(f"{_FSTAB}:2",)),
        Example({_FSTAB: _SWAP}, title="KVM does not mind"),
        Example({_FSTAB: "/dev/zram0 none swap sw 0 0\n"}, target="azure", title="in memory"),
    )

    def check(self, fstab: Fstab, target: Target) -> Iterator[Finding]:
        if target.admission.swap:
            raise NotApplicable(f"{target.name} takes images with swap space")
        for entry in fstab.entries:
            if entry.is_swap and not entry.device.startswith("/dev/zram"):
                effect = f"{target.title} wants it on the temporary disk, made by the agent or cloud-init"
                yield self.finding(entry.where, f"{entry.device} is swap space on the system disk", effect)
