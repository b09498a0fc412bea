"""GRUB legacy (0.97): ``menu.lst`` or ``grub.conf``::

default=0
fallback=1
title CentOS (2.6.18-398.el5)
    root (hd0,0)
    kernel /vmlinuz-2.6.18-398.el5 ro root=/dev/hda2
    initrd /initrd-2.6.18-398.el5.img
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import field, replace

from v2vlint.facts.boot.cmdline import KernelArg, split_args
from v2vlint.facts.boot.entry import BootEntry, BootMenu, kernel_version
from v2vlint.facts.boot.grub.files import GrubFiles, GuestPath
from v2vlint.facts.syntax.located import literal
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText, Line
from v2vlint.model.dataclass import dataclass
from v2vlint.model.digits import decimal
from v2vlint.model.place import Span, Token, WholeFile

CONFIGS = ("/boot/grub/grub.conf", "/boot/grub/menu.lst")
MAX_FALLBACKS = 8
_COMMAND = re.compile(r"\s*(\w+)(?:[\s=]+|$)(.*\S|)\s*$")  # skip_to() of stage2/cmdline.c: `default=0` and `default 0` are the same
_DEVICE = re.compile(r"\(hd(\d+)(?:,(\d+))?\)")
_OPTION = re.compile(r"(?:--\S+(?:\s+|$))*")
_WORD = re.compile(r"\S+")


@dataclass
class _Entry:
    title: str
    where: Span
    root: str
    kernel: Token | None = None
    args: tuple[KernelArg, ...] = ()
    modules: list[tuple[Token, tuple[KernelArg, ...]]] = field(default_factory=list)
    initrds: list[Token] = field(default_factory=list)
    chainload: str = ""


@dataclass
class _Menu:
    root: str
    settings: dict[str, Token] = field(default_factory=dict)
    entries: list[_Entry] = field(default_factory=list)
    malformed: list[Span] = field(default_factory=list)


def legacy_menu(files: GrubFiles, path: str, firmware: str = "bios") -> BootMenu | None:
    """The menu in the configuration file ``path``; None when it does not exist."""
    fs = files.fs
    text = fs.text(path)
    if text is None:
        return None
    menu = _Menu(files.device_of(path))
    for line in text.lines():
        if not line.is_blank():
            _read(menu, text, line)
    entries = tuple(_built(files, path, index, entry) for index, entry in enumerate(menu.entries))
    default, reason = _default(fs, path, menu, entries, [_fails(files, entry) for entry in menu.entries])
    return BootMenu("grub-legacy", firmware, WholeFile(path), entries, default, reason, (path,), tuple(menu.malformed))


def _read(menu: _Menu, text: GuestText, line: Line) -> None:
    match = _COMMAND.match(line.text)
    if not match:
        menu.malformed.append(line.where)
        return
    name, value = match[1].lower(), line.group(match, 2)
    if name == "title":
        menu.entries.append(_Entry(value.value, line.where, menu.root))
    elif menu.entries:
        _in_entry(menu.entries[-1], name, value, text)
    else:
        menu.settings[name] = value
        if name == "root":
            menu.root = _device(value.value) or menu.root


def _in_entry(entry: _Entry, name: str, value: Token, text: GuestText) -> None:
    if name in ("root", "rootnoverify"):
        entry.root = _device(value.value) or entry.root
    elif name == "uuid":
        entry.root = f"uuid:{value.value}"
    elif name == "chainloader":
        entry.chainload = value.value
    elif name in ("kernel", "module", "modulenounzip", "initrd"):
        _load(entry, name, value, text)


def _load(entry: _Entry, name: str, value: Token, text: GuestText) -> None:
    options = _OPTION.match(value.value)
    start = value.where.start + (options.end() if options else 0)
    path = _WORD.search(text.content, start, value.where.end)
    if not path:
        return
    token = text.group(path)
    args = split_args(literal(text, path.end(), value.where.end))
    if name == "kernel":
        entry.kernel, entry.args = token, args
    elif name == "initrd":
        entry.initrds.append(token)
    else:
        entry.modules.append((token, args))


def _device(text: str) -> str:
    match = _DEVICE.match(text)
    # GRUB legacy counts partitions from 0, GRUB 2 and the block table from 1.
    return f"hd{match[1]},{decimal(match[2]) + 1}" if match and match[2] else f"hd{match[1]}" if match else ""


def _built(files: GrubFiles, path: str, index: int, entry: _Entry) -> BootEntry:
    kernel, args, initrds, xen = entry.kernel, entry.args, list(entry.initrds), bool(entry.modules)
    if entry.modules:  # `kernel` is then Xen, and the first module is Linux
        (kernel, args), *rest = entry.modules
        initrds += [token for token, _args in rest]
    place = _locate(files, kernel, entry.root) if kernel else None
    built = BootEntry(
        title=entry.title,
        id="",
        kernel="",
        initrds=tuple(_locate(files, token, entry.root)[0] for token in initrds),
        args=args,
        where=kernel.where if kernel else entry.where,
        source=path,
        kernel_at=kernel,
        initrd_at=tuple(initrds),
        position=str(index),
        xen=xen,
        chainload=entry.chainload,
    )
    if place is None:
        return built
    return replace(built, kernel=place[0], foreign=place[1], version=kernel_version(place[0], files.fs.resolve(place[0]) or ""))


def _fails(files: GrubFiles, entry: _Entry) -> bool:
    """Whether a file that the entry loads certainly does not exist: "Error 15: File not found"."""
    tokens = (entry.kernel, *entry.initrds, *(token for token, _args in entry.modules))
    places = (_place(files, token, entry.root) for token in tokens if token)
    return any(place.certain and not place.exists and not place.foreign for place in places)


def _locate(files: GrubFiles, token: Token, root: str) -> tuple[str, bool]:
    place = _place(files, token, root)
    return place.path, place.foreign


def _place(files: GrubFiles, token: Token, root: str) -> GuestPath:
    name, device = token.value, root
    if match := _DEVICE.match(name):
        name, device = name[match.end() :], _device(name)
    return files.locate(name, device)


def _default(fs: GuestFS, path: str, menu: _Menu, entries: tuple[BootEntry, ...], fails: Sequence[bool]) -> tuple[BootEntry | None, str]:
    """The default entry, or the first of the fallbacks that starts: an error in one goes on to the next (GRUB manual, "fallback")."""
    if not entries:
        return None, f"{path} has no entries"
    value = menu.settings["default"].value if "default" in menu.settings else "0"
    reason = f"default={value}"
    if value == "saved":
        value = _saved(fs, path)
        reason = f"default=saved, which is {value}"
    words = menu.settings["fallback"].value.split()[:MAX_FALLBACKS] if "fallback" in menu.settings else []
    spare = [decimal(word) for word in words if word.isdecimal() and decimal(word) < len(entries)]
    named = value.isdecimal() and decimal(value) < len(entries)
    # stage2.c takes the first fallback in place of an entry that is not there, and the first entry where there is none.
    chain = [decimal(value), *spare] if named else spare or [0]
    taken = next((one for one in chain if not fails[one]), chain[0])
    if named:
        return entries[taken], reason if taken == chain[0] else f"{reason} does not start, so fallback={taken} is taken"
    return entries[taken], f"{reason} names no entry, so {f'fallback={taken}' if spare else 'the first'} is taken"


def _saved(fs: GuestFS, path: str) -> str:
    head = fs.head(f"{path.rsplit('/', 1)[0]}/default", 16) or b""
    # `savedefault` overwrites the number in place; padding and a warning to humans follow.
    number = head.decode("ascii", "replace").split("\n", 1)[0].strip()
    return number or "0"
