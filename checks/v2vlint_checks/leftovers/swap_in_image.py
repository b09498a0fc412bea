"""Rule swap-in-image."""

from collections.abc import Iterator

from v2vlint.api import Audience, Example, Finding, Fstab, NotApplicable, Rule, Severity

_FSTAB = "/etc/fstab"


class SwapInImage(Rule):
    """The image has swap space of its own.

    ## What it does
    Finds swap entries in fstab. For templates.

    ## Why it matters
    Data that was swapped out while the image was built, including keys, is in every copy. Copies have other memory sizes, and clouds expect
    swap elsewhere: on a temporary disk, set up by cloud-init or the agent. There is no fix: the space has to be freed or wiped (`mkswap`
    after filling it with zeros).

    ## References
    - Azure, "Information for community supported and non-endorsed distributions": no swap on the OS disk; virt-sparsify(1) wipes swap
    """

    severity = Severity.INFO
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example({_FSTAB: "UUID=a / ext4 defaults 0 1\nUUID=b none swap sw 0 0\n"}, flags=(f"{_FSTAB}:2",)),
        Example({_FSTAB: "UUID=a / ext4 defaults 0 1\n/dev/zram0 none swap sw 0 0\n"}, title="in memory"),
    )

    def check(self, fstab: Fstab) -> Iterator[Finding]:
        found = [entry for entry in fstab.entries if entry.is_swap and not entry.device.startswith("/dev/zram")]
        if not found:
            raise NotApplicable("fstab has no swap space")
        for entry in found:
            message = f"{entry.device} is swap space in the image"
            yield self.finding(entry.where, message, "what was swapped out is in every copy, and its size fits one of them")
