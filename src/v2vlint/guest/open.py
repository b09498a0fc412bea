"""From disk files to guests: the roots found by content, each with its mounts, and a reason for everything that could not be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace

from v2vlint.disk.containers.formats import Image, open_image
from v2vlint.disk.containers.inuse import user_of
from v2vlint.disk.filesystems.node import FileSystem
from v2vlint.disk.stream import Fingerprint, HostFile
from v2vlint.disk.volumes.stack import Stack
from v2vlint.guest.boot_chains import with_chains
from v2vlint.guest.roots import Root, find_roots
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.dataclass import dataclass
from v2vlint.model.definition import Definition
from v2vlint.model.errors import ImageError
from v2vlint.model.report import Problem
from v2vlint.model.source import KEY_OPTION, DiskFile, GuestRef, GuestSource, Keys, RootTree
from v2vlint.source.locate import locate
from v2vlint.source.machine import SOURCE as MACHINE

__all__ = ["GuestContents", "Root", "changes", "open_guest", "open_ref"]

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class GuestContents:
    """An opened guest. ``format`` and ``size`` are those of its disks together; ``problems`` lists what could not be read, and why.

    The image files stay open, because ``roots`` and ``filesystems`` (by device, if readable) are read on demand.
    """

    name: str
    format: str
    size: int
    blocks: BlockTable
    roots: tuple[Root, ...] = ()
    problems: tuple[Problem, ...] = ()
    definition: Definition | None = None
    files: tuple[tuple[HostFile, Fingerprint], ...] = field(default=(), repr=False)
    filesystems: Mapping[str, FileSystem] = field(default_factory=dict, repr=False)


def open_ref(ref: GuestRef, keys: Keys | None = None) -> GuestContents:
    """Locate and open a guest like :func:`open_guest`; an unreadable definition becomes a problem."""
    try:
        source = locate(ref)
    except ImageError as error:
        return GuestContents(ref.name, "", 0, BlockTable(complete=False), problems=(Problem(ref.name, str(error), error.hint),))
    return open_guest(source, keys)


def open_guest(source: GuestSource, keys: Keys | None = None) -> GuestContents:
    """Open all disks of ``source`` and find its roots. Never raises because of what is in an image."""
    if source.tree and not source.disks:
        disks = _packed_disks(source.tree)
        if not disks:
            return _in_tree(source, source.tree)
        source = replace(source, disks=disks, tree=None)
    problems = [Problem(source.name, remark) for remark in source.remarks]
    if source.definition and source.definition.running:
        reason = f"the domain is {source.definition.running}: its disks change while they are read"
        problems.append(Problem(source.name, reason, "shut it down first, or check a snapshot of it"))
    images = list(_images(source, problems))
    files = tuple((file, file.fingerprint()) for image in images for file in image.files)
    problems += [] if _is_machine(source) else _in_use(files)
    stack = Stack(images, keys or Keys())
    roots = find_roots(stack)
    blocks = with_chains(stack)
    if len(images) < len(source.disks) or source.remarks:  # what is missing may be on the disk that is
        blocks = replace(blocks, complete=False)
    problems += stack.problems
    problems += _unused_keys(stack)
    if not roots and source.tree:
        roots = tuple(_root_in(source.tree, problems, source.name))
    if not roots:
        problems += _no_system(source, images, stack)
    formats = "+".join(dict.fromkeys(image.format for image in images))
    size = sum(image.stream.size for image in images)
    return GuestContents(source.name, formats, size, blocks, roots, tuple(dict.fromkeys(problems)), source.definition, files, stack.opened)


def _is_machine(source: GuestSource) -> bool:
    """Whether it is a running machine, which naturally uses its own disks."""
    return source.definition is not None and source.definition.source == MACHINE


def _in_use(files: Iterable[tuple[HostFile, Fingerprint]]) -> Iterator[Problem]:
    for file, _state in files:
        if user := user_of(file):
            yield Problem(file.path, f"in use: {user}", "shut the guest down first, or check a snapshot of it")


def _root_in(tree: RootTree, problems: list[Problem], name: str) -> Iterator[Root]:
    """The root that the machine has mounted, if its disks do not show one: encrypted, or on a volume that is not understood."""
    from v2vlint.guest.trees import open_tree, root_of

    try:
        yield root_of(open_tree(tree)[0])
    except ImageError as error:
        problems.append(Problem(name, error.message, error.hint))


def _packed_disks(tree: RootTree) -> tuple[DiskFile, ...]:
    """The disks that a container image contains instead of a tree; a layer that cannot be read is reported with the tree."""
    from v2vlint.disk.containers.layer import disks_in

    try:
        return tuple(disks_in(tree.archives)) if tree.layers else ()
    except ImageError:
        return ()


def _in_tree(source: GuestSource, tree: RootTree) -> GuestContents:
    """The guest for a root filesystem alone: nothing is known about its disks."""
    from v2vlint.guest.trees import DEVICE, open_tree, root_of

    nothing = BlockTable(complete=False)
    problems = tuple(Problem(source.name, remark) for remark in source.remarks)
    try:
        system, files = open_tree(tree)
        root = root_of(system)
    except ImageError as error:
        problem = Problem(source.name, error.message.removeprefix(f"{source.name}: "), error.hint)
        return GuestContents(source.name, "tree", 0, nothing, problems=(*problems, problem), definition=source.definition)
    states = tuple((file, file.fingerprint()) for file in files)
    size = sum(file.size for file in files)
    return GuestContents(source.name, "tree", size, nothing, (root,), problems, source.definition, states, {DEVICE: system})


def changes(guest: GuestContents) -> tuple[Problem, ...]:
    """Image files that changed since the guest was opened; call it when everything has been read."""
    changed = dict.fromkeys(file.path for file, before in guest.files if file.fingerprint() != before)
    return tuple(Problem(path, "changed while it was read", "shut the guest down, or check a snapshot of it") for path in changed)


def _images(source: GuestSource, problems: list[Problem]) -> Iterator[Image]:
    for file in source.disks:
        try:
            image = open_image(file)
        except ImageError as error:
            problems.append(Problem(file.name, str(error).removeprefix(f"{file.name}: "), error.hint))
            continue
        problems += [Problem(file.name, remark.removeprefix(f"{file.name}: ")) for remark in image.remarks]
        yield image


def _no_system(source: GuestSource, images: list[Image], stack: Stack) -> Iterator[Problem]:
    """Why there is no root; empty when disks that could not be opened are reason enough."""
    if not source.disks and not (source.definition and source.definition.disks):
        yield Problem(source.name, "no disks")
    for name, reason in stack.unreadable:
        yield Problem(name, reason)
    blank = [device for device in stack.blocks.disks if _is_bare(stack, device)]
    for device in blank:
        if not device.problem:
            yield Problem(device.name, _why_bare(stack, device))
    if images and len(blank) < len(images):
        seen = ", ".join(f"{device.name} ({device.fs_type})" for device in stack.filesystems())
        yield Problem(
            source.name, f"no operating system found on {seen}" if seen else "no operating system found: no filesystem to look at"
        )


def _unused_keys(stack: Stack) -> Iterator[Problem]:
    """Keys for devices that do not exist or are not encrypted."""
    there = list(stack.encrypted())
    known = ", ".join(device.name for device, _names in there) or "none"
    for name in stack.keys.unused(there, stack.blocks):
        yield Problem(f"{KEY_OPTION} {name}", "no encrypted device has that name", f"encrypted devices: {known}")


def _is_bare(stack: Stack, device: BlockDevice) -> bool:
    return not device.fs_type and not stack.blocks.children(device.name)


def _why_bare(stack: Stack, device: BlockDevice) -> str:
    stream = stack.layers[device.name].stream
    try:
        if stream is not None and not any(stream.read_at(0, _CHUNK)):
            return "blank: no partition table and no filesystem"
    except ImageError as error:
        return str(error)
    return "not a disk image, or an unknown layout: no partition table and no known filesystem"
