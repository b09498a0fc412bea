"""Recipes: ``guest.toml`` as values. A key that is not known is an error, so that a typing mistake cannot hide."""

from __future__ import annotations

import dataclasses
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guestbuild.initramfs import Initramfs
from guestbuild.kernel import Kernel
from guestbuild.tools import BuildError

_SAMPLES = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Elf:
    """A stub program: see :func:`guestbuild.elf.program`."""

    path: str
    machine: str = "x86_64"
    level: int = 0
    interpreter: str = ""
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Uki:
    """A unified kernel image (without ``kernel``: any EFI application) at ``path`` and, the same again, at ``copies``."""

    path: str
    kernel: str = ""
    initramfs: str = ""
    cmdline: str = ""
    copies: tuple[str, ...] = ()
    machine: str = "x86_64"


@dataclass(frozen=True, slots=True)
class Packages:
    """The package database: see :func:`guestbuild.packages.install`."""

    manager: str
    installed: tuple[str, ...]
    folder: str = "/var/lib/rpm"


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of one operating system. ``links`` map paths to targets, ``modes`` paths to octal permissions, ``dirs`` are empty ones.

    ``base`` names an entry of ``userlands.toml`` that this adds to. ``services`` are systemd units to install and enable.
    ``hives`` are registry hives written as ``.reg`` text (:mod:`v2vlint.samples.regf`), added to those of the base; ``programs`` are
    stubs of Windows programs and drivers for ``machine``. ``fill`` are files of so many bytes. A list takes out what a guest that
    this one is ``like`` has with ``-NAME`` (``services``, ``programs``); ``without`` are paths, of files or folders, that are not there
    in the end.
    """

    base: str = ""
    hives: Mapping[str, str] = field(default_factory=dict)
    programs: tuple[str, ...] = ()
    machine: str = "x86_64"
    files: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    modes: Mapping[str, str] = field(default_factory=dict)
    fill: Mapping[str, int] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    dirs: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    kernels: tuple[Kernel, ...] = ()
    initramfs: tuple[Initramfs, ...] = ()
    elfs: tuple[Elf, ...] = ()
    efi: tuple[Uki, ...] = ()
    packages: Packages | None = None


@dataclass(frozen=True, slots=True)
class FileSystem:
    """A filesystem of ``size`` MiB that holds what ``tree`` has at ``mount``, down to the next filesystem. Empty ``fs``: no content.

    ``subvolumes`` are btrfs subvolumes, ``default`` the one mounted by default, ``snapshots`` map a new read-only subvolume to its source.
    ``heads``, ``code`` (``BOOTMGR``, ``NTLDR``) and ``dirty`` are of NTFS.
    """

    size: int
    fs: str = ""
    uuid: str = ""
    label: str = ""
    mount: str = ""
    tree: str = "root"
    name: str = ""
    subvolumes: tuple[str, ...] = ()
    snapshots: Mapping[str, str] = field(default_factory=dict)
    default: str = ""
    heads: int = 255
    code: str = ""
    dirty: bool = False


@dataclass(frozen=True, slots=True)
class Part(FileSystem):
    """A partition; with ``vg`` it is an LVM physical volume whose ``volumes`` are named filesystems.

    ``md`` makes it the one member of a RAID 1 with that name, whose metadata (version 1.0) are behind its content.
    """

    kind: str = "linux"
    active: bool = False
    number: int = 0
    part_uuid: str = ""
    part_label: str = ""
    md: str = ""
    vg: str = ""
    volumes: tuple[FileSystem, ...] = ()


@dataclass(frozen=True, slots=True)
class Disk:
    """One disk: a ``gpt`` or ``mbr`` table, or ``none`` for a filesystem on the whole disk.

    ``boot`` is the boot code: ``grub`` (the real boot.img, and a core.img that looks for ``prefix``, a path of GRUB like
    ``(,msdos1)/boot/grub``, by default the folder of grub.cfg on this disk), ``grub-alone`` (boot.img with nothing behind it),
    ``grub-legacy`` (real stages, of which stage2 is the file /boot/grub/stage2), ``syslinux`` (the real EXTLINUX on the active partition,
    an ext4), ``windows``, ``parted`` (starts the active partition) or nothing.
    """

    table: str
    parts: tuple[Part, ...]
    boot: str = ""
    prefix: str = ""
    identity: str = ""


@dataclass(frozen=True, slots=True)
class Expect:
    """One finding to expect: ``place`` is ``PATH:LINE``, ``PATH`` or a device; ``root`` is the root's device when there are several."""

    rule: str
    place: str
    severity: str
    target: str = "kvm"
    root: str = ""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole ``guest.toml``. ``expect`` lists every finding of warning or error for the targets that ``forecast`` has.

    Findings that only inform may be listed, too: then they must be there. ``forecast`` says for each target at which stage the first root's
    boot stops, or ``boots``.
    """

    id: str
    disks: tuple[Disk, ...]
    trees: Mapping[str, Tree]
    title: str = ""
    story: str = ""
    forecast: Mapping[str, str] = field(default_factory=dict)
    expect: tuple[Expect, ...] = ()

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets to check."""
        return tuple(self.forecast)


