"""The name engine: places, the distribution's policy, names. The names are those of booted machines where a comment says so."""

from __future__ import annotations

import pytest

from v2vlint.facts.network.name_policy import NamePolicy
from v2vlint.facts.network.worlds import card_count, card_names, worlds
from v2vlint.model.place import WholeFile
from v2vlint.model.target import CardPlace, Target
from v2vlint.target import load
from v2vlint.target.libvirt import from_text

BY_PLACE = NamePolicy(True, WholeFile("/x"), "by place")
BY_KERNEL = NamePolicy(False, WholeFile("/x"), "by the kernel")

# Booted under QEMU 7.2 with Linux 6.1 and systemd 252; udevadm's net_id gave the same under every scheme from v238 to v252.
BOOTED = [
    ("pc-i440fx-7.2", "<address type='pci' bus='0x00' slot='0x03'/>", "ens3"),
    ("pc-i440fx-7.2", "<address type='pci' bus='0x00' slot='0x12'/>", "ens18"),
    ("pc-i440fx-7.2", "<acpi index='5'/><address type='pci' bus='0x00' slot='0x03'/>", "eno5"),
    ("pc-q35-7.2", "<address type='pci' bus='0x01' slot='0x00'/>", "enp1s0"),
    ("pc-q35-6.0", "<address type='pci' bus='0x02' slot='0x00'/>", "enp2s0"),
    ("pc-q35-7.2", "<address type='pci' bus='0x00' slot='0x03'/>", "enp0s3"),
]


def domain(machine: str, inner: str) -> Target:
    ports = "".join(f"<controller type='pci' index='{number}' model='pcie-root-port'/>" for number in (1, 2))
    bus = "<controller type='pci' index='0' model='pcie-root'/>" + ports if "q35" in machine else ""
    return from_text(
        "web",
        f"<domain type='kvm'><os><type machine='{machine}'>hvm</type></os><devices><disk><target dev='vda'/></disk>{bus}"
        f"<interface type='network'><model type='virtio'/>{inner}</interface></devices></domain>",
    )


@pytest.mark.parametrize(("machine", "inner", "name"), BOOTED)
def test_a_domain_names_its_cards_as_a_booted_guest_does(machine: str, inner: str, name: str) -> None:
    found = worlds(domain(machine, inner), BY_PLACE, 1, ())
    assert {card.names for world in found for card in world.cards} == {(name,)}
    kernel = worlds(domain(machine, inner), BY_KERNEL, 1, ())
    assert {card.names for world in kernel for card in world.cards} == {("eth0",)}


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("gce", {"ens4"}), ("ec2-nitro", {"ens5", "enp39s0"}), ("proxmox", {"ens18", "enp6s18"}), ("kubevirt", {"enp1s0"}),
        ("kvm", {"enp1s0", "ens3"}), ("virtualbox", {"enp0s3"}), ("vmware", {"ens192", "ens160", "ens33", "ens32"}), ("azure", {"eth0"}),
        ("hyperv-gen2", {"eth0"}), ("openstack", {"ens3", "enp1s0", "enp3s0"}),
    ],
)  # fmt: skip
def test_usual_names(target: str, names: set[str]) -> None:
    usual = [world for world in worlds(load(target), BY_PLACE, 1, ()) if world.usual]
    assert {name for world in usual for card in world.cards for name in card.names} == names


def test_the_second_card_follows_the_first() -> None:
    found = worlds(load("proxmox"), BY_PLACE, 3, ())
    assert tuple(card.names for card in found[0].cards) == (("ens18",), ("ens19",), ("ens20",))
    assert [card.names for card in worlds(load("virtualbox"), BY_PLACE, 2, ())[0].cards] == [("enp0s3",), ("enp0s8",)]


@pytest.mark.parametrize(
    ("place", "limit", "xen", "names"),
    [
        (CardPlace("0000:0b:00.0", 192, 16777984), 16383, None, ("ens192",)),
        (CardPlace("0000:0b:00.0", 192, 16777984), 1 << 27, None, ("eno16777984",)),
        (CardPlace("", bus="xen"), 16383, True, ("enX0",)),
        (CardPlace("", bus="xen"), 16383, False, ("eth0",)),
        (CardPlace("", bus="xen"), 16383, None, ("eth0", "enX0")),
        (CardPlace("", bus="vmbus"), 16383, None, ("eth0",)),
    ],
)
def test_versions_of_udev(place: CardPlace, limit: int, xen: bool | None, names: tuple[str, ...]) -> None:
    assert card_names(place, 0, NamePolicy(True, WholeFile("/x"), "", index_limit=limit, names_xen=xen)) == names


@pytest.mark.parametrize(
    ("names", "count"),
    [(["ens192", "ens224"], 2), (["eth0", "ens33", "ens192", "enp1s0"], 1), (["eth0", "eth1", "ens192"], 2), ([], 1)],
)
def test_names_of_one_origin_are_cards_those_of_several_are_alternatives(names: list[str], count: int) -> None:
    assert card_count(names) == count
