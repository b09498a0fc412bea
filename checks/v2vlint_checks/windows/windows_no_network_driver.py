"""Rule windows-no-network-driver."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Hive, Mover, Rule, Severity, Stage, Unknown, WindowsNetworkVerdict, sample_driver

_SYSTEM = "/Windows/System32/config/SYSTEM"
_NETKVM = r"""
[ControlSet001\Services\netkvm]
"Type"=dword:1
"Start"=dword:3
"ImagePath"="\\SystemRoot\\System32\\drivers\\netkvm.sys"
"""
_FILE = {"/Windows/System32/drivers/netkvm.sys": sample_driver()}
_DEVICE_PATH = Hive('[Microsoft\\Windows\\CurrentVersion]\n"DevicePath"=expand:"%SystemRoot%\\\\inf;%SystemRoot%\\\\Drivers\\\\VirtIO"\n')
_EMPTY = Hive("[ControlSet001\\Services]\n")


class WindowsNoNetworkDriver(Rule):
    """Windows has no driver for the target's network card.

    ## What it does
    Looks up the services that drive each network card of the target, such as `netkvm` for virtio-net, `vmxnet3ndis6` for VMXNET3, `ena` for
    Amazon's. If Windows ships a driver under a name that differs between versions, absence proves nothing; nor does it if the driver is in
    a folder of `DevicePath`, from which Windows installs it at first boot if it trusts its signature.

    ## Why it matters
    The guest comes up without a network and can only be used at its screen.

    ## References
    - virt-v2v copies NetKVM and installs it at first boot: `convert/convert_windows.ml`; without virtio-win it chooses rtl8139.
    """

    severity = Severity.ERROR
    stage = Stage.NETWORK
    since = "0.1"
    kinds = frozenset({"windows"})
    examples = (
        Example({_SYSTEM: _EMPTY}, flags=(f"{_SYSTEM}:ControlSet001\\Services\\netkvm",), severity=Severity.ERROR),
        Example(
            {_SYSTEM: Hive(_NETKVM)},
            flags=(f"{_SYSTEM}:ControlSet001\\Services\\netkvm",),
            severity=Severity.ERROR,
            title="the service without its file",
        ),
        Example(
            {_SYSTEM: _EMPTY},
            mover=Mover.VIRT_V2V,
            flags=(f"{_SYSTEM}:ControlSet001\\Services\\netkvm",),
            severity=Severity.INFO,
            title="virt-v2v installs it",
        ),
        Example({_SYSTEM: _EMPTY}, target="virtualbox", unknown=True, title="Windows may ship a driver for this card"),
        Example(
            {_SYSTEM: _EMPTY, "/Windows/System32/config/SOFTWARE": _DEVICE_PATH, "/Windows/Drivers/VirtIO/netkvm.inf": "[Version]\n"},
            unknown=True,
            title="the driver waits for the first boot, as virt-v2v leaves it",
        ),
        Example({_SYSTEM: Hive(_NETKVM), **_FILE}),
    )

    def check(self, network: WindowsNetworkVerdict) -> Iterator[Finding | Unknown]:
        for cause in network.card:
            driven = cause.about
            if driven is not None and cause.severity is None:
                yield self.unknown(cause.where, driven.driver.reason)
            elif driven is not None:
                effect = "virt-v2v installs it at first boot; after a raw copy " if driven.helped else ""
                message = f"no driver for {driven.name}: {driven.driver.reason}"
                yield self.finding(cause.where, message, f"{effect}Windows comes up without a network", severity=cause.severity)
