"""Rule link-file-mac."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    Delete,
    Example,
    Finding,
    Fix,
    LinkFile,
    MatchKey,
    NetworkLanding,
    NotApplicable,
    Rule,
    Severity,
    Stage,
    Survival,
    SystemdLinks,
    Target,
)

_LINK = "/etc/systemd/network/10-lan.link"
_TEXT = "[Match]\nMACAddress=00:50:56:9a:bc:01\n\n[Link]\nName=lan0\n"


class LinkFileMac(Rule):
    """A systemd .link file names a network card by a MAC address that does not travel.

    ## What it does
    Finds `.link` files that name a card by its MAC address, on targets that assign new addresses.

    ## Why it matters
    The file matches nothing there, the card gets its default name, and configuration for the assigned name does not apply.

    ## Fix safety
    Unsafe: if the guest moves back, or its address is set by hand after all, the file is what creates the name.

    ## References
    - systemd.link(5)
    """

    severity = Severity.WARNING
    stage = Stage.NETWORK
    since = "0.1"
    examples = (
        Example({_LINK: _TEXT}, target="azure", flags=(f"{_LINK}:2",), severity=Severity.WARNING, fixed={_LINK: None}),
        Example({_LINK: _TEXT}, title="the target keeps the MAC address"),
        Example({_LINK: "[Match]\nMACAddress=00:50:56:9a:bc:01\n[Link]\nMTUBytes=9000\n"}, target="azure"),
        Example({f"{_LINK}.bak": _TEXT, "/usr/lib/systemd/network/99-default.link": "[Match]\nOriginalName=*\n"}, target="azure"),
    )

    def check(self, links: SystemdLinks, landing: NetworkLanding, target: Target) -> Iterator[Finding]:
        if target.carries_mac:
            raise NotApplicable(f"{target.name} keeps MAC addresses")
        for link in links.links:
            asked = tuple(condition for condition in link.conditions if condition.key is MatchKey.MAC)
            if not link.macs or link.name is None or landing.fit(asked) is not Survival.LOST:
                continue
            users = [card.label for card in landing.network.cards if link.name.value in (token.value for token in card.names)]
            message = f"the name {link.name} goes to the card with the MAC address {', '.join(map(str, link.macs[:3]))}"
            effect = "no card there has that address" + (f", so {users[0]} stays without its configuration" if users else "")
            severity = Severity.ERROR if landing.cut_off and users else Severity.WARNING
            yield self.finding(link.macs[0].where, message, effect, severity=severity, fix=_forget(link))


def _forget(link: LinkFile) -> Fix | None:
    # A package's file would return with the next update.
    if not link.path.startswith("/etc/"):
        return None
    return Fix(f"delete {link.path}", Applicability.UNSAFE, (Delete(link.path),))
