"""Rule ifupdown-file-refused."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Link, Manager, ManagerRefusal, NetworkLanding, NotApplicable, Rule, Severity, Stage, Unknown

_PATH, _SOURCED = "/etc/network/interfaces", "/etc/network/interfaces.d/lan"
_UNKNOWN = {"/sbin/init": "", "/sbin/ifup": "", "/etc/rcS.d/S10networking": ""}
_DEBIAN = {**_UNKNOWN, "/var/lib/dpkg/info/ifupdown.list": ""}
_CARD = "auto /e*=lan\niface lan inet dhcp\n"


class IfupdownFileRefused(Rule):
    """ifupdown refuses /etc/network/interfaces as a whole because of one line.

    ## What it does
    Finds lines for which Debian's ifupdown gives up reading a file: an unknown keyword or an option outside of any stanza, an option
    without a value, an `iface` line without a family and a method that ifupdown knows, `inherits` without a stanza of that name above it,
    two scripts in a mapping. An option that is merely unknown is accepted, as is a second stanza for one name.

    ## Why it matters
    `ifup -a` then ends with "couldn't read interfaces file", and no interface comes up, not even those that are configured correctly. Of a
    file that `source` names, only what comes before the line counts, and reading goes on behind `source`. Files that were written for
    ifupdown2 or ifupdown-ng (`template`, `iface` without a family) fail like this; ifupdown-ng passes over lines that it does not know.

    ## References
    - ifupdown `config.c`, `read_interfaces_defn`; `main.c`, "couldn't read interfaces file"
    - interfaces(5)
    """

    severity = Severity.WARNING
    stage = Stage.NETWORK
    since = "0.2"
    predicts = (r"couldn't read interfaces file", r"/etc/network/\S+:\d+: (?:misplaced option|unknown or no|option with empty value)")
    examples = (
        Example({**_DEBIAN, _PATH: f"{_CARD}iface eth1 inet dhcp4\n"}, flags=(f"{_PATH}:3",), severity=Severity.ERROR, title="no method"),
        Example(
            {**_DEBIAN, _PATH: f"template base\n  mtu 1400\n{_CARD}"},
            flags=(f"{_PATH}:1",),
            severity=Severity.ERROR,
            title="a keyword of ifupdown2",
        ),
        Example(
            {**_DEBIAN, _PATH: f"{_CARD}  hostname\n"}, flags=(f"{_PATH}:3",), severity=Severity.ERROR, title="an option without a value"
        ),
        Example(
            {**_DEBIAN, _PATH: f"{_CARD}source interfaces.d/*\n", _SOURCED: "iface eth1\niface eth2 inet dhcp\n"},
            flags=(f"{_SOURCED}:1",),
            severity=Severity.WARNING,
            title="a sourced file",
        ),
        Example({**_DEBIAN, _PATH: f"{_CARD}  any-option x\niface lan inet dhcp\niface lan inet6 auto\n"}, title="what ifupdown accepts"),
        Example({**_UNKNOWN, _PATH: f"{_CARD}iface eth1 inet dhcp4\n"}, unknown=True, title="which ifupdown it is cannot be told"),
        Example({**_DEBIAN, "/sbin/ifup": Link("ifupdown"), _PATH: f"template base\n{_CARD}"}, title="ifupdown-ng"),
    )

    def check(self, landing: NetworkLanding) -> Iterator[Finding | Unknown]:
        refused = [one for one in landing.network.broken if one.manager is Manager.IFUPDOWN]
        if not refused:
            raise NotApplicable("ifupdown does not run, or reads its files")
        for one in refused:
            if one.certain:
                yield self._judged(one, landing)
            else:
                yield self.unknown(one.where, f"Debian's ifupdown refuses this line ({one.reason}); whether the guest's does is not known")

    def _judged(self, one: ManagerRefusal, landing: NetworkLanding) -> Finding:
        lost = landing.cut_off and landing.outlook.where == one.where
        what = "the whole configuration" if one.whole else "the rest of this file"
        effect = "no interface that ifupdown should configure comes up" if one.whole else "the interfaces that follow do not come up"
        message = f"ifupdown refuses {what} at this line: {one.reason}"
        severity = Severity.ERROR if lost else Severity.WARNING
        return self.finding(one.where, message, "the guest comes up without network" if lost else effect, severity=severity)
