"""Rule nm-no-auto-default."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Manager, NetworkLanding, NmConf, NotApplicable, Rule, Severity, Survival

_PATH = "/usr/lib/NetworkManager/conf.d/00-server.conf"
_TEXT = "[main]\nno-auto-default=*\nignore-carrier=*\n"
_NM = {"/sbin/init": "", "/usr/sbin/NetworkManager": "", "/etc/systemd/system/multi-user.target.wants/NetworkManager.service": ""}
_PROFILE = "/etc/NetworkManager/system-connections/lan.nmconnection"


class NmNoAutoDefault(Rule):
    """NetworkManager leaves network cards without a profile alone.

    ## What it does
    Finds `no-auto-default=*` (the package NetworkManager-config-server) where the profiles may not fit the cards of the target.

    ## Why it matters
    By default NetworkManager requests an address on any card without a profile, which makes a moved guest reachable. With this setting it
    does not.

    ## References
    - NetworkManager.conf(5); GCE's import removes NetworkManager-config-server
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example({**_NM, _PATH: _TEXT, _PROFILE: "[connection]\ntype=ethernet\ninterface-name=ens192\n"}, flags=(f"{_PATH}:2",)),
        Example({**_NM, _PATH: _TEXT, _PROFILE: "[connection]\ntype=ethernet\n"}, title="a profile for any card"),
        Example({**_NM, "/etc/NetworkManager/conf.d/00-server.conf": "", _PATH: _TEXT}, title="masked by an empty file in /etc"),
        Example({_PATH: _TEXT, "/sbin/init": "", "/sbin/ifup": ""}, title="NetworkManager is not installed"),
    )

    def check(self, conf: NmConf, landing: NetworkLanding) -> Iterator[Finding]:
        setting = conf.no_auto_default
        if not landing.network.managers.runs(Manager.NETWORK_MANAGER) or setting is None or "*" not in setting.value:
            raise NotApplicable("NetworkManager does not run, or connects new cards automatically")
        if landing.usual is Survival.KEPT:
            return
        effect = "a card with another name or address there gets no connection automatically"
        yield self.finding(setting.where, "NetworkManager connects no card that has no profile", effect)
