"""XenServer's and XCP-ng's .xva archives: a tar file with ``ova.xml`` (records of the database as XML-RPC values), disks in chunks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import Element

from v2vlint.files import FileOpener
from v2vlint.model.definition import Definition, DiskDevice, Feature, Medium, NicDevice, Topology, place_name
from v2vlint.model.errors import ImageError, Unsupported
from v2vlint.model.place import Where
from v2vlint.model.source import DiskFile, GuestSource
from v2vlint.model.xml_document import MAX_XML, Document, child, local, read_document, text_of
from v2vlint.source.kind import DefinitionKind
from v2vlint.source.nearby import Absent, Found, Nearby, whole
from v2vlint.source.values import generation, identifier, mac_address, number, true

FORMAT = "xva"
"""The image format of a disk that is a folder of chunks in such an archive."""
_BLOCK = 512
_NULL = "OpaqueRef:NULL"
_PACKED = {b"\x1f\x8b": "gunzip", b"\x28\xb5\x2f\xfd": "unzstd"}


def xva(where: str, data: bytes) -> Definition:
    """The first machine of an ``ova.xml``; ImageError when there is none. A disk's ``path`` is its folder in the archive (``Ref:4``)."""
    document = read_document(place_name(where), data)
    if local(document.root) == "appliance":
        raise Unsupported(f"{where}: an export of XenServer 3", hint="import it into a current XenServer or XCP-ng, and export it again")
    return _Export(where, document).definition()


class _Record:
    """One object of the export: the members of its snapshot, and where they are."""

    def __init__(self, name: str, kind: str, members: Mapping[str, Element]) -> None:
        self.name, self.kind, self.members = name, kind, members

    def text(self, key: str) -> str:
        return _text(self.members.get(key))

    def many(self, key: str) -> list[str]:
        """The texts in a list."""
        value = self.members.get(key)
        data = child(child(value, "array"), "data")
        return [] if data is None else [_text(one) for one in data if local(one) == "value"]

    def map(self, key: str) -> dict[str, str]:
        value = self.members.get(key)
        return {} if value is None else {name: _text(one) for name, one in _members(value).items()}


