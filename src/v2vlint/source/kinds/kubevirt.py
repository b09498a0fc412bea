"""KubeVirt's VirtualMachine and VirtualMachineInstance (kubevirt.io/v1): disks are claims, which are looked for beside the file by name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from v2vlint.model.definition import Definition, DiskDevice, Feature, Medium, NicDevice, Topology, place_name
from v2vlint.model.errors import ImageError
from v2vlint.model.place import Where, WholeFile
from v2vlint.model.source import GuestSource
from v2vlint.model.units import scaled
from v2vlint.source.kind import DefinitionKind
from v2vlint.source.nearby import Absent, Found, Nearby
from v2vlint.source.package import blank
from v2vlint.source.values import identifier, mac_address, number
from v2vlint.source.yaml_document import MAX_YAML, DocumentNode, read_yaml

_KINDS = ("VirtualMachine", "VirtualMachineInstance")
_QUANTITY = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)(Ki|Mi|Gi|Ti|k|M|G|T|m)?")
_UNITS = {None: 1, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SEEDS = ("cloudInitNoCloud", "cloudInitConfigDrive", "sysprep", "configMap", "secret", "serviceAccount", "downwardAPI")
# The last is where a claim that is a filesystem has its disk.
_ENDINGS = ("", ".qcow2", ".img", ".raw", ".img.gz", ".vmdk", "/disk.img")
_NAMED = re.compile(rb"^apiVersion:\s*[\"']?kubevirt\.io/", re.MULTILINE)


def kubevirt(where: str, data: bytes) -> Definition:
    """The first virtual machine in a file. A disk's ``path`` is the name of its claim or host file; ImageError when there is none."""
    text = data.decode("utf-8", "replace")
    documents = read_yaml(place_name(where), text)
    flat = [one for document in documents for one in ((document, *document.get("items").items()))]
    machine = next((one for one in flat if one.get("kind").text in _KINDS), None)
    if machine is None:
        raise ImageError(f"{where}: no VirtualMachine of KubeVirt in it")
    return _Machine(where, text, machine).definition()


class _Machine:
    def __init__(self, where: str, text: str, machine: DocumentNode) -> None:
        self.where, self.text, self.root, self.path = where, text, machine, place_name(where)
        self.spec = machine.get("spec", "template", "spec") or machine.get("spec")
        self.domain = self.spec.get("domain")
        self.devices = self.domain.get("devices")
        self.volumes = {one.get("name").text: one for one in self.spec.get("volumes").items()}

    def at(self, node: DocumentNode) -> Where:
        return node.where if node else WholeFile(self.path)

    def definition(self) -> Definition:
        loader, memory, cpu = self.domain.get("firmware", "bootloader"), self.memory(), self.domain.get("cpu")
        efi, sizes = loader.get("efi"), self.root.get("spec", "instancetype", "name")
        shape = Topology(*(number(cpu.get(key).text) or 1 for key in ("sockets", "cores", "threads"))) if cpu else Topology()
        secure = efi.get("secureBoot")
        places = {"name": self.root.get("metadata", "name"), "firmware": loader, "memory_mib": memory, "cpus": cpu, "secure_boot": secure,
                  "tpm": self.devices.get("tpm"), "machine": self.domain.get("machine", "type"), "cpu_model": cpu.get("model")}  # fmt: skip
        return Definition(
            source="kubevirt",
            where=self.where,
            name=self.root.get("metadata", "name").text,
            firmware="uefi" if efi else "bios",
            disks=tuple(self.disks()),
            nics=tuple(self.nics()),
            # KubeVirt's default is true.
            secure_boot=bool(efi) and (secure.true or not secure),
            tpm=bool(self.devices.get("tpm")),
            memory_mib=_bytes(memory.text) >> 20,
            cpus=shape.sockets * shape.cores * shape.threads or (0 if sizes else 1),
            notes=(f"its size is that of the instance type {sizes.text}, which is in the cluster",) if sizes else (),
            machine=self.domain.get("machine", "type").text,
            cpu_mode=cpu.get("model").text if cpu.get("model").text.startswith("host-") else "",
            cpu_model=cpu.get("model").text,
            media=tuple(self.media()),
            passthrough=tuple(self.passthrough()),
            features=tuple(self.features()),
            product="kubevirt",
            uuid=identifier(self.domain.get("firmware", "uuid").text),
            arch={"amd64": "x86_64", "arm64": "aarch64"}.get(self.spec.get("architecture").text, self.spec.get("architecture").text),
            topology=shape,
            path=self.path,
            places={name: node.where for name, node in places.items() if node},
            content=self.text,
        )

    def memory(self) -> DocumentNode:
        resources = self.domain.get("resources")
        found = (self.domain.get("memory", "guest"), resources.get("requests", "memory"), resources.get("limits", "memory"))
        return next((one for one in found if one), found[0])

    def disks(self) -> Iterator[DiskDevice]:
        stated = list(self.devices.get("disks").items())
        # Those without a number come after the others, in the order of the file.
        order = sorted(stated, key=lambda one: number(one.get("bootOrder").text) or 99)
        for disk in order:
            volume = self.volumes.get(disk.get("name").text)
            kind = next((key for key, value in volume.pairs() if key != "name"), "") if volume else ""
            if not disk.get("cdrom") and not disk.get("floppy") and kind not in _SEEDS:
                yield self.disk(disk, kind, volume.get(kind) if volume else disk.get("none"))

    def disk(self, disk: DocumentNode, kind: str, volume: DocumentNode) -> DiskDevice:
        target = disk.get("lun") or disk.get("disk")
        path, backing, capacity = _source(kind, volume)
        return DiskDevice(
            # KubeVirt's default bus.
            path, target.get("bus").text or "sata", target=disk.get("name").text, shared=disk.get("shareable").true,
            mapped="lun" if disk.get("lun") else "", capacity=capacity, backing=backing, blank=kind == "emptyDisk",
            sector=number(disk.get("blockSize").get("custom").get("logical").text),
            mode="transient" if kind == "ephemeral" else "", where=self.at(disk),
        )  # fmt: skip

    def media(self) -> Iterator[Medium]:
        for disk in self.devices.get("disks").items():
            for kind in ("cdrom", "floppy"):
                if found := disk.get(kind):
                    volume = self.volumes.get(disk.get("name").text)
                    inside = volume.pairs() if volume else ()
                    held = (_source(key, value)[0] or value.get("image").text or key for key, value in inside if key != "name")
                    name = next(held, "")
                    yield Medium(kind, name, found.get("bus").text or "sata", self.at(disk))

    def nics(self) -> Iterator[NicDevice]:
        networks = {one.get("name").text: one for one in self.spec.get("networks").items()}
        for one in self.devices.get("interfaces").items():
            name = one.get("name").text
            kind = next((key for key, _value in one.pairs() if key in ("masquerade", "bridge", "sriov", "macvtap", "slirp", "passt")), "")
            network = networks[name].get("multus", "networkName").text or "pod" if name in networks else ""
            yield NicDevice(mac_address(one.get("macAddress").text), one.get("model").text or "virtio", network, kind, where=self.at(one))

    def passthrough(self) -> Iterator[Feature]:
        for key, kind in (("gpus", "vgpu"), ("hostDevices", "pci")):
            yield from (Feature(kind, one.get("deviceName").text, self.at(one)) for one in self.devices.get(key).items())
        for one in self.devices.get("interfaces").items():
            if one.get("sriov"):
                yield Feature("network card", one.get("name").text, self.at(one))

    def features(self) -> Iterator[Feature]:
        paths = {
            "cpu-affinity": ("cpu", "dedicatedCpuPlacement"), "numa-topology": ("cpu", "numa"), "huge-pages": ("memory", "hugepages"),
            "watchdog": ("devices", "watchdog"), "shared-folder": ("devices", "filesystems"), "sound": ("devices", "sound"),
            "memory-encryption": ("launchSecurity",), "iothreads": ("ioThreadsPolicy",), "direct-kernel": ("firmware", "kernelBoot"),
        }  # fmt: skip
        for kind, keys in paths.items():
            found = self.domain.get(*keys)
            if found and found.text.lower() != "false":
                yield Feature(kind, found.text, self.at(found))


