"""A machine as a KubeVirt VirtualMachine (kubevirt.io/v1). Its disks are claims that have to be filled first."""

from __future__ import annotations

import re

from v2vlint.defining.protocol import ProposedMachine
from v2vlint.model.plain import JsonObject

TITLE = "a VirtualMachine of KubeVirt (YAML)"
MAX_NAME = 52
"""Maximum length of a name: claims, launcher pods and the virtual machine append a suffix to it, in a label of 63."""
# KubeVirt has no IDE.
_BUSES = {"virtio": "virtio", "scsi": "scsi", "sata": "sata", "ide": "sata"}
_CARDS = {"virtio": "virtio", "e1000e": "e1000e", "e1000": "e1000", "rtl8139": "rtl8139"}
_ENLIGHTENED = ("relaxed", "vapic", "vpindex", "synic")


def render(machine: ProposedMachine) -> str:
    """The YAML, with the preparatory steps as comments."""
    import yaml

    name = label(machine.name)
    claims = [f"{name}-disk{number + 1}" for number in range(len(machine.disks))]
    lines = ["# Disks become claims:"]
    for claim, disk in zip(claims, machine.disks, strict=True):
        # As an ASCII literal: a line end in the name would end the comment.
        lines.append(f"#   virtctl image-upload pvc {claim} --size=SIZE --image-path={disk.path!a}")
    if machine.local_clock and not machine.zone:
        lines.append('# Windows keeps the hardware clock in its local time: replace "utc: {}" by "timezone: ZONE" (Europe/Paris).')
    text: str = yaml.safe_dump(_machine(machine, name, claims), sort_keys=False, width=120)
    return "\n".join((*lines, text))


def label(text: str) -> str:
    """A name in the form that Kubernetes accepts (RFC 1123)."""
    return re.sub(r"[^a-z0-9-]+", "-", text.lower())[:MAX_NAME].strip("-") or "guest"


def _machine(machine: ProposedMachine, name: str, claims: list[str]) -> JsonObject:
    volumes = [{"name": f"disk{number + 1}", "persistentVolumeClaim": {"claimName": claim}} for number, claim in enumerate(claims)]
    spec: JsonObject = {"domain": _domain(machine), "networks": _networks(machine), "volumes": volumes}
    if machine.arch == "aarch64":
        spec["architecture"] = "arm64"
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": name},
        # The claims have to be filled before it starts.
        "spec": {"runStrategy": "Halted", "template": {"metadata": {"labels": {"kubevirt.io/domain": name}}, "spec": spec}},
    }


def _domain(machine: ProposedMachine) -> JsonObject:
    domain: JsonObject = {
        "machine": {"type": machine.machine},
        "cpu": _cpu(machine),
        "memory": {"guest": f"{machine.memory_mib}Mi"},
        "clock": _clock(machine),
        "firmware": _firmware(machine),
        "devices": _devices(machine),
    }
    features: JsonObject = {"acpi": {}}
    if machine.secure_boot:
        features["smm"] = {"enabled": True}
    if machine.hyperv:
        features["hyperv"] = {**{name: {} for name in _ENLIGHTENED}, "synictimer": {}, "spinlocks": {"spinlocks": 8191}}
    return {**domain, "features": features}


def _cpu(machine: ProposedMachine) -> dict[str, int]:
    shape = machine.topology
    if shape is None:
        return {"sockets": machine.cpus}
    return {"sockets": shape.sockets, "cores": shape.cores, "threads": max(1, shape.threads)}


def _clock(machine: ProposedMachine) -> JsonObject:
    # KubeVirt has no "localtime"; a zone becomes the TZ variable of QEMU, whose clock then shows the zone's time.
    offset: JsonObject = {"timezone": machine.zone} if machine.local_clock and machine.zone else {"utc": {}}
    if not machine.hyperv:
        return offset
    timer = {"hpet": {"present": False}, "pit": {"tickPolicy": "delay"}, "rtc": {"tickPolicy": "catchup"}, "hyperv": {}}
    return {**offset, "timer": timer}


def _firmware(machine: ProposedMachine) -> JsonObject:
    loader = {"efi": {"secureBoot": machine.secure_boot}} if machine.firmware == "uefi" else {"bios": {}}
    return {"bootloader": loader, **({"uuid": machine.uuid} if machine.uuid else {})}


def _devices(machine: ProposedMachine) -> JsonObject:
    disks = [
        {
            "name": f"disk{number + 1}",
            "disk": {"bus": _BUSES[disk.bus]},
            **({"bootOrder": 1} if number == machine.boot_disk else {}),
            **({"blockSize": {"custom": {"logical": disk.sector, "physical": disk.sector}}} if disk.sector != 512 else {}),
        }
        for number, disk in enumerate(machine.disks)
    ]
    interfaces = [
        # A bridge on the pod network would rule out live migration.
        {"name": f"net{number + 1}", "masquerade" if number == 0 else "bridge": {}, "model": _CARDS[card.model],
         **({"macAddress": card.mac} if card.mac else {})}
        for number, card in enumerate(machine.cards)
    ]  # fmt: skip
    found: JsonObject = {"disks": disks, "interfaces": interfaces, "autoattachMemBalloon": machine.balloon}
    if machine.rng:
        found["rng"] = {}
    if machine.tpm:
        # What is sealed in it must survive a restart.
        found["tpm"] = {"persistent": True}
    return found


def _networks(machine: ProposedMachine) -> list[JsonObject]:
    """The first card is on the pod network; each further one needs a network of the cluster."""
    networks: list[JsonObject] = []
    for number in range(len(machine.cards)):
        kind: JsonObject = {"multus": {"networkName": f"network{number + 1}"}} if number else {"pod": {}}
        networks.append({"name": f"net{number + 1}", **kind})
    return networks
