"""Rule ifcfg-not-read."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Manager, Network, NotApplicable, Rule, Severity

_FILE = "/etc/sysconfig/network-scripts/ifcfg-eth0"
_TEXT = "DEVICE=eth0\nBOOTPROTO=dhcp\nONBOOT=yes\n"
_NM = {"/sbin/init": "", "/usr/sbin/NetworkManager": "", "/etc/systemd/system/multi-user.target.wants/NetworkManager.service": ""}


class IfcfgNotRead(Rule):
    """An interface file exists that no program in this guest reads.

    ## What it does
    Finds ifcfg files where neither Red Hat's network scripts nor NetworkManager's ifcfg-rh plugin is installed.

    ## Why it matters
    The file's settings (an address, a name) are not what the guest uses. Editing it before or after the move changes nothing.

    ## References
    - NetworkManager's ifcfg-rh plugin has been a separate package since Fedora 36, and later releases omit it
    """

    severity = Severity.INFO
    since = "0.1"
    examples = (
        Example({**_NM, _FILE: _TEXT}, flags=(f"{_FILE}:1",)),
        Example({**_NM, _FILE: _TEXT, "/usr/lib64/NetworkManager/1.40.0/libnm-settings-plugin-ifcfg-rh.so": ""}),
        Example({_FILE: _TEXT}, title="nothing is known of the programs"),
    )

    def check(self, network: Network) -> Iterator[Finding]:
        if network.managers.runs(Manager.NETWORK_SCRIPTS) is not False:
            raise NotApplicable("Red Hat's network scripts may run")
        for interface in network.unread:
            if interface.manager is Manager.NETWORK_SCRIPTS and interface.kind != "loopback":
                message = f"no program of this guest reads the configuration of {interface.label}"
                yield self.finding(interface.where, message, "it applies neither on the source nor on the target")
