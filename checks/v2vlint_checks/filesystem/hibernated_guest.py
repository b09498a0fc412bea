"""Rule hibernated-guest."""

from collections.abc import Iterator

from v2vlint.api import BlockDevice, BlockTable, Device, Example, Finding, Rule, Severity

_SWAP = BlockDevice("disk1p2", "partition", 1 << 30, 0, 2, "swsuspend", "5a-22", details=(("hibernated", "yes"),))


class HibernatedGuest(Rule):
    """The guest is hibernated: its swap space holds a memory image of the source machine.

    ## What it does
    Looks for swap spaces with a hibernation image.

    ## Why it matters
    Resuming restores a kernel that drives the source's hardware, on other hardware: it hangs or crashes. A fresh boot instead finds
    filesystems in mid-operation. Start the guest on its source and shut it down.

    ## References
    - kernel `Documentation/power/swsusp.rst`
    - Red Hat's migration toolkit excludes hibernated machines (prerequisites)
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example({}, given=(BlockTable((_SWAP,)),), flags=("disk1p2",), severity=Severity.WARNING),
        Example({}, given=(BlockTable((BlockDevice("disk1p2", "partition", 1 << 30, 0, 2, "swap", "5a-22"),)),)),
    )

    def check(self, blocks: BlockTable) -> Iterator[Finding]:
        for device in blocks:
            if device.fs_type == "swsuspend":
                message = f"the swap space {device.name} holds a hibernation image"
                yield self.finding(
                    Device(device.name), message, "resuming on other hardware hangs or crashes; a fresh boot loses what was open"
                )
