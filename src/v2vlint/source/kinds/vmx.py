"""VMware's .vmx files: ``key = "value"`` lines with case-insensitive keys; and the .vmsd file of the machine's snapshots, in the same
syntax.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

from v2vlint.model.dataclass import dataclass
from v2vlint.model.definition import ControllerDevice, Definition, DiskDevice, Feature, Medium, NicDevice, Topology, place_name
from v2vlint.model.place import Span, Token, Where, WholeFile
from v2vlint.model.source import GuestSource
from v2vlint.model.xml_document import line_starts, span_of
from v2vlint.source.kind import DefinitionKind
from v2vlint.source.nearby import Nearby
from v2vlint.source.values import generation, identifier, mac_address, number

MAX_VMX = 1 << 20
MAX_SNAPSHOTS = 500
# The default of libvirt's vmx.c (virVMXParseConfig).
DEFAULT_MEMORY = 32
"""MiB of a machine that states none."""
_LINE = re.compile(r'^[ \t]*([\w.:]+)[ \t]*=[ \t]*"(.*)"[ \t\r]*$', re.MULTILINE)
_DISK = re.compile(r"^(scsi|sata|nvme|ide)(\d{1,3}):(\d{1,3})\.(?:filename|devicetype)$")
_CONTROLLER = re.compile(r"^(scsi|sata|nvme)(\d{1,3})\.present$")
_NIC = re.compile(r"^ethernet(\d{1,3})\.")
_PASSTHROUGH = re.compile(r"^(pcipassthru\d{1,3})\.present$")
_DELTA = re.compile(r"-\d{6}\.vmdk$", re.IGNORECASE)
_BUSES = ("scsi", "nvme", "sata", "ide")
_MAPPED = frozenset({"rawdisk", "scsi-passthru", "scsi-nonpassthru-rdm", "scsi-passthru-rdm"})
_SETTINGS = {
    "sched.cpu.affinity": "cpu-affinity", "numa.nodeaffinity": "numa-affinity", "vcpu.hotadd": "cpu-hotplug",
    "vcpu.hotremove": "cpu-hotplug", "mem.hotadd": "memory-hotplug", "usb.present": "usb-controller", "ehci.present": "usb-controller",
    "sound.present": "sound", "parallel0.present": "parallel-port", "disk.enableuuid": "disk-serials", "ctkenabled": "change-tracking",
    "checkpoint.vmstate": "suspended", "mks.enable3d": "3d-acceleration",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Values:
    """The last value of every key, in lower case, with its place."""

    path: str
    known: Mapping[str, Token]

    def get(self, key: str, default: str = "") -> str:
        token = self.known.get(key)
        return default if token is None else token.value

    def true(self, key: str, default: str = "false") -> bool:
        return self.get(key, default).lower() in ("true", "1", "yes")

    def number(self, key: str) -> int:
        return number(self.get(key))

    def at(self, *keys: str) -> Where:
        return next((self.known[key].where for key in keys if key in self.known), WholeFile(self.path))


def vmx(where: str, data: bytes, snapshots: bytes = b"") -> Definition:
    """The machine that a .vmx file defines; malformed lines are ignored. ``snapshots`` is its .vmsd file."""
    text = _decoded(data)
    values = _parse(place_name(where), text)
    firmware = values.get("firmware")
    encrypted = "encryption.keysafe" in values.known
    # Workstation and Fusion add a TPM by themselves where this says so.
    tpm = values.true("vtpm.present") or values.get("managedvm.autoaddvtpm") == "software"
    return Definition(
        source="vmx",
        where=where,
        name=values.get("displayname"),
        firmware="uefi" if firmware.lower() == "efi" else "bios" if firmware.lower() in ("", "bios") else "",
        disks=tuple(_disks(values)),
        nics=tuple(_nics(values)),
        secure_boot=values.true("uefi.secureboot.enabled"),
        tpm=tpm,
        memory_mib=values.number("memsize") or DEFAULT_MEMORY,
        cpus=values.number("numvcpus") or 1,
        os_hint=values.get("guestos"),
        notes=("encrypted: the disks need VMware to decrypt them",) if encrypted else (),
        media=tuple(_media(values)),
        passthrough=tuple(_passthrough(values)),
        snapshots=(*_taken(place_name(where), _decoded(snapshots)), *_deltas(values)),
        features=tuple(_features(values)),
        product="vmware",
        uuid=identifier(values.get("uuid.bios")),
        genid=generation(values.get("vm.genid"), values.get("vm.genidx")),
        topology=_topology(values),
        controllers=tuple(_controllers(values)),
        encrypted=encrypted,
        path=values.path,
        places={name: values.at(*keys) for name, keys in _PLACES.items() if any(key in values.known for key in keys)},
        content=text,
    )


_PLACES = {
    "name": ("displayname",), "firmware": ("firmware",), "secure_boot": ("uefi.secureboot.enabled",), "memory_mib": ("memsize",),
    "tpm": ("vtpm.present", "managedvm.autoaddvtpm"), "cpus": ("numvcpus",), "encrypted": ("encryption.keysafe",), "os_hint": ("guestos",),
}  # fmt: skip


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _parse(path: str, text: str) -> _Values:
    starts = line_starts(text)
    found: dict[str, Token] = {}
    for match in _LINE.finditer(text):
        # A quotation mark is |22 (libvirt's vmx.c, virVMXUnescapeHexPipe).
        value = re.sub(r"\|([0-9A-Fa-f]{2})", _unescape, match[2])
        found[match[1].lower()] = Token(value, span_of(path, starts, match.start(1), match.end(2) + 1))
    return _Values(path, found)


def _unescape(match: re.Match[str]) -> str:
    return chr(int(match[1], 16))


def _topology(values: _Values) -> Topology:
    cpus, cores = values.number("numvcpus") or 1, values.number("cpuid.corespersocket")
    return Topology(cpus // cores, cores, 1) if cores and cpus % cores == 0 else Topology()


def _controllers(values: _Values) -> Iterator[ControllerDevice]:
    for key in values.known:
        if (match := _CONTROLLER.match(key)) and values.true(key):
            name = f"{match[1]}{match[2]}"
            yield ControllerDevice(match[1], values.get(f"{name}.virtualdev"), name, values.at(f"{name}.virtualdev", key))


def _slots(values: _Values) -> Iterator[tuple[str, str, str]]:
    """The bus, controller and slot (``scsi0:1``) of everything present on a disk controller, in the order of the buses.

    A slot is present if it says so and its controller does; the two IDE controllers always exist (libvirt's vmx.c).
    """
    found = {(match[1], int(match[2]), int(match[3])) for key in values.known if (match := _DISK.match(key))}
    for bus, controller, unit in sorted(found, key=lambda one: (_BUSES.index(one[0]), *one[1:])):
        slot = f"{bus}{controller}:{unit}"
        if values.true(f"{slot}.present") and (bus == "ide" or values.true(f"{bus}{controller}.present")):
            yield bus, f"{bus}{controller}", slot


def _is_medium(values: _Values, slot: str) -> bool:
    path = values.get(f"{slot}.filename").lower()
    return "cdrom" in values.get(f"{slot}.devicetype").lower() or path.endswith((".iso", "auto detect"))


def _disks(values: _Values) -> Iterator[DiskDevice]:
    for bus, controller, slot in _slots(values):
        if f"{slot}.filename" not in values.known or _is_medium(values, slot):
            continue
        kind, mode = values.get(f"{slot}.devicetype").lower(), values.get(f"{slot}.mode").lower()
        shared = values.get(f"{slot}.sharing").lower() == "multi-writer" or values.get(f"{controller}.sharedbus").lower() in (
            "virtual",
            "physical",
        )
        yield DiskDevice(
            values.get(f"{slot}.filename"), bus, values.get(f"{controller}.virtualdev"), target=slot,
            shared=shared,
            mode=mode if mode.startswith("independent") else "",
            mapped=kind if kind in _MAPPED else "",
            where=values.at(f"{slot}.filename"),
        )  # fmt: skip


def _nics(values: _Values) -> Iterator[NicDevice]:
    numbers = {int(match[1]) for key in values.known if (match := _NIC.match(key))}
    for one in sorted(numbers):
        card = f"ethernet{one}"
        if not values.true(f"{card}.present", "false"):
            continue
        stated = values.get(f"{card}.address")
        # VMware writes "generated" or "vpx" for addresses that it has made.
        fixed = bool(stated) and values.get(f"{card}.addresstype", "static").lower() == "static"
        found = {key: mac_address(values.get(key)) for key in (f"{card}.address", f"{card}.generatedaddress")}
        # One that is left over from the other type does not count (libvirt's vmx.c, virVMXParseEthernet).
        keys = sorted(found, key=lambda key: key.endswith(".generatedaddress") == fixed)
        mac = next((found[key] for key in keys if found[key]), "")
        where = values.at(*(key for key in keys if found[key]), f"{card}.present")
        kind = values.get(f"{card}.connectiontype").lower()
        model = values.get(f"{card}.virtualdev")
        # How VMware writes vmxnet2 (libvirt's vmx.c, virVMXParseEthernet).
        if model.lower() == "vmxnet" and values.get(f"{card}.features") == "15":
            model = "vmxnet2"
        yield NicDevice(mac, model, values.get(f"{card}.networkname"), kind, fixed, where)


def _media(values: _Values) -> Iterator[Medium]:
    for bus, _controller, slot in _slots(values):
        if _is_medium(values, slot):
            image = "raw" not in values.get(f"{slot}.devicetype").lower() and values.true(f"{slot}.startconnected", "true")
            path = values.get(f"{slot}.filename") if image else ""
            path = "" if path.lower() in ("auto detect", "emptybackingstring") else path
            yield Medium("cdrom", path, bus, values.at(f"{slot}.filename", f"{slot}.devicetype"))
    for one in ("floppy0", "floppy1"):
        if values.true(f"{one}.present") and values.true(f"{one}.startconnected", "true"):
            path = values.get(f"{one}.filename") if values.get(f"{one}.filetype").lower() == "file" else ""
            yield Medium("floppy", path, "", values.at(f"{one}.filename", f"{one}.present"))


def _passthrough(values: _Values) -> Iterator[Feature]:
    for key, token in values.known.items():
        if (match := _PASSTHROUGH.match(key)) and values.true(key):
            device = match[1]
            kind = "network card" if f"{device}.networkname" in values.known else "vgpu" if f"{device}.vgpu" in values.known else "pci"
            yield Feature(kind, values.get(f"{device}.id"), token.where)


def _boot_disk(values: _Values) -> Iterator[Feature]:
    """The disk that the BIOS starts where that is not the first one (Broadcom article 326326)."""
    order = values.get("bios.hddorder").lower().replace(" ", "").split(",")
    slots = [disk.target for disk in _disks(values)]
    if (first := next((slot for slot in order if slot in slots), "")) and first != slots[0]:
        yield Feature("boot-disk", first, values.at("bios.hddorder"))


def _features(values: _Values) -> Iterator[Feature]:
    yield from _boot_disk(values)
    for key, kind in _SETTINGS.items():
        value = values.get(key)
        if value and value.lower() not in ("false", "all"):
            yield Feature(kind, value, values.at(key))
    for bus, _controller, slot in _slots(values):
        plain = f"{slot}.filename" in values.known and not _is_medium(values, slot)
        if plain and bus == "ide" and values.get(f"{slot}.devicetype").lower() != "ata-harddisk":
            yield Feature("ignored-disk", f"{slot}: no deviceType ata-hardDisk", values.at(f"{slot}.filename"))
        if values.true(f"{slot}.ctkenabled"):
            yield Feature("change-tracking", slot, values.at(f"{slot}.ctkenabled"))


def _deltas(values: _Values) -> Iterator[Feature]:
    """Disks whose file is the delta of a snapshot."""
    for _bus, _controller, slot in _slots(values):
        path = values.get(f"{slot}.filename")
        if _DELTA.search(path):
            yield Feature("delta", path, values.at(f"{slot}.filename"))


def _taken(path: str, text: str) -> Iterator[Feature]:
    """The snapshots that a .vmsd file names."""
    listed = _parse(f"{path.rpartition('.')[0] or path}.vmsd", text)
    for position in range(min(listed.number("snapshot.numsnapshots"), MAX_SNAPSHOTS)):
        if f"snapshot{position}.uid" in listed.known:
            yield Feature("snapshot", listed.get(f"snapshot{position}.displayname"), _line(listed, position))


def _line(listed: _Values, position: int) -> Where:
    where = listed.at(f"snapshot{position}.displayname", f"snapshot{position}.uid")
    return WholeFile(where.path) if isinstance(where, Span) else where


def _locate(nearby: Nearby) -> GuestSource:
    listed = f"{os.path.splitext(nearby.where)[0]}.vmsd"  # noqa: PTH122
    definition = vmx(nearby.where, nearby.read(nearby.where, MAX_VMX), nearby.optional(listed, MAX_VMX))
    return nearby.source(definition, nearby.beside)


KINDS = (DefinitionKind("vmx", "a VMware machine", (".vmx", ".vmtx"), _locate, listed=True, disks=(".vmdk",)),)
