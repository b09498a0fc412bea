"""Which driver Windows before 8 gives to a controller it has not met: CriticalDeviceDatabase, by plug and play IDs."""

from __future__ import annotations

import pytest

from v2vlint import target
from v2vlint.engine.examples import example_store
from v2vlint.facts.windows.critical import CriticalDevices
from v2vlint.facts.windows.drivers import DriverVerdict, WindowsDrivers
from v2vlint.facts.windows.registry import Registry
from v2vlint.guest.fs import GuestFS
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import WholeFile
from v2vlint.model.rule import Content, Example, Hive
from v2vlint.model.target import Controller
from v2vlint.samples.pe import sample_driver

SYSTEM = "/Windows/System32/config/SYSTEM"
XP = OsInfo("windows", "windows", "windows", "Windows XP", "5.1.2600", "i386")
SEVEN = OsInfo("windows", "windows", "windows", "Windows 7 Professional", "6.1.7601", "x86_64")
TEN = OsInfo("windows", "windows", "windows", "Windows 10 Pro", "10.0.19045", "x86_64")
NAMES = ("atapi", "intelide", "pciide", "symmpi", "msahci", "pvscsi", "vmbus", "storvsc", "viostor", "iaStor")


def hive(starts: dict[str, int], bound: dict[str, str]) -> str:
    services = (f'[ControlSet001\\Services\\{name}]\n"Type"=dword:1\n"Start"=dword:{start}\n' for name, start in starts.items())
    keys = (
        f"[ControlSet001\\Control\\CriticalDeviceDatabase\\{name}]\n" + (f'"Service"="{service}"\n' if service else "")
        for name, service in bound.items()
    )
    return "".join((*services, *keys))


def judged(text: str, controller: Controller, os: OsInfo) -> DriverVerdict:
    files: dict[str, Content] = {f"/Windows/System32/drivers/{name}.sys": sample_driver(os.arch) for name in NAMES}
    return example_store(Example({SYSTEM: Hive(text), **files}, given=(os,))).get(WindowsDrivers).controller(controller)


IDE = {"atapi": 0, "intelide": 0, "pciide": 0}
QEMU_IDE = Controller("IDE", "sd", (("ata_piix", "sd_mod"),))
AHCI = Controller("SATA", "sd", (("ahci", "sd_mod"),))
LSI = Controller("LSI", "sd", (("mptspi", "sd_mod"),))
VIRTIO = Controller("virtio-blk", "vd", (("virtio_blk",),))
HYPERV = Controller("Hyper-V SCSI", "sd", (("hv_storvsc",),))
PVSCSI = Controller("PVSCSI", "sd", (("vmw_pvscsi",),))
VMBUS = "vmbus#{ba6163d9-04a1-4d29-b605-72e2ffb1dc7f}"


@pytest.mark.parametrize(
    ("starts", "bound", "controller", "os", "usable", "reason"),
    [
        (IDE, {"PCI#VEN_8086&DEV_7111": "intelide"}, QEMU_IDE, XP, False, r"no driver is bound to PCI\VEN_8086&DEV_7010"),
        (IDE, {"pci#ven_8086&dev_7010": "IntelIde"}, QEMU_IDE, XP, True, "intelide starts at boot"),
        (IDE, {"pci#cc_0101": "pciide"}, QEMU_IDE, XP, True, "pciide starts at boot"),
        (IDE, {"PCI#VEN_8086&CC_0101": "intelide"}, QEMU_IDE, SEVEN, True, "intelide starts at boot"),
        (IDE, {"PCI#VEN_8086&DEV_7010": ""}, QEMU_IDE, XP, False, "no driver is bound"),
        (IDE, {"PCI#VEN_8086&DEV_7010&SUBSYS_01231028&REV_00": "intelide"}, QEMU_IDE, XP, False, "no driver is bound"),
        (IDE, {"PCI#VEN_8086&DEV_7010&SUBSYS_11001AF4&REV_00": "intelide"}, QEMU_IDE, XP, True, "intelide"),
        (IDE, {"PCI#VEN_8086&DEV_7010&FUNC_01": "intelide"}, QEMU_IDE, XP, False, "no driver is bound"),
        (
            {**IDE, "intelide": 4},
            {
                "PCI#VEN_8086&DEV_7010": "intelide",
                "PCI#CC_0101": "pciide",
            },
            QEMU_IDE,
            XP,
            False,
            "intelide is disabled",
        ),
        (IDE, {"PCI#VEN_8086&DEV_7111": "intelide"}, QEMU_IDE, TEN, True, "intelide starts at boot"),
        (IDE, {}, QEMU_IDE, XP, True, "intelide starts at boot"),
        ({"msahci": 0}, {"PCI#CC_0106": "msahci"}, AHCI, SEVEN, True, "msahci starts at boot"),
        ({"msahci": 0}, {"PCI#CC_0101": "pciide"}, AHCI, SEVEN, False, r"no driver is bound to PCI\VEN_8086&DEV_2922"),
        ({"iaStor": 0}, {"PCI#VEN_8086&DEV_2922&CC_0106": "iaStor"}, AHCI, XP, True, "iaStor starts at boot"),
        ({"iaStor": 3}, {"PCI#VEN_8086&DEV_2922&CC_0106": "iaStor"}, AHCI, XP, False, "iaStor starts only as"),
        ({"symmpi": 0}, {"PCI#VEN_1000&DEV_0030": "symmpi"}, LSI, XP, True, "symmpi starts at boot"),
        ({"symmpi": 0}, {"PCI#VEN_1000&DEV_0054": "symmpi"}, LSI, XP, False, r"no driver is bound to PCI\VEN_1000&DEV_0030"),
        ({"viostor": 0}, {"PCI#VEN_1AF4&DEV_1001&SUBSYS_00021AF4&REV_00": "viostor"}, VIRTIO, XP, True, "viostor"),
        ({"viostor": 0}, {"PCI#VEN_1AF4&DEV_1042": "viostor"}, VIRTIO, SEVEN, True, "viostor"),
        ({"viostor": 0}, {}, VIRTIO, SEVEN, False, "no driver is bound"),
        ({"pvscsi": 0}, {"PCI#VEN_15AD&DEV_07C0": "pvscsi"}, PVSCSI, XP, True, "pvscsi"),
        ({"pvscsi": 0}, {"PCI#VEN_15AD&DEV_0790": "pvscsi"}, PVSCSI, XP, False, "no driver is bound"),
        ({"vmbus": 0, "storvsc": 0}, {VMBUS: "storvsc"}, HYPERV, XP, True, "storvsc"),
        ({"vmbus": 0, "storvsc": 0}, {VMBUS: ""}, HYPERV, XP, False, "no driver is bound"),
        ({"vmbus": 0, "storvsc": 0}, {VMBUS: "", "gendisk": "disk"}, HYPERV, SEVEN, None, "no driver is bound"),
    ],
)
def test_a_controller_needs_its_key(
    starts: dict[str, int], bound: dict[str, str], controller: Controller, os: OsInfo, usable: bool | None, reason: str
) -> None:
    verdict = judged(hive(starts, bound), controller, os)
    assert verdict.usable is usable, verdict
    assert reason in verdict.reason


