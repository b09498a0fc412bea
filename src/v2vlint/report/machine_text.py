"""A machine on one screen of text: what it is, how it boots, its configuration, where its files are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from v2vlint.model.machine import (
    Encryption,
    InstalledKernel,
    Machine,
    NetworkInterface,
    OperatingSystem,
    Volume,
)
from v2vlint.model.report import Problem
from v2vlint.report import definition_text, words
from v2vlint.report.escape import visible
from v2vlint.report.formats.text import Look
from v2vlint.report.layout import Row, Styled, flow, paragraph

PLAIN = Look()
LABEL = 10
MAX_KERNELS, MAX_INTERFACES, MAX_VOLUMES = 3, 6, 16
_SHOWN = ("virtio-blk", "virtio-scsi", "virtio-net", "nvme", "vsock", "xen-storage", "hyperv-storage", "vmware-storage", "ena")
_SHIPPED = ("/usr/lib/", "/lib/")
_FIRMWARE = {"bios": "BIOS", "uefi": "UEFI", "bios+uefi": "BIOS and UEFI"}
Cells = tuple[str, ...]


def rows(machines: Sequence[Machine], look: Look = PLAIN) -> list[Row]:
    """All machines."""
    return [row for machine in machines for row in _machine(machine, look)]


def _machine(machine: Machine, look: Look) -> Iterator[Row]:
    name = visible(machine.name)
    yield (
        Styled(look.line * 2 + " ", "dim"),
        Styled(name, "title"),
        Styled(" " + look.line * max(2, look.width - len(name) - 4), "dim"),
    )
    disks = words.count(sum(device.kind == "disk" for device in machine.devices), "disk")
    about = [f"{machine.format} {words.size(machine.size)}" if machine.format else "", disks if machine.devices else ""]
    about.append(f"laid out for {_FIRMWARE[machine.firmware]}" if machine.firmware in _FIRMWARE else "")
    text = f" {look.dot} ".join(visible(part) for part in about if part)
    yield from paragraph(text, look.width, 3, "dim") if text else ()
    yield from _encryption(machine, look)
    yield from _definition(machine, look)
    yield from _incomplete(machine, look)
    yield ()
    for system in machine.systems:
        yield from _system(machine, system, look)
        yield ()
    if len(machine.systems) > 1 and machine.boot_reason:
        yield from _fact("starts", machine.boot_reason, look)
        yield ()
    rest = [volume for volume in machine.volumes if volume.device not in _mounted(machine) and not _is_layer(volume)]
    if rest:
        yield from _volumes("not mounted", [("swap" if volume.type == "swap" else "", volume) for volume in rest], look)
        yield ()
    for problem in machine.problems:
        yield from _problem(machine, problem, look)
    if len(machine.files) > 1 or any(file.before for file in machine.files):
        for file in machine.files:
            yield from paragraph(visible(f"read {words.opened(file)}"), look.width, 3, "dim")


def _definition(machine: Machine, look: Look) -> Iterator[Row]:
    if machine.definition is not None:
        yield ()
        for label, text in definition_text.lines(machine.definition):
            yield from _fact(label, text, look) if text else ()


def _is_layer(volume: Volume) -> bool:
    """Whether it contains other volumes rather than files."""
    return volume.type.endswith("_member") or volume.type in ("crypto_LUKS", "BitLocker")


def _mounted(machine: Machine) -> set[str]:
    return {mount.device for system in machine.systems for mount in system.mounts}


def _encryption(machine: Machine, look: Look) -> Iterator[Row]:
    for one in machine.encryption:
        state = "opened" if one.opened else "not opened"
        kind = f"{one.type} ({one.state})" if one.state else one.type
        parts = [f"{one.device}: {kind}, {state}", one.cipher, one.kdf, *(f"unlocked by {way}" for way in one.unlocks), _protectors(one)]
        yield from _fact("encrypted", ", ".join(part for part in parts if part), look, "" if one.opened else "unknown")


def _incomplete(machine: Machine, look: Look) -> Iterator[Row]:
    """Arrays and volumes with missing or outdated members."""
    for device in machine.devices:
        lost, gone, behind = (device.detail(key) for key in ("degraded", "not_copied", "left_behind"))
        of = f" of {device.detail('members')}" if device.detail("members") else ""
        parts = [f"{lost}{of} missing" if lost else "", f"{gone} not among these disks" if gone else ""]
        parts.append(f"{behind.replace(',', ', ')} left behind" if behind else "")
        if any(parts):
            text = ", ".join(part for part in (device.detail("level"), *parts) if part)
            yield from _fact("incomplete", f"{device.name}: {text}", look, "unknown")


def _protectors(one: Encryption) -> str:
    """BitLocker's key protectors; a recovery password by the digits under which it is filed."""
    ids = iter(one.recovery_ids)
    words = (f"{kind} {next(ids, '')[:8].upper()}".rstrip() if kind == "recovery password" else kind for kind in one.protectors)
    return f"protected by {', '.join(words)}" if one.protectors else ""


