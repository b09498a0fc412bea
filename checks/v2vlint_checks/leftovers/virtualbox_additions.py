"""Rule virtualbox-additions."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, GuestTools, Mover, Refusals, Rule, Severity, Target

_CONFIG = "/var/lib/VBoxGuestAdditions/config"
_STATUS = "/var/lib/dpkg/status"
_PACKAGE = "Package: virtualbox-guest-utils\nStatus: install ok installed\nArchitecture: amd64\nVersion: 7.0.6-1\n"


class VirtualboxAdditions(Rule):
    """VirtualBox's guest additions are installed.

    ## What it does
    Finds the additions, from Oracle's installer or as packages, on targets that are not VirtualBox.

    ## Why it matters
    Their services fail, X keeps a driver for a card that no longer exists, and `vboxsf` mounts block boot. Uninstall them on the source
    (`uninstall.sh` in `/opt/VBoxGuestAdditions-*`).

    ## References
    - virt-v2v uninstalls Oracle's (`convert/convert_linux.ml`, `unconfigure_vbox`) but not distribution packages.
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example({_CONFIG: "INSTALL_DIR='/opt/VBoxGuestAdditions-7.0.6'\n"}, flags=(_CONFIG,), severity=Severity.WARNING),
        Example({_CONFIG: "INSTALL_DIR=/opt/x\n"}, mover=Mover.VIRT_V2V, flags=(_CONFIG,), severity=Severity.INFO),
        Example({_STATUS: _PACKAGE}, mover=Mover.VIRT_V2V, flags=(f"{_STATUS}:1",), severity=Severity.WARNING, title="the package stays"),
        Example({_CONFIG: "INSTALL_DIR=/opt/x\n"}, target="virtualbox", title="at home"),
    )

    def check(self, tools: GuestTools, target: Target, refusals: Refusals) -> Iterator[Finding]:
        found = tools.of("virtualbox")
        if found and "virtualbox" not in target.agents:
            removed = refusals.converts and not found[0].package
            effect = (
                "virt-v2v uninstalls them" if removed else "their services fail, and shared folders and the display driver stop working"
            )
            message = f"VirtualBox's guest additions are installed ({tools.words('virtualbox')})"
            yield self.finding(found[0].where, message, effect, severity=Severity.INFO if removed else Severity.WARNING)
