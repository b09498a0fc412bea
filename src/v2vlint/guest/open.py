"""From disk files to guests: the roots found by content, each with its mounts, and every reason why something could not be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from v2vlint.disk.container import Image, open_image
from v2vlint.disk.stack import Stack
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.osprobe import linux_info
from v2vlint.model.blocks import BlockTable
from v2vlint.model.definition import Definition
from v2vlint.model.errors import FactUnavailable, ImageError
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.report import Problem
from v2vlint.model.source import GuestRef, GuestSource, Keys
from v2vlint.source.locate import locate


@dataclass(frozen=True, slots=True)
class Root:
    """One operating system: the name of the block device of its root, its files and what it is."""

    device: str
    fs: GuestFS
    os: OsInfo


@dataclass(frozen=True, slots=True)
class Guest:
    """An opened guest. ``format`` and ``size`` are those of its disks together; ``problems`` say what could not be read, and why."""

    name: str
    format: str
    size: int
    blocks: BlockTable
    roots: tuple[Root, ...] = ()
    problems: tuple[Problem, ...] = ()
    definition: Definition | None = None


def open_ref(ref: GuestRef, keys: Keys | None = None) -> Guest:
    """Locate and open a guest; like :func:`open_guest`, with a definition that cannot be read as a problem."""
    try:
        source = locate(ref)
    except ImageError as error:
        return Guest(ref.name, "", 0, BlockTable(complete=False), problems=(Problem(ref.name, str(error), error.hint),))
    return open_guest(source, keys)


def open_guest(source: GuestSource, keys: Keys | None = None) -> Guest:
    """Open all disks of ``source`` and find its roots. Never raises because of what is in an image."""
    problems = [Problem(source.name, remark) for remark in source.remarks]
    images = list(_images(source, problems))
    stack = Stack(images, keys or Keys())
    roots = tuple(_roots(stack))
    formats = "+".join(dict.fromkeys(image.format for image in images))
    size = sum(image.stream.size for image in images)
    problems += stack.problems
    if not roots:
        problems.append(Problem(source.name, "no operating system found"))
    return Guest(source.name, formats, size, stack.blocks, roots, tuple(problems), source.definition)


def _images(source: GuestSource, problems: list[Problem]) -> Iterator[Image]:
    for file in source.disks:
        try:
            image = open_image(file)
        except ImageError as error:
            problems.append(Problem(file.name, str(error).removeprefix(f"{file.name}: "), error.hint))
            continue
        problems += [Problem(file.name, remark.removeprefix(f"{file.name}: ")) for remark in image.remarks]
        yield image


def _roots(stack: Stack) -> Iterator[Root]:
    for device in stack.filesystems():
        fs = stack.open(device.name)
        if fs is None:
            continue
        guest = GuestFS({"/": fs})
        if _is_linux(guest):
            yield Root(device.name, guest, linux_info(guest))


def _is_linux(fs: GuestFS) -> bool:
    try:
        programs = fs.is_dir("/bin") or fs.is_dir("/usr/bin") or fs.readlink("/bin") is not None
        return fs.is_dir("/etc") and programs
    except FactUnavailable:
        return False
