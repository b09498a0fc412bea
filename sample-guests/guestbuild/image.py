"""From a recipe to qcow2 files: filesystems from directory trees, volume groups, partitions, boot code."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from guestbuild import btrfs, extlinux, filesystem, grub, legacy, lvm, md, ntfs
from guestbuild.partition import MIB, SECTOR, Partition, disk_size, partition
from guestbuild.recipe import Disk, FileSystem, Part, Recipe
from guestbuild.tools import blank, copy_into, run, stable_uuid, to_qcow2, write_at
from guestbuild.tree import unfold

_BOOT_CODE = {
    # What parted writes where there is no boot code: it looks for the active partition and starts that, then or for ever.
    "parted": bytes.fromhex(
        "fab800108ed0bc00b0b800008ed88ec0fbbe007cbf0006b90002f3a4ea21060000bebe073804750b83c61081fefe0775"
        "f3eb16b402b001bb007cb2808a74018b4c02cd13ea007c0000ebfe00"
    ),
    "windows": b"\x33\xc0\x8e\xd0\xbc".ljust(0x163, b"\0") + b"Invalid partition table\0Error loading operating system\0",
}


@dataclass(frozen=True, slots=True)
class _Job:
    recipe: Recipe
    work: Path

    def uuid(self, *name: str) -> str:
        return stable_uuid(self.recipe.id, *name)


def build(recipe: Recipe, source: Path, output: Path) -> tuple[Path, ...]:
    """Build the disks of ``recipe`` into ``output``: ``ID.qcow2``, or ``ID-1.qcow2``, ``ID-2.qcow2``… ``source`` holds its root/ trees."""
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{recipe.id}-", dir=output) as folder:
        job = _Job(recipe, Path(folder))
        for name, spec in recipe.trees.items():
            unfold(spec, source / name, job.work / "trees" / name)
            _add_loaders(recipe, job.work / "trees" / name)
        _check_trees(job)
        images = []
        for number, disk in enumerate(recipe.disks, 1):
            name = recipe.id if len(recipe.disks) == 1 else f"{recipe.id}-{number}"
            images.append(to_qcow2(_disk(job, disk, number), output / f"{name}.qcow2"))
    return tuple(images)


def _check_trees(job: _Job) -> None:
    for name in job.recipe.trees:
        for system in sorted(_file_systems(job.recipe), key=lambda one: -len(one.mount)):
            if system.tree == name and system.mount not in ("", "/"):
                (job.work / "trees" / name / system.mount.lstrip("/")).mkdir(parents=True, exist_ok=True)


def _file_systems(recipe: Recipe) -> list[FileSystem]:
    parts = [part for disk in recipe.disks for part in disk.parts]
    return [*parts, *(volume for part in parts for volume in part.volumes)]


def _disk(job: _Job, disk: Disk, number: int) -> Path:
    contents = [_part(job, part, f"disk{number}p{index}") for index, part in enumerate(disk.parts, 1)]
    if disk.table == "none":
        assert contents[0] is not None
        return contents[0]
    pairs = zip(disk.parts, contents, strict=True)
    layout = tuple(_partition(job, part, content, f"{number}.{index}") for index, (part, content) in enumerate(pairs))
    path = blank(job.work / f"disk{number}.raw", disk_size(layout))
    identity = disk.identity or (job.uuid("disk", str(number)) if disk.table == "gpt" else f"0x{job.uuid('disk', str(number))[:8]}")
    offsets = partition(path, disk.table, layout, identity)
    for offset, content in zip(offsets, contents, strict=True):
        if content is not None:
            copy_into(path, offset, content)
    _write_loader(job, disk, path, offsets, contents)
    for content in contents:
        if content is not None:
            content.unlink()
    return path


def _write_loader(job: _Job, disk: Disk, path: Path, offsets: tuple[int, ...], contents: list[Path | None]) -> None:
    if disk.boot == "syslinux":
        part, offset, content = next(one for one in zip(disk.parts, offsets, contents, strict=True) if one[0].active)
        assert content is not None
        extlinux.write(path, offset, content, extlinux.folder_of(job.work / "trees" / part.tree).removeprefix(part.mount.rstrip("/")))
    elif disk.boot == "grub-legacy":
        number, part = _legacy_home(disk)
        legacy.write(path, part.number or number, part.fs, part.mount)
    else:
        _write_boot_code(disk, path, offsets, disk.prefix or _grub_prefix(job.recipe, disk))


def _add_loaders(recipe: Recipe, tree: Path) -> None:
    for disk in recipe.disks:
        if disk.boot == "syslinux":
            extlinux.add_files(tree)
        elif disk.boot == "grub-legacy":
            legacy.add_files(tree, _legacy_home(disk)[1].mount)


def _legacy_home(disk: Disk) -> tuple[int, Part]:
    """The partition with GRUB's folder, and its number."""
    parts = [(number, part) for number, part in enumerate(disk.parts, 1) if part.mount and _below(legacy.FOLDER, part.mount)]
    return max(parts, key=lambda pair: len(pair[1].mount))


