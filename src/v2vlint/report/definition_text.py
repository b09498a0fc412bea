"""A machine's definition as labelled lines, as ``inspect`` shows it and ``define`` compares it."""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.model.definition import Definition, DiskDevice, Feature, NicDevice, Topology
from v2vlint.report import words

MAX_LINES = 12
_FIRMWARE = {"bios": "BIOS", "uefi": "UEFI"}
_KINDS = {"ovf": "OVF", "vmx": "VMX", "xva": "XVA", "pvs": "Parallels", "utm": "UTM", "vbox": "VirtualBox", "proxmox": "Proxmox",
          "kubevirt": "KubeVirt", "hyperv": "Hyper-V"}  # fmt: skip


def lines(found: Definition) -> Iterator[tuple[str, str]]:
    """Label and text of everything that a definition states. Of many devices the first :data:`MAX_LINES` are shown."""
    kind = _KINDS.get(found.source, found.source)
    product = "" if found.product in ("", found.source) else f" of {found.product}"
    yield "defined", f"{found.name or 'without a name'} ({kind}{product})"
    yield "machine", _joined(_processors(found), words.size(found.memory_mib << 20) if found.memory_mib else "", *_firmware(found))
    yield "identity", _joined(found.uuid and f"UUID {found.uuid}", found.genid and f"generation {found.genid}")
    yield "variant", f"{found.configuration} of {', '.join(found.configurations)}" if len(found.configurations) > 1 else ""
    yield from _some("attached", [_controller(one.target, one.bus, one.model) for one in found.controllers])
    yield from _some("disk", list(map(_disk, found.disks)))
    yield from _some("card", list(map(_card, found.nics)))
    yield from _some("drive", [_joined(one.kind, one.bus, f"holds {one.path}" if one.path else "empty") for one in found.media])
    yield from _some("snapshot", [one.value or one.kind for one in found.snapshots])
    yield from _some("passed", [f"{one.kind} {one.value}".rstrip() for one in found.passthrough])
    yield "settings", _joined(*(_setting(one) for one in found.features if one.kind != "configuration"))
    yield "running", found.running
    yield from _some("note", list(found.notes))


def _some(label: str, texts: list[str]) -> Iterator[tuple[str, str]]:
    yield from ((label, text) for text in texts[:MAX_LINES])
    if len(texts) > MAX_LINES:
        yield "", f"and {len(texts) - MAX_LINES} more"


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _processors(found: Definition) -> str:
    if not found.cpus:
        return ""
    shape = topology(found.topology)
    model = found.cpu_model or found.cpu_mode
    return words.count(found.cpus, "CPU") + (f" ({_joined(shape, model)})" if shape or model else "")


def topology(found: Topology) -> str:
    """``2 sockets × 4 cores``; empty when it is not stated."""
    if not found.sockets or not found.cores:
        return ""
    threads = f" × {words.count(found.threads, 'thread')}" if found.threads > 1 else ""
    return f"{words.count(found.sockets, 'socket')} × {words.count(found.cores, 'core')}{threads}"


def _firmware(found: Definition) -> Iterator[str]:
    yield _FIRMWARE.get(found.firmware, "")
    yield "Secure Boot" if found.secure_boot else ""
    yield "TPM" if found.tpm else ""
    yield found.arch
    yield found.machine
    yield "encrypted" if found.encrypted else ""


def _controller(target: str, bus: str, model: str) -> str:
    return " ".join(part for part in (f"{target}:" if target else "", bus, model) if part)


def _disk(disk: DiskDevice) -> str:
    marks = ("shared" if disk.shared else "", disk.mode, disk.mapped, disk.backing, "empty" if disk.blank else "",
             "missing" if disk.missing else "")  # fmt: skip
    size = words.size(disk.capacity) if disk.capacity >= 0 else ""
    name = f"{disk.target}: {disk.path}" if disk.target and disk.path else disk.target or disk.path or "no file"
    return _joined(name, f"{disk.bus} {disk.model}".strip(), disk.format, size, *marks)


def _card(nic: NicDevice) -> str:
    kind = "" if nic.kind in ("network", "bridge") else nic.kind
    return _joined(nic.mac or "any address", nic.model, nic.network and f"on {nic.network}", kind, "set by hand" if nic.fixed else "")


def _setting(one: Feature) -> str:
    return one.kind if one.value.lower() in ("", "true") else f"{one.kind} ({one.value})"
