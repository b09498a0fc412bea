"""Rule windows-class-filter."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    ClassFilter,
    ClassFilters,
    Example,
    Finding,
    Fix,
    Hive,
    Rule,
    Severity,
    Stage,
    Target,
    WindowsRootVerdict,
    sample_driver,
)

_SYSTEM = "/Windows/System32/config/SYSTEM"
_DISKS = "ControlSet001\\Control\\Class\\{4d36e967-e325-11ce-bfc1-08002be10318}"
_NET = "ControlSet001\\Control\\Class\\{4d36e972-e325-11ce-bfc1-08002be10318}"
_INFRARED = "ControlSet001\\Control\\Class\\{6bdd1fc5-810f-11d0-bec7-08002be2092f}"
_PARTMGR = '[ControlSet001\\Services\\partmgr]\n"Type"=dword:1\n"Start"=dword:0\n"ImagePath"="System32\\\\drivers\\\\partmgr.sys"\n'
_FILE = {"/Windows/System32/drivers/partmgr.sys": sample_driver()}


class WindowsClassFilter(Rule):
    """A class of devices has a filter driver that cannot start, or that belongs to another hypervisor.

    ## What it does
    Looks up every service in `UpperFilters` and `LowerFilters` of the device classes used by virtual machines: whether it exists, is
    enabled, and has its file. It also reports filters of hypervisor tools. Other classes do not count: Windows 10 itself names a filter for
    infrared ports that it no longer has.

    ## Why it matters
    A device does not start if its filter does not. On the classes for disks, controllers and volumes that ends the boot (0x7B): an error
    if the filter cannot start, a warning if it starts late. In other classes the device is missing (code 19, 31 or 39), which shows when it
    is installed again, as on other hardware.

    ## Fix safety
    Safe if the filter cannot start anyway. Unsafe if it works: its function is lost.

    ## References
    - Microsoft, "Code 39" and "Advanced troubleshooting for Stop error 7B"
    - virt-v2v `convert/convert_windows.ml` removes one that is known to do this (`prl_strg`, which has a rule of its own here).
    """

    severity = Severity.WARNING
    stage = Stage.ROOT
    since = "0.1"
    kinds = frozenset({"windows"})
    examples = (
        Example(
            {_SYSTEM: Hive(f'[{_DISKS}]\n"UpperFilters"=multi:"partmgr","gone"\n{_PARTMGR}'), **_FILE},
            flags=(f"{_SYSTEM}:{_DISKS}:UpperFilters",),
            severity=Severity.ERROR,
            fixed={_SYSTEM: Hive(f'[{_DISKS}]\n"UpperFilters"=multi:"partmgr"\n{_PARTMGR}')},
        ),
        Example(
            {_SYSTEM: Hive(f'[{_NET}]\n"UpperFilters"=multi:"xenfilt"\n{_PARTMGR.replace("partmgr]", "xenfilt]")}'), **_FILE},
            flags=(f"{_SYSTEM}:{_NET}:UpperFilters",),
            title="a filter of Xen's drivers",
        ),
        Example({_SYSTEM: Hive(f'[{_DISKS}]\n"UpperFilters"=multi:"partmgr"\n{_PARTMGR}'), **_FILE}),
        Example(
            {_SYSTEM: Hive(f'[{_INFRARED}]\n"UpperFilters"=multi:"IRENUM"\n{_PARTMGR}'), **_FILE},
            title="Windows 10 from 1703 on, as it is installed",
        ),
        Example(
            {_SYSTEM: Hive(f'[{_NET}]\n"UpperFilters"=multi:"xenfilt"\n{_PARTMGR.replace("partmgr]", "xenfilt]")}'), **_FILE},
            target="xen",
            title="at home on Xen",
        ),
    )

    def check(self, filters: ClassFilters, root: WindowsRootVerdict, target: Target) -> Iterator[Finding]:
        fatal = {cause.about: cause for cause in root.class_filters}
        for one in filters.filters:
            foreign = bool(one.family) and one.family not in target.agents
            cause = fatal.get(one)
            # prl_strg has a rule of its own, windows-parallels-tools.
            if one.name.lower() == "prl_strg" or not (foreign or cause or (one.problem and one.matters)):
                continue
            what = f"the class filter {one.name} for {f'all {one.kind}' if one.matters else f'class {one.kind}'}"
            message = cause.reason if cause else f"{what} {one.problem or 'belongs to another hypervisor'}"
            yield self.finding(one.where, message, _effect(one), severity=cause.severity if cause else None, fix=_fix(one))


def _effect(one: ClassFilter) -> str:
    if not one.for_disks:
        return "when devices are installed again, devices of this class may not start"
    stops = "Windows does not reach its disk and stops with 0x7B"
    return stops if one.problem else f"when devices are installed again, {stops.replace('does not reach', 'may not reach')}"


def _fix(one: ClassFilter) -> Fix | None:
    how = Applicability.SAFE if one.problem else Applicability.UNSAFE
    return None if one.is_microsoft else Fix(f"remove the filter {one.name} from the list", how, (one.without,))
