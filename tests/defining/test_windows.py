"""Which disks and cards a Windows gets, by its registry."""

from __future__ import annotations

import pytest

from v2vlint import target
from v2vlint.defining.drivers import Drivers
from v2vlint.engine.examples import example_store
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.rule import Content, Example, Hive
from v2vlint.samples.pe import sample_driver

SYSTEM, SOFTWARE = "/Windows/System32/config/SYSTEM", "/Windows/System32/config/SOFTWARE"
TEN, EIGHT_ONE, SEVEN, XP = ((name, version) for name, version in (
    ("Windows 10 Pro", "10.0.19045"), ("Windows 8.1 Pro", "6.3.9600"), ("Windows 7 Ultimate", "6.1.7601"), ("Windows XP", "5.1.2600"),
))  # fmt: skip
OLD_ID, NEW_ID = "1AF4&DEV_1001", "1AF4&DEV_1042"


def service(name: str, start: int) -> str:
    """A driver's key; its file is there."""
    return f'[ControlSet001\\Services\\{name}]\n"Type"=dword:1\n"Start"=dword:{start}\n'


def ids(*devices: str, key: str = "DriverDatabase\\DeviceIds\\PCI\\VEN_") -> str:
    """Bindings of PCI IDs."""
    return "".join(f'[{key}{device}]\n"Service"="viostor"\n' for device in devices)


CRITICAL = "ControlSet001\\Control\\CriticalDeviceDatabase\\PCI#VEN_"
VIOSTOR, NETKVM = service("viostor", 0) + ids(OLD_ID, NEW_ID), service("netkvm", 3)
DEVICE_PATH = '[Microsoft\\Windows\\CurrentVersion]\n"DevicePath"=expand:"%SystemRoot%\\\\inf;%SystemRoot%\\\\Drivers\\\\VirtIO"\n'


def proposed(system: tuple[str, str], text: str, profile: str = "kvm", software: str = "", **files: bytes) -> tuple[Drivers, str]:
    """The devices for a Windows with these keys; the files of its services are there."""
    drivers = "viostor", "vioscsi", "netkvm", "storahci", "msahci", "atapi", "intelide", "pciide", "E1G60", "e1i65x64", "rtl8139", "viorng"
    content: dict[str, Content] = {f"/Windows/System32/drivers/{name}.sys": sample_driver() for name in drivers}
    content |= {SYSTEM: Hive(f"[ControlSet001]\n{text}"), SOFTWARE: Hive(f"[Microsoft]\n{software}")}
    os = OsInfo("windows", "windows", "windows", *system, "x86_64")
    store = example_store(
        Example({**content, **{f"/Windows/Drivers/VirtIO/{name}.inf": data for name, data in files.items()}}, given=(os,))
    )
    found = Drivers(store, target.load(profile))
    return found, found.disk()[0]


@pytest.mark.parametrize(
    ("system", "text", "profile", "disk", "modern", "card"),
    [
        (TEN, VIOSTOR + NETKVM, "kvm", "virtio", True, "virtio"),
        (TEN, VIOSTOR + NETKVM, "kvm-scsi", "virtio", True, "virtio"),
        (TEN, service("vioscsi", 0) + ids("1AF4&DEV_1048"), "kvm", "scsi", True, "e1000e"),
        (TEN, service("viostor", 0) + ids(OLD_ID), "kvm", "virtio", False, "e1000e"),
        (TEN, service("viostor", 3) + ids(OLD_ID, NEW_ID) + service("storahci", 0), "kvm", "sata", True, "e1000e"),
        (TEN, service("viostor", 0) + service("storahci", 0), "kvm", "sata", True, "e1000e"),
        (TEN, "", "kvm", "sata", True, "e1000e"),
        (EIGHT_ONE, service("storahci", 3) + service("atapi", 0) + service("intelide", 0), "kvm", "ide", True, "e1000e"),
        (SEVEN, service("msahci", 0), "kvm", "sata", True, "e1000"),
        (SEVEN, service("msahci", 3) + service("atapi", 0) + service("pciide", 0), "kvm", "ide", True, "e1000"),
        (SEVEN, service("viostor", 0) + ids(OLD_ID, NEW_ID, key=CRITICAL) + NETKVM, "kvm", "virtio", True, "virtio"),
        (SEVEN, "", "kvm", "ide", True, "e1000"),
        (XP, service("atapi", 0) + service("intelide", 0), "kvm", "ide", False, "rtl8139"),
        (XP, service("viostor", 0) + ids(OLD_ID, key=CRITICAL) + NETKVM, "kvm", "virtio", False, "virtio"),
    ],
)
def test_by_the_drivers_that_are_there(system: tuple[str, str], text: str, profile: str, disk: str, modern: bool, card: str) -> None:
    found, bus = proposed(system, text, profile)
    assert (bus, found.is_modern(bus), found.card()) == (disk, modern, card)
    assert bool(found.notes) is not (disk == "virtio" and modern and card == "virtio" and profile == "kvm")


def test_a_note_says_why() -> None:
    found, _bus = proposed(TEN, service("viostor", 3) + ids(NEW_ID) + service("storahci", 0))
    found.card()
    assert found.notes == [
        "no virtio-blk disks: viostor starts only as 'demand', not at boot",
        "no virtio-scsi disks: there is no service vioscsi",
        "no virtio-net card: there is no service netkvm; e1000e, because Windows of this age usually ships a driver for that",
    ]


def test_a_driver_that_waits_for_the_first_boot_counts_for_the_card() -> None:
    found, _bus = proposed(TEN, VIOSTOR, software=DEVICE_PATH, netkvm=b"[Version]")
    assert found.card() == "virtio"
    assert found.notes == ["virtio-net card: netkvm.inf is in /Windows/Drivers/VirtIO: Windows installs it at first boot "
                           "if it trusts its signature"]  # fmt: skip
    assert proposed(TEN, VIOSTOR, netkvm=b"[Version]")[0].card() == "e1000e"


def test_an_unreadable_registry_is_said_and_age_decides() -> None:
    found, bus = proposed(TEN, "")
    store = example_store(Example({SYSTEM: b"regf"}, given=(OsInfo("windows", "windows", "windows", *SEVEN, "x86_64"),)))
    unread = Drivers(store, target.load("kvm"))
    assert (unread.disk(), unread.card(), found.has("virtio_rng"), bus) == (("ide", ""), "e1000", False, "sata")
    assert unread.notes[0].startswith(f"it is not known which drivers the guest has: {SYSTEM}")


def test_small_devices() -> None:
    assert proposed(TEN, service("viorng", 3))[0].has("virtio_rng")
    assert not proposed(TEN, service("viorng", 4))[0].has("virtio_rng")
    assert not proposed(TEN, service("balloon", 3))[0].has("virtio_balloon"), "its file is not there"