def _source(kind: str, volume: DocumentNode) -> tuple[str, str, int]:
    """The name of the source of a disk, its kind if it is not a file, and its capacity."""
    if kind == "hostDisk":
        return volume.get("path").text, "", _bytes(volume.get("capacity").text) or -1
    if kind == "emptyDisk":
        return "", "", _bytes(volume.get("capacity").text) or -1
    claim = volume.get("claimName").text or volume.get("persistentVolumeClaim", "claimName").text or volume.get("name").text
    if kind in ("persistentVolumeClaim", "dataVolume", "ephemeral"):
        return claim, f"claim {claim}", -1
    return "", f"{kind} {volume.get('image').text}".strip(), -1


def _bytes(text: str) -> int:
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        return 0
    # Kubernetes writes a fraction of a byte in thousandths.
    return scaled(match[1], 1) // 1000 if match[2] == "m" else scaled(match[1], _UNITS[match[2]])


def _locate(nearby: Nearby) -> GuestSource:
    definition = kubevirt(nearby.where, nearby.read(nearby.where, MAX_YAML))
    return nearby.source(definition, lambda disk: _find(nearby, disk))


def _find(nearby: Nearby, disk: DiskDevice) -> Found:
    if disk.blank:
        return blank(nearby.where, disk)
    if not disk.path:
        return Absent(f"disk {disk.target} is in the cluster ({disk.backing or 'nothing is behind it'}): not read")
    if not disk.backing:
        return nearby.local(disk)
    paths = [os.path.join(nearby.folder, os.path.basename(disk.path) + ending) for ending in _ENDINGS]  # noqa: PTH118, PTH119
    found = next((path for path in paths if nearby.problem(path) is None), None)
    if found is None:
        hint = f"'virtctl vmexport download' fetches it; it is then looked for as {os.path.basename(disk.path)}.img beside the file"  # noqa: PTH119
        return Absent(f"disk {disk.target} is in the cluster ({disk.backing}): {hint}", missing=True)
    return nearby.found(disk.path, found)


KINDS = (
    DefinitionKind("kubevirt", "a virtual machine of KubeVirt", (".yaml", ".yml"), _locate, knows=lambda head: bool(_NAMED.search(head))),
)