class _Export:
    def __init__(self, where: str, document: Document) -> None:
        self.where, self.document = where, document
        top = _members(document.root)
        data = child(child(top.get("objects"), "array"), "data")
        self.records = {one.name: one for one in map(_record, () if data is None else data)}
        machines = [one for one in self.records.values() if one.kind == "VM" and not true(one.text("is_a_snapshot"))]
        if not machines:
            raise ImageError(f"{where}: no virtual machine in it")
        self.vm, self.further = machines[0], machines[1:]

    def at(self, record: _Record, key: str) -> Where:
        element = record.members.get(key)
        return self.document.at(self.document.root if element is None else element)

    def referred(self, key: str, kind: str) -> Iterator[_Record]:
        yield from (one for name in self.vm.many(key) if (one := self.records.get(name)) is not None and one.kind == kind)

    def drives(self, kind: str) -> list[_Record]:
        found = [one for one in self.referred("VBDs", "VBD") if one.text("type") == kind]
        return sorted(found, key=lambda one: number(one.text("userdevice")))

    def definition(self) -> Definition:
        vm, platform = self.vm, self.vm.map("platform")
        cpus, cores = number(vm.text("VCPUs_max")), number(platform.get("cores-per-socket", ""))
        firmware = vm.map("HVM_boot_params").get("firmware", "bios").lower()
        stated = {"name": "name_label", "cpus": "VCPUs_max", "memory_mib": "memory_static_max", "firmware": "HVM_boot_params",
                  "secure_boot": "platform", "tpm": "VTPMs"}  # fmt: skip
        return Definition(
            source="xva",
            where=self.where,
            name=vm.text("name_label"),
            firmware="uefi" if firmware == "uefi" else "bios",
            disks=tuple(self.disk(one) for one in self.drives("Disk")),
            nics=tuple(self.nics()),
            secure_boot=firmware == "uefi" and true(platform.get("secureboot", "")),
            tpm=bool(vm.many("VTPMs")) or true(platform.get("vtpm", "")),
            memory_mib=number(vm.text("memory_static_max")) >> 20,
            cpus=cpus,
            os_hint=vm.map("other_config").get("base_template_name", ""),
            # Without a boot policy, XenServer starts it paravirtualised.
            machine="" if vm.text("HVM_boot_policy") else "xenpv",
            media=tuple(self.medium(one) for one in self.drives("CD")),
            passthrough=tuple(self.passthrough()),
            snapshots=tuple(Feature("snapshot", one.text("name_label"), self.at(one, "name_label")) for one in self.taken()),
            features=tuple(Feature("further-system", one.text("name_label"), self.at(one, "name_label")) for one in self.further),
            product="xen",
            uuid=identifier(vm.text("uuid")),
            genid=generation(*vm.text("generation_id").partition(":")[::2]),
            topology=Topology(cpus // cores, cores, 1) if cores and cpus % cores == 0 else Topology(),
            path=self.document.path,
            places={name: self.at(vm, key) for name, key in stated.items() if key in vm.members},
            content=self.document.text,
        )

    def taken(self) -> Iterator[_Record]:
        yield from (one for one in self.records.values() if one.kind == "VM" and true(one.text("is_a_snapshot")))

    def disk(self, drive: _Record) -> DiskDevice:
        image = self.records.get(drive.text("VDI"))
        size = number(image.text("virtual_size")) if image else 0
        return DiskDevice(
            image.name if image else "", "xen", target=drive.text("device") or drive.text("userdevice"), capacity=size or -1,
            shared=image is not None and true(image.text("sharable")), where=self.at(drive, "VDI"),
        )  # fmt: skip

    def medium(self, drive: _Record) -> Medium:
        image = self.records.get(drive.text("VDI"))
        inserted = "" if image is None or true(drive.text("empty")) else image.text("name_label") or image.text("location")
        return Medium("cdrom", inserted, "ide", self.at(drive, "type"))

    def nics(self) -> Iterator[NicDevice]:
        for card in sorted(self.referred("VIFs", "VIF"), key=lambda one: number(one.text("device"))):
            network = self.records.get(card.text("network"))
            name = network.text("name_label") if network else ""
            fixed = not true(card.text("MAC_autogenerated")) if "MAC_autogenerated" in card.members else False
            yield NicDevice(mac_address(card.text("MAC")), "netfront", name, "bridge", fixed, self.at(card, "MAC"))

    def passthrough(self) -> Iterator[Feature]:
        if devices := self.vm.map("other_config").get("pci", ""):
            yield Feature("pci", devices, self.at(self.vm, "other_config"))
        yield from (Feature("vgpu", "", self.at(self.vm, "VGPUs")) for _one in self.referred("VGPUs", "VGPU"))


def _record(value: Element) -> _Record:
    members = _members(value)
    snapshot = members.get("snapshot")
    return _Record(_text(members.get("id")), _text(members.get("class")), {} if snapshot is None else _members(snapshot))


def _members(value: Element) -> dict[str, Element]:
    """The members of an XML-RPC struct, by name."""
    struct = child(value, "struct")
    found: dict[str, Element] = {}
    for member in () if struct is None else struct:
        inner = child(member, "value")
        if inner is not None:
            found[text_of(member, "name")] = inner
    return found


def _text(value: Element | None) -> str:
    """A scalar, with or without the element for its type."""
    if value is None:
        return ""
    inner = next(iter(value), value)
    return (inner.text or "").strip()


def _archive(nearby: Nearby) -> GuestSource:
    path = nearby.where
    head = nearby.head(_BLOCK)
    for magic, tool in _PACKED.items():
        if head.startswith(magic):
            raise Unsupported(f"{path}: a compressed archive", hint=f"unpack it once with {tool}, or export it without compression")
    listed = _first(path, nearby.files)
    definition = xva(f"{path}:{listed.name}", whole(listed, MAX_XML, nearby.files))
    return nearby.source(definition, lambda disk: _inside(path, disk))


def _first(path: str, files: FileOpener) -> DiskFile:
    """The member ``ova.xml``, which is the first."""
    with files.open(path).stream() as stream:
        header = stream.read(_BLOCK)
    # The header of tar: the name from 0, the size in octal from 124 (tar.h of POSIX).
    name, size = header[:100].rstrip(b"\0").decode("utf-8", "replace"), header[124:136].strip(b" \0")
    if name.removeprefix("./") != "ova.xml" or not size or set(size) - set(b"01234567"):
        raise ImageError(f"{path}: not an archive of XenServer's: it does not begin with ova.xml")
    return DiskFile(path, "ova.xml", _BLOCK, int(size, 8))


def _inside(path: str, disk: DiskDevice) -> Found:
    if not disk.path or disk.path == _NULL:
        return Absent(f"disk {disk.target or '?'} has no image in it", missing=True)
    return DiskFile(path, f"{path}:{disk.path}", format=FORMAT, member=disk.path)


def _folder(nearby: Nearby) -> GuestSource:
    """An unpacked archive: ``ova.xml`` beside the folders of its disks."""
    definition = xva(nearby.where, nearby.read(nearby.where, MAX_XML))
    reason = "is in chunks: pack the folder again (tar, ova.xml first), or give the .xva file"
    return nearby.source(definition, lambda disk: Absent(f"disk {disk.path or '?'} {reason}"))


def _is_export(head: bytes) -> bool:
    return (b"<name>version</name>" in head and b"<struct>" in head[:400]) or b"<appliance" in head[:300]


KINDS = (
    DefinitionKind("xva", "a XenServer export", (".xva",), _archive, listed=True),
    DefinitionKind("xva-xml", "a XenServer machine (ova.xml)", (".xml",), _folder, knows=_is_export),
)
