"""Machines as virt-inspector's XML (``virt-inspector.rng`` of guestfs-tools), for programs that read that."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from v2vlint.model.blocks import BlockTable
from v2vlint.model.machine import Application, GuestfsView, Machine, OperatingSystem, Volume
from v2vlint.report.escape import visible

_TYPES = frozenset({"dos", "hurd", "linux", "windows"})
# rpm prints "(none)" for a missing tag, and libguestfs passes it on.
_ABSENT = ("version", "release", "arch", "url", "summary", "description")
_MARKUP = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}


def render(machines: Sequence[Machine]) -> str:
    """One document with every root that libguestfs would recognise, or that can be described in its terms."""
    lines = [line for machine in machines for system in machine.systems for line in _system(machine, system)]
    body = ["<operatingsystems>", *lines, "</operatingsystems>"] if lines else ["<operatingsystems/>"]
    return "\n".join(['<?xml version="1.0"?>', *body]) + "\n"


def escaped(text: str) -> str:
    """Guest text as XML text that a terminal shows as plain characters; characters that XML forbids are escaped (``\\x1b``)."""
    return "".join(map(_character, text))


def _character(char: str) -> str:
    if char in _MARKUP:
        return _MARKUP[char]
    if char.isprintable() or char in "\n\t" or unicodedata.category(char) == "Zs":
        return char
    code = ord(char)
    # The characters of XML 1.0 (section 2.2) that are not printable.
    allowed = 0x7F <= code < 0xD800 or 0xE000 <= code < 0xFFFE or code >= 0x10000
    return f"&#x{code:x};" if allowed else visible(char)


def _element(indent: int, name: str, value: str | int, attribute: str = "") -> Iterator[str]:
    """An element, unless it would be empty."""
    if value != "":
        yield f"{'  ' * indent}<{name}{attribute}>{escaped(str(value))}</{name}>"


def _dev(path: str, name: str = "dev") -> str:
    return f' {name}="{escaped(path)}"'


def _system(machine: Machine, system: OperatingSystem) -> Iterator[str]:
    view = system.libguestfs or _own_view(machine, system)
    if view.type not in _TYPES:
        return
    yield "  <operatingsystem>"
    for name, value in _names(system, view):
        yield from _element(2, name, value)
    yield "    <mountpoints>"
    # By length, as virt-inspector does (inspector.c, compare_keys_len).
    for path, point in sorted(view.mountpoints, key=lambda pair: (len(pair[1]), pair[1])):
        yield from _element(3, "mountpoint", point, _dev(path))
    yield "    </mountpoints>"
    yield from _filesystems(machine, view)
    if view.drives:
        yield "    <drive_mappings>"
        for letter, path in sorted(view.drives):
            yield from _element(3, "drive_mapping", path, _dev(letter, "name"))
        yield "    </drive_mappings>"
    if machine.applications:
        yield from _applications(system, view)
    yield "  </operatingsystem>"


def _names(system: OperatingSystem, view: GuestfsView) -> Iterator[tuple[str, str | int]]:
    yield from (("root", view.root), ("name", view.type), ("arch", view.arch), ("distro", view.distro))
    yield from (("product_name", view.product_name), ("product_variant", view.product_variant))
    yield from (("major_version", view.major), ("minor_version", view.minor))
    yield from (("package_format", view.package_format), ("package_management", view.package_management))
    if system.windows:
        yield "windows_systemroot", system.windows.system_root
        yield "windows_current_control_set", system.windows.control_set
    yield from (("hostname", view.hostname), ("osinfo", view.osinfo))


def _own_view(machine: Machine, system: OperatingSystem) -> GuestfsView:
    """A root that libguestfs would skip, in as many of its terms as possible."""
    paths = {volume.device: volume.path for volume in machine.volumes}
    release, root = system.release, paths.get(system.device, system.device)
    mounts = tuple((paths.get(mount.device, mount.device), mount.path) for mount in system.mounts) or ((root, "/"),)
    return GuestfsView(
        root=root,
        type=release.type,
        arch=system.arch,
        hostname=system.hostname,
        product_name=release.product_name,
        major=release.major,
        minor=release.minor,
        package_format=release.package_format if release.package_format in ("apk", "deb", "ebuild", "pacman", "rpm", "xbps") else "",
        mountpoints=tuple(dict.fromkeys(mounts)),
        filesystems=tuple(dict.fromkeys(path for path, _point in mounts)),
    )


def _filesystems(machine: Machine, view: GuestfsView) -> Iterator[str]:
    known = {volume.device: volume for volume in machine.volumes}
    by_path = {volume.path: volume for volume in machine.volumes}
    blocks = BlockTable(machine.devices)
    yield "    <filesystems>"
    for path in sorted(view.filesystems):
        linked = blocks.resolve(path)
        content = list(_content(by_path.get(_device(path)) or (known.get(linked.name) if linked else None)))
        yield f"      <filesystem{_dev(path)}{'' if content else '/'}>"
        yield from (*content, "      </filesystem>") if content else ()
    yield "    </filesystems>"


def _device(path: str) -> str:
    """The block device in ``btrfsvol:/dev/sda1/@``, or ``/dev/sda1`` itself."""
    return "/".join(path.removeprefix("btrfsvol:").split("/")[:3]) if path.startswith("btrfsvol:") else path


def _content(volume: Volume | None) -> Iterator[str]:
    if volume is not None:
        for name, value in (("type", volume.type), ("label", volume.label), ("uuid", volume.uuid)):
            yield from _element(4, name, value)


def _applications(system: OperatingSystem, view: GuestfsView) -> Iterator[str]:
    """The applications, with the fields that libguestfs fills in for their package format."""
    listed = system.applications if view.package_format in ("apk", "deb", "pacman", "rpm") or system.windows else ()
    if not listed:
        yield "    <applications/>"
        return
    yield "    <applications>"
    for one in listed:
        yield "      <application>"
        for name, value in _fields(one, view.package_format):
            yield from _element(4, name, value)
        yield "      </application>"
    yield "    </applications>"


def _fields(one: Application, package_format: str) -> Iterable[tuple[str, str | int]]:
    rpm, deb, windows = package_format == "rpm", package_format == "deb", not package_format
    none = {name: "(none)" if rpm and name not in one.blank else "" for name in _ABSENT}
    return (
        ("name", one.name),
        ("display_name", one.display_name),
        ("epoch", one.epoch or ""),
        ("version", one.version or none["version"]),
        ("release", one.release or none["release"]),
        ("arch", one.arch or none["arch"]),
        ("install_path", one.install_path),
        ("publisher", one.publisher if windows else ""),
        ("url", one.url or none["url"]),
        ("source_package", one.source if deb else ""),
        ("summary", one.summary or none["summary"] if rpm or deb else ""),
        ("description", one.description or none["description"]),
    )
