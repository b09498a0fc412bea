"""The shipped profiles hold together, and a user's own are checked for every mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from v2vlint import target
from v2vlint.model.errors import UsageError
from v2vlint.model.target import Hardware, Target

SHIPPED = [target.load(name) for name in target.names()]
REAL = [one for one in SHIPPED if one.name != "any"]
NAMES = {
    "any", "azure", "ec2-nitro", "ec2-xen", "gce", "hyperv-gen1", "hyperv-gen2", "kubevirt", "kvm", "kvm-scsi", "openstack", "ovirt",
    "proxmox", "virtualbox", "vmware", "xen",
}  # fmt: skip
SMALL: dict[str, Any] = {
    "title": "mine",
    "hypervisor": "kvm",
    "controllers": [{"name": "NVMe", "prefix": "nvme", "any_of": [["nvme"]]}],
    "nics": [],
    "displays": [],
}


def test_all_promised_profiles_are_there() -> None:
    assert set(target.names()) == NAMES


@pytest.mark.parametrize("one", SHIPPED, ids=lambda one: one.name)
def test_scsi_disks_need_the_scsi_disk_driver_and_virtio_its_transport(one: Target) -> None:
    for controller in one.controllers:
        for modules in controller.any_of:
            assert ("sd_mod" in modules) == (controller.prefix == "sd" or modules[0] in ("ata_piix", "ata_generic"))
            assert ("virtio_pci" in modules) == modules[0].startswith("virtio_")


@pytest.mark.parametrize("one", SHIPPED, ids=lambda one: one.name)
def test_module_names_are_written_as_the_kernel_compares_them(one: Target) -> None:
    sets = [names for controller in one.controllers for names in controller.any_of] + [names for nic in one.nics for names in nic.any_of]
    for name in [name for names in sets for name in names] + [name for display in one.displays for name in display.modules]:
        assert "-" not in name


@pytest.mark.parametrize("one", REAL, ids=lambda one: one.name)
def test_any_demands_at_least_what_each_real_target_demands(one: Target) -> None:
    portable = target.load("any")
    assert one.disk_prefixes <= portable.disk_prefixes
    assert one.cpu_level >= portable.cpu_level
    for mine, theirs in ((portable.controllers, one.controllers), (portable.nics, one.nics)):
        for part in theirs:
            assert any(set(demand.any_of) <= set(part.any_of) for demand in mine), part.name
    for keeps in ("keeps_mac", "keeps_pci", "keeps_nvram", "keeps_tpm", "keeps_network"):
        assert not getattr(portable, keeps)


@pytest.mark.parametrize("one", SHIPPED, ids=lambda one: one.name)
def test_the_file_says_where_its_values_come_from(one: Target) -> None:
    text = (Path(target.__file__).parent / "profiles" / f"{one.name}.toml").read_text()
    assert text.startswith("# ")


def test_qemu_presents_what_it_has() -> None:
    assert {one.name for one in SHIPPED if one.hardware is None} == {
        "any", "azure", "ec2-nitro", "ec2-xen", "hyperv-gen1", "hyperv-gen2", "xen",
    }  # fmt: skip
    assert target.load("vmware").hardware == Hardware("pc", "pvscsi", "vmxnet3", "vmware")


def test_kept_names() -> None:
    assert target.load("vmware").keeps_disk_name("sd")
    assert not target.load("kvm").keeps_disk_name("sd")
    assert not target.load("any").keeps_disk_name("sd")


def test_a_profile_may_extend_a_shipped_one(tmp_path: Path) -> None:
    path = tmp_path / "lab.toml"
    path.write_text('extends = "kvm-scsi"\ntitle = "the lab"\nkeeps_mac = false\nconsoles = ["hvc0"]\n')
    lab = target.load(str(path))
    assert (lab.name, lab.title, lab.keeps_mac, lab.consoles) == ("lab", "the lab", False, ("hvc0",))
    assert lab.controllers == target.load("kvm-scsi").controllers


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"titel": "x"}, "target t: unknown key 'titel'"),
        ({"title": 3}, "target t: title: must be a text"),
        ({"hypervisor": "qemu"}, "target t: hypervisor: must be one of kvm, vmware"),
        ({"cpu_level": 5}, "target t: cpu_level: must be a number from 1 to 4"),
        ({"cpu_level": True}, "target t: cpu_level: must be a number from 1 to 4"),
        ({"keeps_mac": 1}, "target t: keeps_mac: must be true or false"),
        ({"firmware": ["efi"]}, "target t: firmware #1: must be one of bios, uefi"),
        ({"firmware": []}, "target t: firmware: must not be empty"),
        ({"consoles": "tty0"}, "target t: consoles: must be a list"),
        ({"controllers": []}, "target t: controllers: must not be empty"),
        ({"controllers": {"name": "x"}}, "target t: controllers: must be a list"),
        ({"controllers": [{"name": "x", "prefix": "vd"}]}, "target t: controllers #1: any_of missing"),
        ({"controllers": [{"name": "x", "prefix": "zz", "any_of": [["y"]]}]}, "target t: controllers #1: prefix: must be one of vd"),
        ({"controllers": [{"name": "x", "prefix": "vd", "any_of": ["y"]}]}, "target t: controllers #1: any_of #1: must be a list"),
        ({"nics": ["virtio"]}, "target t: nics #1: must be a table"),
        ({"hardware": {"cpu": "x"}}, "target t: hardware: unknown key 'cpu'"),
        ({"extends": "kwm"}, "unknown target 'kwm'"),
        ({"extends": 3}, "target t: extends: must be a text"),
    ],
)
def test_mistakes_are_told_with_their_place(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UsageError) as error:
        target.parse("t", {**SMALL, **change}, "t")
    assert error.value.message.startswith(complaint)


def test_what_is_missing_is_told() -> None:
    with pytest.raises(UsageError, match="target t: hypervisor, controllers, nics, displays missing"):
        target.parse("t", {"title": "x"}, "t")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"title =", "not valid TOML"), (b"\xff\xfe", "not UTF-8 text"), (b'extends = "me.toml"', "extends unknown target")],
)
def test_bad_profile_files(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "me.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=complaint):
        target.load(str(path))