def _system(machine: Machine, system: OperatingSystem, look: Look) -> Iterator[Row]:
    release = system.release
    title = visible(release.product_name or release.distro or release.type)
    more = [system.arch, system.hostname, release.osinfo]
    marked = "the disk boots this one" if len(machine.systems) > 1 and system.boots else ""
    about = [Styled(f"{look.dot} {visible(part)}") for part in more if part] + ([Styled(f"{look.dot} {marked}", "ok")] if marked else [])
    yield from flow([Styled(title, "title"), *about], look.width, 3, " ")
    for label, text in _facts(machine, system):
        if text:
            yield from _fact(label, text, look)
    yield from _kernels(system, look)
    yield from _interfaces(system.interfaces, look)
    yield from _table(machine, system, look)
    for problem in system.unread:
        yield from _fact("unread", f"{problem.where}: {problem.reason}".removeprefix(": "), look, "unknown")


def _facts(machine: Machine, system: OperatingSystem) -> Iterator[tuple[str, str]]:
    release, windows = system.release, system.windows
    yield "version", _version(system)
    layers = _root(machine, system)
    yield "root", layers
    start = [system.loader, system.loader_config and f"reads {system.loader_config}", _FIRMWARE.get(system.firmware, "")]
    loader = ", ".join(part for part in start if part)
    yield "loader", loader if system.loader or windows or system.release.type != "linux" else "none of its own"
    packages = words.count(len(system.applications), "application" if windows else "package") if machine.applications else ""
    tools = " with ".join(part for part in (release.package_format, release.package_manager) if part)
    yield "installed", ", ".join(part for part in (packages, tools, release.image and f"deployed by {release.image}") if part)
    yield "drivers", ", ".join(dict.fromkeys(one.name for one in system.drivers))
    yield "agents", ", ".join(f"{one.name}{'' if one.running else ' (does not start)'}" for one in system.agents)
    yield "log in on", ", ".join(system.consoles)
    yield "drives", ", ".join(f"{drive.letter}: {drive.device}" for drive in system.drives)


def _version(system: OperatingSystem) -> str:
    """The version, unless the title already states it."""
    release = system.release
    if system.windows is not None:
        edition = system.windows.edition
        return ", ".join(part for part in (release.version, release.codename, edition, release.variant) if part)
    parts = (release.version, release.codename, release.variant, release.build_id and f"build {release.build_id}")
    return ", ".join(part for part in parts if part and part not in release.product_name)


def _root(machine: Machine, system: OperatingSystem) -> str:
    parts = [_stack(machine, system.device), system.subvolume and f"subvolume {system.subvolume}"]
    parts.append(system.deployment and f"deployment {system.deployment.rsplit('/', 1)[-1]}")
    return ", ".join(part for part in (system.device, *parts) if part)


_LAYERS = {"lv": "LVM", "luks": "LUKS", "md": "RAID", "bitlocker": "BitLocker", "ldm": "a dynamic disk"}


def _stack(machine: Machine, name: str) -> str:
    """The layers under a filesystem: ``ext4 on LVM on LUKS``."""
    by_name = {device.name: device for device in machine.devices}
    device, layers = by_name.get(name), list[str]()
    if device is None:
        return ""
    layers.append(device.fs_type or "unknown filesystem")
    # No more: the parents of damaged volumes may form a circle.
    for _depth in range(8):
        layers += [_LAYERS[device.kind]] if device.kind in _LAYERS else []
        parent = by_name.get(device.parents[0]) if device.parents else None
        if parent is None:
            break
        device = parent
    return " on ".join(layers)


def _kernels(system: OperatingSystem, look: Look) -> Iterator[Row]:
    """The default kernel, then the newest one."""
    for kernel in sorted(system.kernels, key=lambda kernel: not kernel.default)[:MAX_KERNELS]:
        yield from _fact("kernel", _kernel(kernel, len(system.kernels) > 1), look)
    if len(system.kernels) > MAX_KERNELS:
        yield from _fact("", f"and {len(system.kernels) - MAX_KERNELS} more", look, "dim")


