"""Rule windows-san-policy."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BlockDevice,
    BlockTable,
    Example,
    Finding,
    Fix,
    Hive,
    NotApplicable,
    OsInfo,
    Rule,
    Severity,
    WindowsSystem,
    dword,
    set_value,
)

_SYSTEM = "/Windows/System32/config/SYSTEM"
_KEY = "ControlSet001\\Services\\partmgr\\Parameters"
_DISKS = BlockTable((BlockDevice("disk1", "disk", 1 << 35, 0), BlockDevice("disk2", "disk", 1 << 36, 1)))
_SERVER = OsInfo("windows", "windows", "windows", "Windows Server 2022 Standard", "10.0.20348", "x86_64")
_ONLINE_ALL = 1
_ONLINE = {_SYSTEM: Hive(f'[{_KEY}]\n"SanPolicy"=dword:1\n')}
_NAMES = {0: "unknown", 1: "OnlineAll", 2: "OfflineShared", 3: "OfflineAll", 4: "OfflineInternal"}


class WindowsSanPolicy(Rule):
    """Windows takes additional disks offline when they appear on another bus.

    ## What it does
    For guests with several disks, reads `SanPolicy`. If it is absent, editions of Windows Server take disks on shared buses offline.

    ## Why it matters
    D: and E: are missing after the move, and with them page files, databases, a domain controller's directory. virt-v2v brings them
    online with a script at first boot.

    ## Fix safety
    Safe if the edition's default applies: it is meant for disks shared between machines, and a copied disk is not shared. Unsafe if
    the policy was set by hand.

    ## References
    - virt-v2v commit cb56f6f9 (RHEL-55837, MTV-1299)
    - diskpart, "san policy=OnlineAll"
    """

    severity = Severity.WARNING
    since = "0.1"
    kinds = frozenset({"windows"})
    examples = (
        Example(
            {_SYSTEM: Hive(f'[{_KEY}]\n"SanPolicy"=dword:3\n')},
            given=(_DISKS,),
            flags=(f"{_SYSTEM}:{_KEY}:SanPolicy",),
            fixed={_SYSTEM: Hive(f'[{_KEY}]\n"SanPolicy"=dword:1\n')},
        ),
        Example(
            {_SYSTEM: Hive("[ControlSet001]\n")},
            given=(_DISKS, _SERVER),
            flags=(f"{_SYSTEM}:{_KEY}:SanPolicy",),
            fixed={_SYSTEM: Hive(f'[{_KEY}]\n"SanPolicy"=dword:1\n')},
        ),
        Example({_SYSTEM: Hive(f'[{_KEY}]\n"SanPolicy"=dword:1\n')}, given=(_DISKS, _SERVER)),
        Example({_SYSTEM: Hive("[ControlSet001]\n")}, given=(_DISKS,), title="Windows 10 keeps its disks online"),
        Example({_SYSTEM: Hive(f'[{_KEY}]\n"SanPolicy"=dword:3\n')}, title="one disk"),
    )

    def check(self, system: WindowsSystem, blocks: BlockTable) -> Iterator[Finding]:
        if len(blocks.disks) < 2:
            raise NotApplicable("there is one disk")
        policy = system.san_policy
        if policy == _ONLINE_ALL or (policy is None and not system.server):
            return
        words = "is not set, so Windows Server's default applies" if policy is None else f"is {_NAMES.get(policy, str(policy))}"
        effect = "disks other than the system's may come up offline and read-only; set OnlineAll, or bring them online by hand"
        how = Applicability.SAFE if policy is None else Applicability.UNSAFE  # one that is set was chosen
        fix = Fix("bring all disks online (SanPolicy 1)", how, (set_value(system.san_where, dword(_ONLINE_ALL), system.san_value),))
        yield self.finding(system.san_where, f"the SAN policy {words}", effect, fix=fix)
