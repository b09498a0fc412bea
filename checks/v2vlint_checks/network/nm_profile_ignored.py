"""Rule nm-profile-ignored."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Manager, NetworkLanding, NmKeyfiles, NotApplicable, RefusedProfile, Rule, Severity, Stage, Unknown

_NM = {"/sbin/init": "", "/usr/sbin/NetworkManager": "", "/etc/systemd/system/multi-user.target.wants/NetworkManager.service": ""}
_SERVER = {"/usr/lib/NetworkManager/conf.d/00-server.conf": "[main]\nno-auto-default=*\n"}
_PROFILE = "/etc/NetworkManager/system-connections/lan.nmconnection"
_TEXT = "[connection]\nid=lan\ntype=ethernet\n[ipv4]\nmethod=auto\n"


class NmProfileIgnored(Rule):
    """NetworkManager ignores a connection profile.

    ## What it does
    Finds profiles (keyfiles) in NetworkManager's folders that it does not load: files that others than root may read or that do not belong
    to root, files with a line that GLib does not accept (a comment that starts with `;`, a line before the first group), and profiles that
    are invalid (no type, `method=dhcp` for IPv4, `method=manual` without an address). Modes and owners say something only where the guest
    has passwords that others may not read: trees that were built or copied without modes are not judged by them.

    ## Why it matters
    NetworkManager says so in its log only. The card then gets another profile, an automatic connection by DHCP, or with
    `no-auto-default=*` none at all. It happens to profiles that were copied into an image: run `chmod 600` and `chown root`.

    ## References
    - NetworkManager `src/core/settings/plugins/keyfile/nms-keyfile-utils.c`, `nms_keyfile_utils_check_file_permissions`
    - GLib `gkeyfile.c`, `g_key_file_parse_line`
    """

    severity = Severity.WARNING
    stage = Stage.NETWORK
    since = "0.2"
    predicts = (r"File permissions \(\d+\) are insecure", r"File owner \(\d+\) is insecure")
    examples = (
        Example(
            {**_NM, **_SERVER, _PROFILE: f"; made by hand\n{_TEXT}"},
            flags=(f"{_PROFILE}:1",),
            severity=Severity.ERROR,
            title="a comment that is none",
        ),
        Example({**_NM, _PROFILE: _TEXT.replace("auto", "dhcp")}, flags=(f"{_PROFILE}:1",), title="no method of IPv4"),
        Example({**_NM, _PROFILE: _TEXT.replace("type=ethernet\n", "")}, flags=(f"{_PROFILE}:1",), title="no type"),
        Example({**_NM, _PROFILE: f"# made by hand\n{_TEXT}"}, title="a comment"),
        Example({**_NM, _PROFILE: _TEXT.replace("type=ethernet\n", "") + "[ethernet]\n"}, title="its type is that of its group"),
        Example({"/sbin/init": "", "/sbin/ifup": "", _PROFILE: "x"}, title="NetworkManager is not installed"),
    )

    def check(self, keyfiles: NmKeyfiles, landing: NetworkLanding) -> Iterator[Finding | Unknown]:
        if landing.network.managers.runs(Manager.NETWORK_MANAGER) is False:
            raise NotApplicable("NetworkManager does not run")
        for profile in landing.network.refused:
            severity, effect = _judged(profile, landing)
            yield self.finding(profile.where, f"NetworkManager ignores this profile: {profile.reason}", effect, severity=severity)
        for profile in keyfiles.exposed:
            reason = f"{profile.reason}, which NetworkManager does not accept; the modes of this tree do not seem to be a system's own"
            yield self.unknown(profile.interface.where, reason)


def _judged(profile: RefusedProfile, landing: NetworkLanding) -> tuple[Severity, str]:
    if not profile.would_connect:
        return Severity.INFO, "what it configures does not come up"
    if landing.cut_off and landing.outlook.where == profile.where:
        return Severity.ERROR, "nothing else connects the card: the guest comes up without network"
    rest = f"; {landing.fallback}" if landing.fallback else ""
    return Severity.WARNING, f"the card does not get these settings{rest}"
