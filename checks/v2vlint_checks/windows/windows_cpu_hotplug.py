"""Rule windows-cpu-hotplug."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    Definition,
    Example,
    Finding,
    Fix,
    Hive,
    NotApplicable,
    Rule,
    Severity,
    Target,
    WindowsAcpi,
    sample_vmx,
)

_SYSTEM = "/Windows/System32/config/SYSTEM"
_IDS = "DriverDatabase\\DeviceIds\\ACPI\\ACPI0010"
_PACKAGE = "DriverDatabase\\DriverPackages\\hidinterrupt.inf_amd64_0123456789abcdef\\Descriptors\\ACPI"
_REST = "[ControlSet001\\Enum]\n[DriverDatabase\\DeviceIds\\ACPI]\n"
_BUTTON = f'{_REST}[{_PACKAGE}\\ACPI0011]\n"Configuration"="HidInterrupt_Device.NT"\n'
_BOUND = f'{_BUTTON}[{_IDS}]\n"hidinterrupt.inf"=hex:01,ff,00,00\n[{_PACKAGE}\\ACPI0010]\n"Configuration"="HidInterrupt_Device.NT"\n'
_DEVICE = '[ControlSet001\\Enum\\ACPI\\ACPI0010\\2&daba3ff&0]\n"Service"="hidinterrupt"\n'


class WindowsCpuHotplug(Rule):
    r"""A button driver is bound to the processor container, so hot-plugged processors are not used.

    ## What it does
    Finds `hidinterrupt.inf` ("HID Button over Interrupt Driver") bound to the ID `ACPI0010` in the driver database, as in Windows Server
    2016.

    ## Why it matters
    `ACPI0010` is the processor container in QEMU's ACPI tables. With the wrong driver on it, Windows boots normally, but a processor added
    while it runs is not used before the next restart. It is a warning if the definition says that processors can be added to the
    machine.

    ## Fix safety
    Unsafe: it removes entries from Windows' driver database. The generic container driver then gets the device, as in later versions. If a
    device already has the wrong driver, it has to be removed in Windows as well.

    ## References
    - Red Hat bug 1377155, comment 12
    - FuturFusion migration-manager, `hivex-cpu-hotplug-compat.sh`, removes the same keys
    - tp-qemu pull requests 2594 and 2888 (Windows 2016 needs a workaround before processors are added)
    - ACPI specification, "Processor Container Device" (`ACPI0010`) and "Generic Buttons Device" (`ACPI0011`); QEMU `hw/acpi/cpu.c`
    """

    severity = Severity.INFO
    since = "0.1"
    kinds = frozenset({"windows"})
    examples = (
        Example(
            {_SYSTEM: Hive(_BOUND)},
            flags=(f"{_SYSTEM}:{_IDS}:hidinterrupt.inf",),
            severity=Severity.INFO,
            fixed={_SYSTEM: Hive(_BUTTON)},
        ),
        Example(
            {_SYSTEM: Hive(_BOUND)},
            given=(sample_vmx('vcpu.hotadd = "TRUE"\n'),),
            flags=(f"{_SYSTEM}:{_IDS}:hidinterrupt.inf",),
            severity=Severity.WARNING,
            title="the machine has processors added while it runs",
        ),
        Example(
            {_SYSTEM: Hive(f'{_BOUND}[{_IDS}]\n"machine.inf"=hex:01,ff,00,00\n')},
            flags=(f"{_SYSTEM}:{_IDS}:hidinterrupt.inf",),
            title="the key holds another driver too: left alone",
        ),
        Example({_SYSTEM: Hive(_BOUND + _DEVICE)}, flags=(f"{_SYSTEM}:{_IDS}:hidinterrupt.inf",), title="it has run on QEMU"),
        Example({_SYSTEM: Hive(_BUTTON)}, title="the button driver is for buttons"),
        Example({_SYSTEM: Hive(_BOUND)}, target="vmware"),
        Example({_SYSTEM: Hive(_BOUND)}, target="ec2-nitro", title="nobody adds processors there"),
    )

    def check(self, acpi: WindowsAcpi, definition: Definition, target: Target) -> Iterator[Finding]:
        if not target.cpu_hotplug:
            raise NotApplicable(f"{target.name} does not add processors to running machines through QEMU's ACPI tables")
        found = acpi.button
        if found is None:
            return
        hot = next((one for one in definition.features if one.kind == "cpu-hotplug"), None)
        fix = None
        if found.removal and not found.seen:
            fix = Fix("remove the button driver from the processor container", Applicability.UNSAFE, found.removal)
        effect = "a processor added while Windows runs is not used until it restarts"
        if found.seen:
            effect += "; remove the device ACPI\\ACPI0010 and its wrong driver in Windows"
        severity = Severity.WARNING if hot else Severity.INFO
        related = (hot.where,) if hot else ()
        message = "the processor container (ACPI0010) is bound to a button driver"
        yield self.finding(found.where, message, effect, severity=severity, fix=fix, related=related)
