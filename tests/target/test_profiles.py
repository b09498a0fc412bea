"""The shipped profiles hold together, and a user's own are checked for every mistake."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from v2vlint import target
from v2vlint.facts.environment.guest_tools import agent_called, families
from v2vlint.model.errors import UsageError
from v2vlint.model.target import Hardware, Target
from v2vlint.target.keys import KEYS, said

SHIPPED = [target.load(name) for name in target.names()]
# No guest runs on processors of two architectures: "any" is any of its own.
REAL = [one for one in SHIPPED if one.name != "any" and one.arch == "x86_64"]
ARM = [one for one in SHIPPED if one.arch == "aarch64"]
NAMES = {
    "any", "azure", "azure-arm64", "ec2-graviton", "ec2-nitro", "ec2-xen", "gce", "gce-arm64", "hyperv-gen1", "hyperv-gen2", "kubevirt",
    "kvm", "kvm-aarch64", "kvm-scsi", "openstack", "ovirt", "proxmox", "virtualbox", "vmware", "xen",
}  # fmt: skip
SMALL: dict[str, Any] = {
    "title": "mine",
    "hypervisor": "kvm",
    "controllers": [{"name": "NVMe", "prefix": "nvme", "any_of": [["nvme"]]}],
    "nics": [],
    "displays": [],
}


def test_all_promised_profiles_are_there() -> None:
    assert set(target.names()) >= NAMES


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
    for offers in ("datasources", "resolvers", "time_servers", "ptp_clocks", "clocksources", "shares"):
        assert set(getattr(portable, offers)) <= set(getattr(one, offers)), offers
    for needs in ("keyboards", "bios", "vmbus_id", "cpu_hotplug"):
        assert not getattr(one, needs) or getattr(portable, needs) == getattr(one, needs), needs


@pytest.mark.parametrize("one", REAL, ids=lambda one: one.name)
def test_any_takes_no_more_than_each_real_target_takes(one: Target) -> None:
    portable = target.load("any")
    for limit in ("disks", "disk_gib", "cpus", "memory_gib"):
        if most := getattr(one.limits, limit):
            assert 0 < getattr(portable.limits, limit) <= most, limit
    # What is asked of one format is not asked of a disk.
    assert one.images.align_formats or portable.images.align_mib % (one.images.align_mib or 1) == 0
    assert portable.limits.name is not None
    if one.limits.name is not None:
        assert portable.limits.name.longest <= one.limits.name.longest
        for name in ("a", "web-1", "a" * 63, "x9"):
            assert re.fullmatch(portable.limits.name.pattern, name)
            assert re.fullmatch(one.limits.name.pattern, name)


@pytest.mark.parametrize("one", SHIPPED, ids=lambda one: one.name)
def test_agents_are_families_that_the_table_of_tools_has(one: Target) -> None:
    assert set(one.agents) <= families()
    assert not one.guest_agent or one.guest_agent in one.agents
    assert not one.guest_agent or agent_called(one.guest_agent)


@pytest.mark.parametrize("one", SHIPPED, ids=lambda one: one.name)
def test_the_file_says_where_its_values_come_from(one: Target) -> None:
    text = (Path(target.__file__).parent / "profiles" / f"{one.name}.toml").read_text()
    assert text.startswith("# ")


@pytest.mark.parametrize("one", ARM, ids=lambda one: one.name)
def test_arm_machines_have_nothing_of_a_pc(one: Target) -> None:
    assert one.firmware == ("uefi",)
    assert not one.bios
    assert not set(one.clocksources) & {"kvm-clock", "hyperv_clocksource_tsc_page", "hyperv_clocksource_msr"}
    assert not {"vesafb", "bochs", "bochs_drm"} & {name for display in one.displays for name in display.modules}
    assert one.hardware is None or one.hardware.machine == "virt"
    assert not any("x86-64" in words for _label, words in said(one))


def test_qemu_presents_what_it_has() -> None:
    assert {one.name for one in SHIPPED if one.hardware is None} >= {
        "any", "azure", "azure-arm64", "ec2-graviton", "ec2-nitro", "ec2-xen", "gce-arm64", "hyperv-gen1", "hyperv-gen2", "xen",
    }  # fmt: skip
    assert target.load("vmware").hardware == Hardware("pc", "pvscsi", "vmxnet3", "vmware")


def test_disk_names() -> None:
    assert target.load("vmware").disk_prefixes == {"sd"}
    assert target.load("kvm").disk_prefixes == {"vd"}
    assert target.load("any").disk_prefixes > {"sd"}


@pytest.mark.parametrize("one", SHIPPED, ids=lambda one: one.name)
def test_a_derived_profile_has_all_that_its_base_has(one: Target) -> None:
    assert target.parse("mine", {"extends": one.name}, "mine") == dataclasses.replace(one, name="mine")


def test_tables_are_inherited_key_by_key() -> None:
    found = target.parse("t", {"extends": "azure", "limits": {"disks": 8}, "images": {"align_mib": 2}}, "t")
    azure = target.load("azure")
    assert found.limits == dataclasses.replace(azure.limits, disks=8)
    assert found.images == dataclasses.replace(azure.images, align_mib=2)
    assert target.parse("t", {"extends": "kvm-scsi", "hardware": {"nic": "e1000"}}, "t").hardware == Hardware(
        "q35", "virtio-scsi-pci", "e1000"
    )
    assert target.parse("t", {**SMALL, "hardware": {"nic": "e1000"}}, "t").hardware == Hardware(nic="e1000")


def test_what_is_inherited_can_be_taken_back() -> None:
    found = target.parse("t", {"extends": "azure", "platform": "", "vmbus_id": "", "agents": [], "limits": {"disk_gib": 0}}, "t")
    assert (found.platform, found.vmbus_id, found.agents, found.limits.disk_gib) == ("", "", (), 0)


def test_a_profile_may_name_a_hypervisor_that_nobody_knows() -> None:
    found = target.parse("ahv", {"extends": "kvm-scsi", "hypervisor": "ahv", "platform": "nutanix", "agents": ["nutanix"]}, "ahv")
    assert (found.hypervisor, found.platform, found.agents) == ("ahv", "nutanix", ("nutanix",))


SAMPLES: dict[str, Any] = {
    "title": "", "hypervisor": "ahv", "xen_pv": True, "platform": "nutanix", "consoles": ["hvc9"], "keyboards": ["odd_keyboard"],
    "firmware": ["uefi"], "bios": "ahv-bios", "cpu_level": 4, "cpu_hotplug": True, "ram_mib": 4242, "vmbus_id": "AHV1",
    "controllers": [{"name": "odd controller", "prefix": "hd", "any_of": [["odd"]]}], "nics": [{"name": "odd card", "any_of": [["odd"]]}],
    "displays": [{"name": "odd screen", "modules": ["odd"], "xorg_drivers": []}], "keeps_mac": True, "keeps_pci": True,
    "keeps_nvram": True, "keeps_tpm": True, "keeps_network": True, "datasources": ["odd"], "agents": ["odd"], "guest_agent": "odd",
    "resolvers": ["9.9.9.9"], "time_servers": ["9.9.9.9"], "ptp_clocks": ["/dev/ptp_odd"], "clocksources": ["odd"], "shares": ["oddfs"],
    "limits": {"disks": 99}, "images": {"formats": ["vdi"]}, "admission": {"swap": False},
    "hardware": {"disk": "nvme"},
    "choices": [{"guests": ["debian 9-"], "source": "odd", "nic": {"name": "odd card", "any_of": [["odd"]]}}],
    "boards": [{"cards": ["0000:09:00.0"], "source": "odd"}], "other_slots": [9, 99], "other_buses": [9, 99], "other_indexes": [9, 99],
    "macs": ["02:99:00:00:00:01"],
    "mac_prefixes": ["02:99"], "max_mtu": 1492, "names_system_disk": True, "sector_size": 4096, "secure_boot": "own", "efi32": True,
    "disk_sectors": [512, 4096],
    "first_disk_only": ["uefi"], "boot_order": [2, 1], "arch": "aarch64", "arm_level": 91, "page_sizes": [16],
}  # fmt: skip
"""A value for each key that ``SMALL`` has otherwise, or not at all."""


def test_every_field_of_a_target_is_a_key() -> None:
    assert set(KEYS) == set(SAMPLES)
    assert set(KEYS) | {"name"} == set(Target.__dataclass_fields__)


@pytest.mark.parametrize("key", [key for key in KEYS if key != "title"])
def test_every_key_is_shown(key: str) -> None:
    plain, changed = (list(said(target.parse("t", data, "t"))) for data in (SMALL, {**SMALL, key: SAMPLES[key]}))
    assert plain != changed


@pytest.mark.parametrize("key", KEYS)
def test_every_key_has_a_row_in_the_guide(key: str) -> None:
    guide = (Path(__file__).parents[2] / "docs/targets.md").read_text()
    assert re.search(rf"^\| [^|]*`{key}`", guide, re.MULTILINE)


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
        ({"hypervisor": "QEMU/KVM"}, "target t: hypervisor: must be a word of lower-case letters"),
        ({"agents": ["qemu", "Nutanix Guest Tools"]}, "target t: agents #2: must be a word of lower-case letters"),
        ({"ptp_clocks": ["ptp0"]}, "target t: ptp_clocks #1: must be the path of a device"),
        ({"limits": {"disk": 4}}, "target t: limits: unknown key 'disk'"),
        ({"boards": [{"cards": ["slot 3"], "source": "x"}]}, "target t: boards #1: cards #1: must be a PCI address"),
        ({"other_slots": [9, 1]}, "target t: other_slots: must be the lowest and the highest number"),
        ({"mac_prefixes": ["52:54:00:12:34:56"]}, "target t: mac_prefixes #1: must be the first bytes of a MAC address"),
        ({"limits": {"disks": -1}}, "target t: limits: disks: must be a number from 0 to"),
        (
            {"limits": {"name": {"pattern": "[a-z", "longest": 9, "words": "x"}}},
            "target t: limits: name: pattern: not a regular expression",
        ),
        ({"limits": {"name": {"pattern": "[a-z]"}}}, "target t: limits: name: longest, words missing"),
        ({"images": {"formats": ["qcow"]}}, "target t: images: formats #1: must be one of raw, qcow2"),
        ({"nics": [{"name": "x", "any_of": [["y"]], "ids": ["8086:100F"]}]}, "target t: nics #1: ids #1: must be a PCI ID"),
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
