"""Rule open-vm-tools."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, GuestTools, Rule, Severity, Target

_STATUS = "/var/lib/dpkg/status"
_INSTALLED = "Package: open-vm-tools\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2:12.2.0-1\n"


class OpenVmTools(Rule):
    """open-vm-tools are installed, though the target is not VMware.

    ## What it does
    Finds the packages `open-vm-tools*` on targets that are not VMware.

    ## Why it matters
    Nothing breaks: the service does not start elsewhere (`ConditionVirtualization=vmware`). Remove them once the move has succeeded; on
    Ubuntu, `ubuntu-server` depends on them.

    ## References
    - virt-v2v keeps them where `ubuntu-server` is installed: commit bf131cda.
    """

    severity = Severity.INFO
    since = "0.1"
    examples = (
        Example({_STATUS: _INSTALLED}, flags=(f"{_STATUS}:1",), severity=Severity.INFO),
        Example({_STATUS: _INSTALLED}, target="vmware"),
        Example(
            {_STATUS: _INSTALLED.replace("install ok installed", "deinstall ok config-files")}, title="removed, its configuration is left"
        ),
    )

    def check(self, tools: GuestTools, target: Target) -> Iterator[Finding]:
        found = tools.of("open-vm-tools")
        if found and "open-vm-tools" not in target.agents:
            message = f"VMware's guest tools are installed ({tools.words('open-vm-tools')})"
            yield self.finding(found[0].where, message, "they are of no use on the target, and harmless")
