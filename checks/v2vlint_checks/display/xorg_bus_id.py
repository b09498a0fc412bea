"""Rule xorg-bus-id."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Example, Finding, Fix, NotApplicable, Rule, Severity, Target, Xorg

_CONF = "/etc/X11/xorg.conf"
_X = {"/usr/bin/Xorg": ""}
_DEVICE = 'Section "Device"\n\tIdentifier "Card0"\n\tDriver "modesetting"\n\tBusID "PCI:0:15:0"\nEndSection\n'


class XorgBusId(Rule):
    """The X configuration pins the graphics card to a bus address.

    ## What it does
    Finds `BusID` lines in active `Section "Device"` entries of xorg.conf, XF86Config and xorg.conf.d.

    ## Why it matters
    On another virtual board the card sits elsewhere. The X server looks only at the given address, finds nothing there and gives up.

    ## Fix safety
    Safe: without the line the X server takes the primary card, and a virtual machine has one.

    ## References
    - xorg.conf(5); puppylinux-woof-CE/woof-CE#1841; virt-v2v leaves the line alone
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example(
            {**_X, _CONF: _DEVICE},
            flags=(f"{_CONF}:4",),
            fixed={_CONF: 'Section "Device"\n\tIdentifier "Card0"\n\tDriver "modesetting"\nEndSection\n'},
        ),
        Example({**_X, _CONF: _DEVICE.replace("\tBusID", "\t# BusID")}),
        Example({"/sbin/init": "", _CONF: _DEVICE}, title="no X server is installed"),
    )

    def check(self, xorg: Xorg, target: Target) -> Iterator[Finding]:
        if xorg.installed is False or target.keeps_pci:
            raise NotApplicable("no X server is installed, or the card stays where it is")
        for device in xorg.devices:
            if device.bus_id is not None:
                message = f"the X server looks for its card at {device.bus_id}"
                effect = f"the card is elsewhere on {target.name}: the X server finds no screen; the guest itself runs"
                fix = Fix("let the X server find its card", Applicability.SAFE, device.unpin) if device.unpin else None
                yield self.finding(device.bus_id.where, message, effect, fix=fix)