def test_a_device_that_windows_drives_already_needs_none() -> None:
    text = hive(IDE, {"PCI#VEN_8086&DEV_7111": "intelide"})
    seen = '[ControlSet001\\Enum\\PCI\\VEN_8086&DEV_7010&SUBSYS_11001AF4&REV_00\\3&13c0b0c5&0&09]\n"Service"="intelide"\n'
    assert judged(text, QEMU_IDE, XP).usable is False
    assert judged(text + seen, QEMU_IDE, XP).usable is True


@pytest.mark.parametrize("name", [name for name in target.names() if name != "any"])
def test_every_controller_of_every_target_has_a_key(name: str) -> None:
    """What the fix of KB 314082 binds is what is looked up; a binding of one controller never serves another one."""
    for controller in target.load(name).controllers:
        verdict = judged(hive({**dict.fromkeys(NAMES, 0)}, {"PCI#VEN_FFFF&DEV_FFFF": "x"}), controller, XP)
        assert verdict.usable is not True, (name, controller.name)


def test_the_closest_id_wins() -> None:
    text = hive({}, {"PCI#CC_0101": "a", "PCI#VEN_8086&CC_0101": "b", "PCI#VEN_8086&DEV_7010": "c", "PCI#VEN_8086": "d"})
    devices = CriticalDevices(example_store(Example({SYSTEM: Hive(text)})).get(Registry))
    found = [devices.of([one]) for one in ("PCI#VEN_8086&DEV_7010&CC_010180", "PCI#VEN_8086&DEV_1&CC_010180", "PCI#VEN_1&DEV_1&CC_010180")]
    assert [one.service if one else "" for one in found] == ["c", "b", "a"]


def test_a_file_that_cannot_be_read_costs_its_own_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deduplicated ``pciide.sys`` is unknown; ``intelide`` drives the controller all the same."""

    def problem(_fs: GuestFS, path: str, _arch: str) -> str:
        if unreadable in path:
            raise FactUnavailable(WholeFile(path), "cannot be read: a deduplicated file")
        return ""

    monkeypatch.setattr("v2vlint.facts.windows.services.driver_problem", problem)
    unreadable = "pciide"
    assert judged(hive(IDE, {}), QEMU_IDE, TEN).usable is True
    unreadable = "atapi"
    assert judged(hive(IDE, {}), QEMU_IDE, TEN).usable is None
    chain = example_store(Example({SYSTEM: Hive(hive({"pci": 0, "atapi": 0}, {}))})).get(WindowsDrivers).chain(False)
    assert chain == ()
    unreadable = "pci.sys"
    (found,) = example_store(Example({SYSTEM: Hive(hive({"pci": 0}, {}))})).get(WindowsDrivers).chain(False)
    assert (found.usable, "deduplicated" in found.reason) == (None, True)
