"""Rule windows-domain."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Hive, Rule, Severity, WindowsIdentity

_SYSTEM = "/Windows/System32/config/SYSTEM"
_TCPIP = "ControlSet001\\Services\\Tcpip\\Parameters"
_PRODUCT = "ControlSet001\\Control\\ProductOptions"
_MEMBER = f"""
[ControlSet001\\Services\\Netlogon]
"Type"=dword:20
"Start"=dword:2
[ControlSet001\\Services\\Netlogon\\Parameters]
[{_TCPIP}]
"Domain"="example.com"
"""


class WindowsDomain(Rule):
    """Windows belongs to an Active Directory domain.

    ## What it does
    Reports the domain of a member, and whether the machine is a domain controller. The disk does not show whether the trust is intact.

    ## Why it matters
    A member changes its account password every 30 days: a copy that is older than the running machine, or runs beside it, loses the
    domain's trust. It needs the domain's DNS and a correct clock. A domain controller that is copied while it runs goes back in
    time, which the others do not notice if the hypervisor provides no VM-GenerationID.

    ## References
    - Microsoft, "Machine Account Password Process"; "Safe virtualization of Active Directory Domain Services (USN rollback)"
    """

    severity = Severity.INFO
    since = "0.2"
    kinds = frozenset({"windows"})
    examples = (
        Example({_SYSTEM: Hive(_MEMBER)}, flags=(f"{_SYSTEM}:{_TCPIP}:Domain",), severity=Severity.INFO),
        Example(
            {_SYSTEM: Hive(f'[{_PRODUCT}]\n"ProductType"="LanmanNT"\n')},
            flags=(f"{_SYSTEM}:{_PRODUCT}:ProductType",),
            title="a domain controller",
        ),
        Example({_SYSTEM: Hive(f'[{_TCPIP}]\n"Domain"="example.com"\n')}, title="a DNS suffix only"),
    )

    def check(self, identity: WindowsIdentity) -> Iterator[Finding]:
        if identity.controller is not None:
            effect = "move it once, while shut down, and never start the old one again: a second or older copy damages the directory"
            yield self.finding(identity.controller, "Windows is a domain controller", effect)
        elif identity.domain is not None:
            effect = "it must reach the domain from the new network; an older copy or a second running one loses the domain's trust"
            yield self.finding(identity.domain.where, f"Windows is a member of the domain {identity.domain.text}", effect)
