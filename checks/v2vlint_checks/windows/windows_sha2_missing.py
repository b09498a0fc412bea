"""Rule windows-sha2-missing."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Hive, NotApplicable, OsInfo, Rule, Severity, Target, WindowsSystem

_SYSTEM = {"/Windows/System32/config/SYSTEM": Hive("[ControlSet001\\Control]\n")}
_SOFTWARE = "/Windows/System32/config/SOFTWARE"
_PACKAGES = "Microsoft\\Windows\\CurrentVersion\\Component Based Servicing\\Packages"
_SEVEN = OsInfo("windows", "windows", "windows", "Windows 7 Professional", "6.1.7601", "x86_64")
_SIGNED = frozenset({"virtio_blk", "virtio_scsi", "virtio_net", "xen_blkfront", "xen_netfront", "nvme", "ena", "gve"})
"""Modules whose Windows drivers are signed with SHA-2 only."""


class WindowsSha2Missing(Rule):
    """Windows 7 or Server 2008 R2 lacks the update for SHA-2 signatures.

    ## What it does
    Looks for KB3033929, KB4474419 or KB4490628 among the installed packages.

    ## Why it matters
    Current virtio and cloud drivers are signed with SHA-2 only. Without the update Windows refuses to load them: the driver is installed
    but does not start.

    ## References
    - virt-v2v(1), "Windows 7 and 2008 R2: SHA-2"; Google's import check requires KB4474419.
    """

    severity = Severity.WARNING
    since = "0.1"
    kinds = frozenset({"windows"})
    predicts = (r"0x0*c0000428",)
    examples = (
        Example({**_SYSTEM, _SOFTWARE: Hive(f"[{_PACKAGES}]\n")}, given=(_SEVEN,), flags=(f"{_SOFTWARE}:{_PACKAGES}",)),
        Example({**_SYSTEM, _SOFTWARE: Hive(f"[{_PACKAGES}\\Package_for_KB4474419~31bf3856ad364e35~amd64~~6.1.3.2]\n")}, given=(_SEVEN,)),
        Example(dict(_SYSTEM), title="Windows 10"),
        Example({**_SYSTEM, _SOFTWARE: Hive(f"[{_PACKAGES}]\n")}, given=(_SEVEN,), target="vmware", title="VMware's drivers are its own"),
    )

    def check(self, system: WindowsSystem, target: Target) -> Iterator[Finding]:
        if system.sha2 is None:
            raise NotApplicable("not Windows 7 or Server 2008 R2")
        first = [(one.name, one.any_of[0][0]) for one in target.controllers] + [(one.name, one.any_of[0][0]) for one in target.nics]
        parts = [name for name, module in first if module in _SIGNED]
        if parts and not system.sha2:
            what = f"current drivers for {parts[0]}"
            effect = f"{what} do not start; install KB4474419 before the move, or use older drivers"
            yield self.finding(system.packages_where, "no update for SHA-2 signatures is installed", effect)
