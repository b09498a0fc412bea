"""What a target's importer creates for this guest."""

from __future__ import annotations

import dataclasses

import pytest

from v2vlint.facts.environment.chosen_hardware import fitted
from v2vlint.model.definition import Definition, DiskDevice, NicDevice
from v2vlint.model.osinfo import OsInfo
from v2vlint.target import load

NONE = Definition("", "")


def system(distro: str, version: str, kind: str = "linux") -> OsInfo:
    return OsInfo(kind, distro, distro, distro, version, "x86_64")


@pytest.mark.parametrize(
    ("os", "target", "driver", "card", "presented"),
    [
        (system("debian", "12"), "vmware", "vmw_pvscsi", "vmxnet3", "pvscsi"),
        (system("debian", "9.13"), "vmware", "mptspi", "", None),
        (system("rhel", "7.9"), "vmware", "vmw_pvscsi", "vmxnet3", "pvscsi"),
        (system("centos", "5.11"), "vmware", "mptspi", "", None),
        (system("windows", "10.0.17763", "windows"), "vmware", "mptsas", "", "mptsas1068"),
        (system("debian", "12"), "virtualbox", "ahci", "e1000", "ide-hd"),
        (system("windows", "5.1", "windows"), "virtualbox", "ata_piix", "e1000", "ide-hd"),
        (system("windows", "6.1", "windows"), "virtualbox", "ahci", "e1000", "ide-hd"),
    ],
)
def test_by_the_guests_system(os: OsInfo, target: str, driver: str, card: str, presented: str | None) -> None:
    there = fitted(load(target), os, NONE)
    (controller,) = there.controllers
    assert [names[0] for names in controller.any_of] == [driver]
    assert not card or [names[0] for nic in there.nics for names in nic.any_of] == [card]
    assert (there.hardware.disk if there.hardware else None) == presented


@pytest.mark.parametrize("os", [system("ubuntu", "22.04"), system("windows", "10.0.26100", "windows"), system("slackware", "")])
def test_a_system_that_nothing_is_known_of_needs_any_that_can_be_chosen(os: OsInfo) -> None:
    assert fitted(load("vmware"), os, NONE).controllers == load("vmware").controllers


PVSCSI = (("vmw_pvscsi", "sd_mod"),)


def test_a_system_without_a_number_is_the_newest() -> None:
    assert fitted(load("vmware"), system("debian", ""), NONE).controllers[0].any_of == PVSCSI


@pytest.mark.parametrize("name", ["kvm", "any", "azure", "hyperv-gen1"])
def test_a_target_with_one_machine_for_all_is_left_as_it_is(name: str) -> None:
    assert fitted(load(name), system("debian", "12"), NONE) is load(name)


def test_what_else_can_be_chosen_is_said() -> None:
    (controller,) = fitted(load("vmware"), system("debian", "12"), NONE).controllers
    assert controller.name == "PVSCSI (the default for debian 12; PVSCSI, LSI Logic, SATA or IDE can be chosen)"
    (card,) = fitted(load("virtualbox"), OsInfo("linux", "", "", "", "", "x86_64"), NONE).nics
    assert "(the default for a guest that is not known; " in card.name


def test_a_machine_of_the_same_hypervisor_keeps_its_devices() -> None:
    machine = Definition("ovf", "a.ovf", disks=(DiskDevice("", "scsi", "lsilogic"),), nics=(NicDevice("", "e1000"),), product="vmware")
    there = fitted(load("vmware"), system("debian", "12"), machine)
    assert there.controllers[0].any_of == (("mptspi", "sd_mod"),)
    assert there.nics[0].any_of == (("e1000",),)
    assert "as defined" in there.controllers[0].name
    other = fitted(load("vmware"), system("debian", "12"), dataclasses.replace(machine, product="virtualbox"))
    assert other.controllers[0].any_of == PVSCSI
