"""What a Windows can drive, is set up for, and has of hypervisors' tools; real machines are in tests/samples/test_real_hives.py."""

from __future__ import annotations

from v2vlint.engine.examples import example_store
from v2vlint.facts.registry import FactStore
from v2vlint.inspecting.windows_drivers import windows_agents, windows_in_use, windows_kernel
from v2vlint.model.machine import Agent
from v2vlint.model.rule import Content, Example, Hive
from v2vlint.samples.pe import sample_driver

SERVICES = "ControlSet001\\Services"
CARD = "PCI\\VEN_8086&DEV_100E\\3&1"
NETWORK = "ControlSet001\\Control\\Network\\{4D36E972-E325-11CE-BFC1-08002BE10318}"
SYSTEM = rf"""
[{SERVICES}\storahci]
"Type"=dword:1
"Start"=dword:0
[{SERVICES}\stornvme]
"Type"=dword:1
"Start"=dword:0
[{SERVICES}\stornvme\StartOverride]
"0"=dword:3
[{SERVICES}\iaStorAC]
"Type"=dword:1
"Start"=dword:0
[{SERVICES}\netkvm]
"Type"=dword:1
"Start"=dword:3
[{SERVICES}\balloon]
"Type"=dword:1
"Start"=dword:4
[{SERVICES}\viorng]
"Type"=dword:1
"Start"=dword:3
[{SERVICES}\E1G60]
"Type"=dword:1
"Start"=dword:3
[{SERVICES}\QEMU-GA]
"Type"=dword:10
"Start"=dword:2
[{SERVICES}\VBoxService]
"Type"=dword:10
"Start"=dword:3
[{NETWORK}\{{a}}\Connection]
"PnpInstanceID"="{CARD.replace(chr(92), chr(92) * 2)}"
[{NETWORK}\{{b}}\Connection]
"PnpInstanceID"="BTH\\MS_BTHPAN\\1"
[ControlSet001\Enum\{CARD}]
"Service"="E1G60"
[ControlSet001\Enum\BTH\MS_BTHPAN\1]
"Service"="BthPan"
"""


def store() -> FactStore:
    names = ("storahci", "stornvme", "iaStorAC", "netkvm", "viorng", "E1G60")
    files: dict[str, Content] = {f"/Windows/System32/drivers/{name}.sys": sample_driver() for name in names}
    return example_store(Example({"/Windows/System32/config/SYSTEM": Hive(SYSTEM), **files}))


def test_the_kernel_has_what_its_services_drive() -> None:
    (kernel,) = windows_kernel(store())
    assert (kernel.image, kernel.default) == ("/Windows/System32/ntoskrnl.exe", True)
    wanted = {
        "ahci": True,
        "nvme": False,
        "virtio-blk": False,
        "virtio-net": True,
        "virtio-rng": True,
        "virtio-balloon": False,
        "ena": False,
    }
    assert {name: kernel.has(name) for name in wanted} == wanted
    assert kernel.has("virtio-pci") is None


def test_what_starts_at_boot_and_the_cards_that_are_known() -> None:
    assert [(one.name, one.role) for one in windows_in_use(store())] == [
        ("storahci", "storage"),
        ("iaStorAC", "storage"),
        ("E1G60", "network"),
    ]


def test_agents_run_when_they_start_by_themselves() -> None:
    assert windows_agents(store()) == (Agent("virtualbox", "VBoxService", False), Agent("qemu", "QEMU-GA", True))
