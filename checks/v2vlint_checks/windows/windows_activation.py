"""Rule windows-activation."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Hive, Rule, Severity, Target, WindowsIdentity

_SYSTEM = {"/Windows/System32/config/SYSTEM": Hive("[ControlSet001\\Control]\n")}
_SOFTWARE = "/Windows/System32/config/SOFTWARE"
_VERSION = "Microsoft\\Windows NT\\CurrentVersion"
_PROTECTION = f"{_VERSION}\\SoftwareProtectionPlatform"


class WindowsActivation(Rule):
    """Windows may have to be activated again.

    ## What it does
    Reports how Windows is activated where the registry says so: by a KMS host, by a computer vendor's key (OEM), or automatically by a
    Hyper-V host (AVMA). It does not judge the licence.

    ## Why it matters
    Other hardware counts as another computer. A KMS host must be reachable from the new network; an OEM licence is tied to the computer it
    came with; automatic activation needs Hyper-V on Windows Server Datacenter.

    ## References
    - Microsoft, "Automatic Virtual Machine Activation", "Key Management Services (KMS) client activation and product keys"
    """

    severity = Severity.INFO
    since = "0.2"
    kinds = frozenset({"windows"})
    examples = (
        Example(
            {**_SYSTEM, _SOFTWARE: Hive(f'[{_PROTECTION}]\n"KeyManagementServiceName"="kms.example.com"\n')},
            flags=(f"{_SOFTWARE}:{_PROTECTION}:KeyManagementServiceName",),
            severity=Severity.INFO,
        ),
        Example(
            {**_SYSTEM, _SOFTWARE: Hive(f'[{_VERSION}]\n"ProductId"="00330-80000-00000-AAOEM"\n[{_PROTECTION}]\n')},
            flags=(f"{_SOFTWARE}:{_VERSION}:ProductId",),
            title="the number of an OEM licence since Windows 8",
        ),
        Example(
            {**_SYSTEM, _SOFTWARE: Hive(f'[{_VERSION}]\n"ProductId"="00359-OEM-8992687-00006"\n')},
            flags=(f"{_SOFTWARE}:{_VERSION}:ProductId",),
            title="an OEM licence",
        ),
        Example(
            {**_SYSTEM, _SOFTWARE: Hive(f'[{_PROTECTION}]\n"BackupProductKeyDefault"="W3GNR-XXXXX-XXXXX-XXXXX-XXXXX"\n')},
            flags=(f"{_SOFTWARE}:{_PROTECTION}:BackupProductKeyDefault",),
            title="activated by its host",
        ),
        Example(
            {**_SYSTEM, _SOFTWARE: Hive(f'[{_PROTECTION}]\n"BackupProductKeyDefault"="W3GNR-XXXXX-XXXXX-XXXXX-XXXXX"\n')},
            target="hyperv-gen2",
        ),
    )

    def check(self, identity: WindowsIdentity, target: Target) -> Iterator[Finding]:
        for one in identity.activation:
            if one.kind == "KMS":
                yield self.finding(
                    one.where, f"Windows is activated by the KMS host {one.server}", "it must be reachable from the new network"
                )
            elif one.kind == "OEM":
                yield self.finding(
                    one.where, "Windows has an OEM licence", "it is tied to the computer it came with, so Windows asks for a key"
                )
            elif "hyperv" not in target.agents:
                message = "Windows is activated by its Hyper-V host (AVMA)"
                yield self.finding(one.where, message, "the target has no such host: Windows asks for a key")
