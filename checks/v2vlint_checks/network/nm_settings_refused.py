"""Rule nm-settings-refused."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Manager, NetworkLanding, NotApplicable, Rule, Severity, Stage

_NM = {"/sbin/init": "", "/usr/sbin/NetworkManager": "", "/etc/systemd/system/multi-user.target.wants/NetworkManager.service": ""}
_CONF = "/etc/NetworkManager/conf.d/90-local.conf"
_NETWORKD = {
    "/usr/lib/systemd/systemd-networkd": "",
    "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service": "",
    "/etc/systemd/network/lan.network": "[Match]\nName=en*\n[Network]\nDHCP=yes\n",
}


class NmSettingsRefused(Rule):
    """NetworkManager does not start, because it cannot read its settings.

    ## What it does
    Finds lines in NetworkManager.conf and its drop-ins that are neither a group, a key with a value, nor a comment that starts with `#`.

    ## Why it matters
    NetworkManager ends with "Failed to read configuration", and no card that it should configure comes up. Such files are copied into an
    image before its first boot; a comment that starts with `;` is enough.

    ## References
    - NetworkManager `src/core/nm-config.c`, `read_entire_config`; GLib `gkeyfile.c`, `g_key_file_parse_line`
    """

    severity = Severity.WARNING
    stage = Stage.NETWORK
    since = "0.2"
    predicts = (r"Failed to read configuration: /\S+\.conf",)
    examples = (
        Example(
            {**_NM, _CONF: "; local settings\n[main]\ndns=none\n"},
            flags=(f"{_CONF}:1",),
            severity=Severity.ERROR,
            title="a comment that is none",
        ),
        Example(
            {**_NM, **_NETWORKD, _CONF: "dns=none\n"}, flags=(f"{_CONF}:1",), severity=Severity.WARNING, title="another manager runs, too"
        ),
        Example({**_NM, _CONF: "# local settings\n[main]\n  dns=none\n"}),
        Example({"/sbin/init": "", "/sbin/ifup": "", _CONF: "x"}, title="NetworkManager is not installed"),
    )

    def check(self, landing: NetworkLanding) -> Iterator[Finding]:
        broken = next((one.where for one in landing.network.broken if one.manager is Manager.NETWORK_MANAGER), None)
        if broken is None:
            raise NotApplicable("NetworkManager does not run, or reads its settings")
        lost = landing.cut_off and landing.outlook.where == broken
        effect = "the guest comes up without network" if lost else "cards that it should configure do not come up"
        severity = Severity.ERROR if lost else Severity.WARNING
        yield self.finding(broken, "NetworkManager does not start: this line of its settings is invalid", effect, severity=severity)