def _grub_prefix(recipe: Recipe, disk: Disk) -> str:
    """Where grub-install would have GRUB look: the folder of the grub.cfg that is on this disk, as GRUB names it."""
    for system, name in sorted(_grub_names(disk), key=lambda pair: -len(pair[0].mount)):
        files = recipe.trees[system.tree].files
        for folder in ("/boot/grub2", "/boot/grub"):
            if system.mount and f"{folder}/grub.cfg" in files and (folder == system.mount or _below(folder, system.mount)):
                return f"({name})/{folder.removeprefix(system.mount).lstrip('/')}"
    return ""


def _grub_names(disk: Disk) -> Iterator[tuple[FileSystem, str]]:
    table = "gpt" if disk.table == "gpt" else "msdos"
    for number, part in enumerate(disk.parts, 1):
        yield part, f",{table}{part.number or number}"
        yield from ((volume, f"lvm/{part.vg}-{volume.name}") for volume in part.volumes)


def _write_boot_code(disk: Disk, path: Path, offsets: tuple[int, ...], prefix: str) -> None:
    if disk.boot.startswith("grub"):
        core = next((offset for offset, part in zip(offsets, disk.parts, strict=True) if part.kind == "bios"), SECTOR)
        grub.write(path, core, prefix if disk.boot == "grub" else "")
    elif disk.boot:
        write_at(path, 0, _BOOT_CODE[disk.boot])


def _partition(job: _Job, part: Part, content: Path | None, name: str) -> Partition:
    size = part.size * MIB if content is None else -(-content.stat().st_size // MIB) * MIB
    return Partition(size, part.kind, part.part_uuid or job.uuid("part", name), part.part_label, part.active, part.number)


def _part(job: _Job, part: Part, name: str) -> Path | None:
    if not part.vg:
        content = _file_system(job, part, name)
        if part.md and content:
            md.append(content, part.md, job.uuid("md", name))
        return content
    volumes = []
    for volume in part.volumes:
        content = _file_system(job, volume, f"{name}-{volume.name}")
        assert content is not None
        volumes.append(lvm.Volume(volume.name, content))
    size = max(part.size * MIB, lvm.group_size(tuple(volume.content.stat().st_size for volume in volumes)))
    path = lvm.write_group(job.work / f"{name}.pv", part.vg, tuple(volumes), -(-size // MIB) * MIB)
    for made in volumes:
        made.content.unlink()
    return path


def _file_system(job: _Job, spec: FileSystem, name: str) -> Path | None:
    if not spec.fs:
        return None
    path, uuid = job.work / f"{name}.img", spec.uuid or job.uuid("fs", name)
    tree = _take_tree(job, spec, name) if spec.mount else None
    if spec.subvolumes:
        return btrfs.make(path, spec, tree or _empty(job, name), uuid)
    geometry = ntfs.Geometry(spec.heads, spec.code, spec.dirty)
    return filesystem.make(spec.fs, path, spec.size * MIB, tree, uuid=uuid, label=spec.label, geometry=geometry)


def _empty(job: _Job, name: str) -> Path:
    path = job.work / f"{name}.empty"
    path.mkdir()
    return path


def _take_tree(job: _Job, spec: FileSystem, name: str) -> Path:
    """Move the files below the mount point into a directory of their own, but for those that belong to deeper mount points."""
    source = job.work / "trees" / spec.tree / spec.mount.lstrip("/")
    deeper = [one.mount for one in _file_systems(job.recipe) if one.tree == spec.tree and _below(one.mount, spec.mount)]
    target = job.work / f"{name}.tree"
    run("cp", "-a", source, target)
    for mount in deeper:
        inside = target / mount.removeprefix(spec.mount).lstrip("/")
        shutil.rmtree(inside, ignore_errors=True)
        inside.mkdir(parents=True)
    return target


def _below(mount: str, top: str) -> bool:
    return bool(mount) and mount != top and mount.startswith(top.rstrip("/") + "/")
