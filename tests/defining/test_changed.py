"""What a proposed machine has otherwise than its definition is said, and what is the same is not."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from tests.defining.test_xml import MACHINES, PLAIN
from v2vlint.defining import formats
from v2vlint.defining.changed import changed
from v2vlint.defining.formats.kubevirt import label
from v2vlint.defining.protocol import ProposedCard
from v2vlint.model.definition import Definition, DiskDevice, Feature, Medium, NicDevice, Topology
from v2vlint.model.place import WholeFile
from v2vlint.source.kinds.libvirt import domain

SAME = Definition(
    "vmx", "", disks=(DiskDevice("a", "virtio"),), nics=(NicDevice("", "virtio"),), memory_mib=2048, cpus=1,
    places={"memory_mib": WholeFile("")},
)  # fmt: skip


@pytest.mark.parametrize(
    ("old", "said"),
    [
        (SAME, []),
        (Definition("", "", nics=(NicDevice("", "e1000"),)), []),
        (replace(SAME, disks=(DiskDevice("a", "scsi", "lsilogic"),)), ["the disks are virtio; they were scsi lsilogic"]),
        (replace(SAME, nics=(NicDevice("", "vmxnet3"),)), ["the cards are virtio; they were vmxnet3"]),
        (replace(SAME, machine="pc-i440fx-7.2"), ["machine type q35; it was pc-i440fx-7.2"]),
        (replace(SAME, machine="pc-q35-7.2"), []),
        (replace(SAME, places={}), ["2048 MiB of memory: the definition states none"]),
        (
            replace(SAME, media=(Medium("cdrom"), Medium("cdrom")), passthrough=(Feature("vgpu", "x"),), features=(Feature("sound"),)),
            ["not carried over: empty drive (cdrom) × 2, passed-through vgpu x, sound"],
        ),
    ],
)
def test_differences(old: Definition, said: list[str]) -> None:
    assert list(changed(old, PLAIN)) == said


KEPT = replace(PLAIN, uuid="564d9bef-acd9-b4e0-c8f0-aea8b9103515", genid="13c67c91-9f47-526f-b0d6-e4dd2e4bb4f9", cpus=8,
               topology=Topology(2, 2, 2))  # fmt: skip


def test_identity_and_topology_are_carried_over() -> None:
    found = domain("x.xml", KEPT.xml)
    assert (found.uuid, found.genid, found.topology, found.cpus) == (KEPT.uuid, KEPT.genid, KEPT.topology, 8)
    kubevirt = yaml.safe_load(KEPT.render("kubevirt"))["spec"]["template"]["spec"]["domain"]
    assert (kubevirt["firmware"]["uuid"], kubevirt["cpu"]) == (KEPT.uuid, {"sockets": 2, "cores": 2, "threads": 2})


@pytest.mark.parametrize("form", formats.names())
@pytest.mark.parametrize("name", MACHINES)
def test_every_form_takes_every_machine(form: str, name: str) -> None:
    assert MACHINES[name].render(form).endswith("\n")


def test_claims_for_disks_and_networks_for_cards() -> None:
    machine = replace(MACHINES["uefi"], cards=(ProposedCard("virtio", "52:54:00:00:00:01"), ProposedCard("e1000e")))
    text = machine.render("kubevirt")
    assert "#   virtctl image-upload pvc db-1-disk2 --size=SIZE --image-path='/c'" in text.splitlines()
    made = yaml.safe_load(text)
    spec = made["spec"]["template"]["spec"]
    assert (made["metadata"]["name"], [one["persistentVolumeClaim"]["claimName"] for one in spec["volumes"]]) == (
        "db-1", ["db-1-disk1", "db-1-disk2"],
    )  # fmt: skip
    domain = spec["domain"]
    assert domain["firmware"]["bootloader"] == {"efi": {"secureBoot": True}}
    assert domain["features"]["smm"] == {"enabled": True}
    assert [one.get("bootOrder") for one in domain["devices"]["disks"]] == [None, 1]
    assert [sorted(one) for one in spec["networks"]] == [["name", "pod"], ["multus", "name"]]
    assert [one["name"] for one in domain["devices"]["interfaces"]] == [one["name"] for one in spec["networks"]]


@pytest.mark.parametrize(("name", "expected"), [("Web Server (old)", "web-server-old"), ("-", "guest"), ("a" * 99, "a" * 52)])
def test_names_are_labels(name: str, expected: str) -> None:
    assert label(name) == expected