def load(folder: Path) -> Recipe:
    """Read ``folder``/guest.toml; BuildError names the file and the key that is wrong."""
    path = folder / "guest.toml"
    try:
        return typing.cast(Recipe, _value(Recipe, {**_read(folder), "id": folder.name}))
    except (OSError, tomllib.TOMLDecodeError, AttributeError, TypeError, ValueError) as error:
        raise BuildError(f"{path}: {error}") from error


def _read(folder: Path) -> dict[str, Any]:
    """What the recipe says, with its userlands, on top of the one that it is ``like``: one beside it, or a sample guest."""
    data = tomllib.loads((folder / "guest.toml").read_text(encoding="utf-8"))
    names = {field.name for field in dataclasses.fields(Tree)}
    main = {key: data.pop(key) for key in list(data) if key in names}
    trees = {"root": main, **data.pop("trees", {})}
    based = {name: _based(tree) for name, tree in trees.items()}
    model = data.pop("like", "")
    if not model:
        return {**data, "trees": based}
    homes = (home / model for home in (folder.parent, _SAMPLES))
    below = _read(next((home for home in homes if (home / "guest.toml").is_file()), _SAMPLES / model))
    disks = {"disks": below["disks"]} if "disks" in below else {}
    return {**disks, **data, "trees": {**below["trees"], **{name: _on(below["trees"].get(name, {}), tree) for name, tree in based.items()}}}


def _on(below: dict[str, Any], tree: dict[str, Any]) -> dict[str, Any]:
    """A tree on top of the one it is like; what it has is not left out because that one leaves it out."""
    merged = _merged(below, tree)
    own = {*tree.get("files", ()), *tree.get("links", ()), *tree.get("fill", ())}
    return {**merged, "without": [path for path in merged.get("without", ()) if path not in own]}


def _based(tree: dict[str, Any]) -> dict[str, Any]:
    base = tree.get("base", "")
    if not base:
        return tree
    name = "windows.toml" if base.startswith("windows") else "userlands.toml"
    userlands = tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))
    if base not in userlands:
        raise ValueError(f"no userland {base!r}")
    return _merged(userlands[base] if "base" not in userlands[base] else _based(userlands[base]), tree)


def _merged(below: dict[str, Any], tree: dict[str, Any]) -> dict[str, Any]:
    merged = {**below, **tree}
    for key, value in below.items():
        own = tree.get(key, type(value)())
        if key == "hives":
            merged[key] = {path: f"{value.get(path, '')}\n{own.get(path, '')}" for path in {**value, **own}}
        elif isinstance(value, dict):
            merged[key] = {**value, **own}
        elif isinstance(value, list):
            merged[key] = [*value, *own]
    return merged


def _value(kind: Any, data: Any) -> Any:
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        return _value(typing.get_args(kind)[0], data)
    if origin is tuple:
        item = typing.get_args(kind)[0]
        return tuple(_value(item, value) for value in data)
    if origin is not None and issubclass(origin, Mapping):
        item = typing.get_args(kind)[1]
        return {key: _value(item, value) for key, value in data.items()}
    if dataclasses.is_dataclass(kind):
        return _dataclass(typing.cast(type, kind), data)
    if not isinstance(data, kind):
        raise TypeError(f"expected {kind.__name__}, found {data!r}")
    return data


def _dataclass(kind: type, data: Mapping[str, Any]) -> Any:
    hints = typing.get_type_hints(kind)
    unknown = set(data) - {field.name for field in dataclasses.fields(kind)}
    if unknown:
        raise TypeError(f"{kind.__name__.lower()} has no {', '.join(sorted(unknown))}")
    return kind(**{key: _value(hints[key], value) for key, value in data.items()})