def _kernel(kernel: InstalledKernel, several: bool) -> str:
    has = [name for name in _SHOWN if kernel.has(name)]
    lacks = [name for name in _SHOWN if kernel.has(name) is False]
    marks = [word for word, yes in (("default", several and kernel.default), ("no image left", not kernel.image)) if yes]
    parts = [f"drives {' '.join(has)}" if has else "", f"lacks {' '.join(lacks)}" if lacks else ""]
    head = (kernel.version or kernel.image) + (f" ({', '.join(marks)})" if marks else "")
    return "; ".join(part for part in (head, *parts) if part)


def _interfaces(interfaces: Sequence[NetworkInterface], look: Look) -> Iterator[Row]:
    """The interfaces, except those that the distribution ships for containers and tunnels."""
    own = [one for one in interfaces if one.kind == "ethernet" or not one.where.startswith(_SHIPPED)]
    for one in own[:MAX_INTERFACES]:
        yield from _fact("network", _interface(one), look)
    if len(own) > MAX_INTERFACES:
        yield from _fact("", f"and {len(own) - MAX_INTERFACES} more", look, "dim")


def _interface(one: NetworkInterface) -> str:
    address = " ".join(one.addresses) if one.method == "static" else {"none": "no address"}.get(one.method, one.method)
    parts = [address or one.method, one.gateways and f"via {' '.join(one.gateways)}", one.dns and f"DNS {' '.join(one.dns)}",
             one.uses and f"on {' '.join(one.uses)}", one.mac and f"MAC {one.mac}"]  # fmt: skip
    kind = "" if one.kind == "ethernet" else f"{one.kind} "
    tail = one.manager if one.active else f"{one.manager}, not brought up"
    return f"{kind}{one.name or 'any card'}: {', '.join(part for part in parts if part)} ({tail})"


def _table(machine: Machine, system: OperatingSystem, look: Look) -> Iterator[Row]:
    by_device = {volume.device: volume for volume in machine.volumes}
    mounts = [(mount.path, by_device.get(mount.device)) for mount in system.mounts]
    yield from _volumes("", [(path, volume) for path, volume in mounts if volume is not None], look)


def _volumes(head: str, found: Sequence[tuple[str, Volume]], look: Look) -> Iterator[Row]:
    """A table of volumes, with the UUID if there is room."""
    if not found:
        return
    table = [(head, "device", "type", "size", "used", "label", "UUID"), *(_cells(path, one) for path, one in found[:MAX_VOLUMES])]
    shown = list(_columns(table, look.width - 5))
    for number, cells in enumerate(shown):
        text = "  ".join(cell.rjust(len(cell)) for cell in cells).rstrip()
        yield (Styled("     "), Styled(text, "dim" if number == 0 else ""))
    if len(found) > MAX_VOLUMES:
        yield (Styled(f"     and {len(found) - MAX_VOLUMES} more", "dim"),)


def _cells(path: str, volume: Volume) -> Cells:
    used = f"{100 * volume.used // volume.size}%" if volume.used >= 0 and volume.size > 0 else ""
    cells = (path, volume.device, volume.type, words.size(volume.size), used, volume.label, volume.uuid)
    return tuple(map(visible, cells))


def _columns(table: Sequence[Cells], room: int) -> Iterator[Cells]:
    """The columns padded to their widths, without the UUID if that is too wide, and truncated to the available room."""
    table = _without_empty(table)
    for count in range(len(table[0]), 3, -1):
        kept = [row[:count] for row in table]
        widths = [max(len(row[column]) for row in kept) for column in range(count)]
        if sum(widths) + 2 * (count - 1) <= room or count == 4:
            break
    right = {3, 4}
    for row in kept:
        padded = (cell.rjust(width) if at in right else cell.ljust(width) for at, (cell, width) in enumerate(zip(row, widths, strict=True)))
        yield tuple(padded)


def _without_empty(table: Sequence[Cells]) -> Sequence[Cells]:
    """Without empty columns after the sizes."""
    kept = [column for column in range(len(table[0])) if column < 5 or any(row[column] for row in table[1:])]
    return [tuple(row[column] for column in kept) for row in table]


def _fact(label: str, text: str, look: Look, style: str = "") -> Iterator[Row]:
    yield from paragraph(text, look.width, 5, style, Styled(f"{label:<{LABEL}} ", "dim"))


def _problem(machine: Machine, problem: Problem, look: Look) -> Iterator[Row]:
    where = "" if problem.where == machine.name else visible(problem.where)
    yield (Styled("  "), Styled("unread   ", "unknown"), Styled(where, "place"))
    yield from paragraph(problem.reason.removeprefix(f"{machine.name}: "), look.width, look.indent)
    if problem.hint:
        yield from paragraph(problem.hint, look.width, look.indent, "dim", Styled(f"{look.arrow} ", "dim"))
    yield ()
