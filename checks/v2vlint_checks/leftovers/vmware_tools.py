"""Rule vmware-tools."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, GuestTools, Mover, Refusals, Rule, Severity, Target

_LOCATIONS = "/etc/vmware-tools/locations"
_STATUS = "/var/lib/dpkg/status"


class VmwareTools(Rule):
    """VMware's own tools are installed.

    ## What it does
    Finds the tools installed by VMware's installer (a tarball, or the packages `vmware-tools-*` and `VMwareTools`), on targets that are
    not VMware. Another rule covers the distribution's `open-vm-tools`.

    ## Why it matters
    The installer replaced kernel modules, X drivers and their configuration, and keeps copies that a later removal restores over whatever
    was configured since. Uninstall them on the source: `vmware-uninstall-tools.pl`.

    ## References
    - virt-v2v runs the uninstaller: `convert/convert_linux.ml`, `unconfigure_vmware`.
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example({_LOCATIONS: "answer BINDIR /usr/bin\n"}, flags=(_LOCATIONS,), severity=Severity.WARNING),
        Example({_LOCATIONS: "answer BINDIR /usr/bin\n"}, mover=Mover.VIRT_V2V, flags=(_LOCATIONS,), severity=Severity.INFO),
        Example({_LOCATIONS: "answer BINDIR /usr/bin\n"}, target="vmware", title="at home"),
        Example({_STATUS: "Package: open-vm-tools\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2:12.2.0-1\n"}),
    )

    def check(self, tools: GuestTools, target: Target, refusals: Refusals) -> Iterator[Finding]:
        found = tools.of("vmware-tools")
        if found and "vmware-tools" not in target.agents:
            removed = refusals.converts
            effect = (
                "virt-v2v uninstalls them" if removed else "their services fail, and removing them later restores old X and module settings"
            )
            message = f"VMware's own tools are installed ({tools.words('vmware-tools')})"
            yield self.finding(found[0].where, message, effect, severity=Severity.INFO if removed else Severity.WARNING)
