"""SYSLINUX and EXTLINUX (also U-Boot's and Alpine's ``extlinux.conf``)::

DEFAULT virt
LABEL virt
  LINUX vmlinuz-virt
  INITRD initramfs-virt
  APPEND root=UUID=0a3f… modules=ext4 quiet
"""

from __future__ import annotations

import re
from dataclasses import field, replace

from v2vlint.facts.boot.cmdline import KernelArg, split_args
from v2vlint.facts.boot.entry import BootEntry, BootMenu, kernel_version
from v2vlint.facts.boot.grub.files import GrubFiles
from v2vlint.facts.syntax.located import literal
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText, Line
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, Token, WholeFile

CONFIGS = (
    "/boot/extlinux/extlinux.conf", "/boot/extlinux.conf", "/boot/syslinux/syslinux.cfg", "/boot/syslinux/extlinux.conf",
    "/extlinux/extlinux.conf", "/extlinux.conf", "/syslinux/syslinux.cfg", "/syslinux.cfg", "/boot/isolinux/isolinux.cfg",
)  # fmt: skip
MAX_INCLUDES = 16
_SUFFIXES = (".cbt", ".bss", ".bs", ".com", ".c32", ".bin")
"""What SYSLINUX appends to a name that is neither a label nor a file."""
_KEYWORD = re.compile(r"\s*(\S+)(?:\s+(.*?))?\s*$")


@dataclass
class _Label:
    name: str
    where: Span
    title: str = ""
    kernel: Token | None = None
    initrds: list[Token] = field(default_factory=list)
    append: tuple[KernelArg, ...] | None = None


@dataclass
class _Menu:
    text: GuestText
    labels: list[_Label] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    append: tuple[KernelArg, ...] = ()
    files: list[str] = field(default_factory=list)
    marked: str = ""
    commands: dict[str, _Label] = field(default_factory=dict)

    @property
    def has_ui(self) -> bool:
        """Whether a menu comes up: SYSLINUX' own shell knows nothing of what is said for it."""
        return "ui" in self.settings or ("default" in self.commands and self.commands["default"].name.endswith(".c32"))

    @property
    def waits(self) -> bool:
        """Whether SYSLINUX' own shell waits at its prompt for ever."""
        timed = any(_number(self.settings.get(name, "0")) for name in ("timeout", "totaltimeout"))
        return _number(self.settings.get("prompt", "0")) != 0 and not timed


def extlinux_menu(files: GrubFiles, path: str, firmware: str = "bios", *, sure: bool = False) -> BootMenu | None:
    """The menu in the configuration file ``path``; None when it does not exist. ``sure``: SYSLINUX itself reads it, and not U-Boot."""
    fs = files.fs
    text = fs.text(path)
    if text is None:
        return None
    menu = _Menu(text)
    _read(fs, files, menu, text)
    entries = tuple(_built(files, path, menu, index, label) for index, label in enumerate(menu.labels))
    default, reason = _default(path, menu, entries)
    stops = ""
    if sure and not menu.has_ui:
        default, reason, stops = _shell(files, path, menu, entries)
        entries += (default,) if default and default not in entries else ()
    return BootMenu("extlinux", firmware, WholeFile(path), entries, default, reason, tuple(menu.files), stops=stops)


def _read(fs: GuestFS, files: GrubFiles, menu: _Menu, text: GuestText) -> None:
    menu.files.append(text.path)
    for line in text.lines():
        match = None if line.is_blank() else _KEYWORD.match(line.text)
        if not match:
            continue
        keyword, value = match[1].lower(), line.group(match, 2) if match[2] else None
        if keyword == "menu" and value and value.value.lower().startswith("include"):
            keyword, value = "include", replace(value, value=value.value[len("include") :].strip())
        if keyword == "include" and value and len(menu.files) < MAX_INCLUDES:
            included = fs.text(_path(files, text.path, value.value.split()[0] if value.value.split() else ""))
            if included:
                _read(fs, files, menu, included)
        elif value:
            _keyword(menu, text, line, keyword, value)
        elif keyword == "menu":
            continue


def _keyword(menu: _Menu, text: GuestText, line: Line, keyword: str, value: Token) -> None:
    label = menu.labels[-1] if menu.labels else None
    if keyword == "label":
        menu.labels.append(_Label(value.value.split()[0], line.where))
    elif keyword == "append":
        # A hyphen cancels the APPEND that stands above all labels.
        args = () if value.value == "-" else split_args(literal(text, value.where.start, value.where.end))
        if label:
            label.append = args
        else:
            menu.append = args
    elif label and keyword in ("linux", "kernel", "initrd"):
        _load(label, text, keyword, value)
    elif keyword == "menu":
        _menu(menu, label, value.value)
    else:  # the last one counts
        menu.settings[keyword] = value.value
        if keyword in ("default", "ontimeout"):
            menu.commands[keyword] = _command(text, line, value)


def _command(text: GuestText, line: Line, value: Token) -> _Label:
    """What is typed at the prompt in effect: the name of a label or a kernel, and arguments."""
    kernel = text.token(value.where.start, value.where.start + len(value.value.split()[0]))
    return _Label(kernel.value, line.where, kernel=kernel, append=split_args(literal(text, kernel.where.end, value.where.end)))


def _number(value: str) -> int:
    """As ``atoi(3)`` reads it."""
    found = re.match(r"-?\d{1,9}", value)
    return int(found[0]) if found else 0


def _load(label: _Label, text: GuestText, keyword: str, value: Token) -> None:
    if keyword == "initrd":
        found = re.compile(r"[^,\s]+").finditer(text.content, value.where.start, value.where.end)
        label.initrds.extend(text.group(match) for match in found)
    elif not value.value.endswith((".c32", ".bin", ".bss", ".0")):
        label.kernel = text.token(value.where.start, value.where.start + len(value.value.split()[0]))


def _menu(menu: _Menu, label: _Label | None, value: str) -> None:
    word, _, rest = value.partition(" ")
    if label and word.lower() == "label":
        label.title = rest.strip().replace("^", "")
    elif label and word.lower() == "default":
        menu.marked = label.name


def _path(files: GrubFiles, config: str, name: str) -> str:
    if name.startswith("/"):
        return files.locate(name, files.device_of(config), files.part_of(config)).path
    return f"{config.rsplit('/', 1)[0]}/{name}"


def _built(files: GrubFiles, path: str, menu: _Menu, index: int, label: _Label) -> BootEntry:
    args = menu.append if label.append is None else label.append
    initrds = [token.value for token in label.initrds]
    at = list(label.initrds)
    for arg in args:
        # SYSLINUX also loads the files that initrd= names, separated by commas.
        if arg.name == "initrd" and arg.value:
            initrds += arg.value.split(",")
            at += [arg.value_at] if arg.value_at and "," not in arg.value else []
    kernel = _path(files, label.kernel.where.path, label.kernel.value) if label.kernel else ""
    return BootEntry(
        title=label.title or label.name,
        id=label.name,
        kernel=kernel,
        initrds=tuple(_path(files, path, initrd) for initrd in initrds),
        args=args,
        where=label.kernel.where if label.kernel else label.where,
        source=label.where.path,
        kernel_at=label.kernel,
        initrd_at=tuple(at),
        version=kernel_version(kernel, files.fs.resolve(kernel) or "") if kernel else "",
        position=str(index),
    )


def _default(path: str, menu: _Menu, entries: tuple[BootEntry, ...]) -> tuple[BootEntry | None, str]:
    """What a menu starts after its time (``run_menu`` of menumain.c): DEFAULT replaces the entry marked with MENU DEFAULT."""
    asked = menu.settings.get("default", "")
    for name, why in ((menu.settings.get("ontimeout", ""), "ONTIMEOUT"), (asked, "DEFAULT"), (menu.marked, "MENU DEFAULT")):
        if (entry := _named(name, entries)) is not None:
            return entry, f"{why} {name}"
    if not entries:
        return None, f"{path} has no labels"
    if not asked or menu.has_ui:
        return entries[0], "the first label"
    return None, f"DEFAULT {asked} names no label"


def _named(name: str, entries: tuple[BootEntry, ...]) -> BootEntry | None:
    return next((entry for entry in entries if name.split()[:1] == [entry.id]), None)


def _shell(files: GrubFiles, path: str, menu: _Menu, entries: tuple[BootEntry, ...]) -> tuple[BootEntry | None, str, str]:
    """What SYSLINUX starts without a menu, how that was found, and why it stops (``ldlinux.c``, and seen with 6.04 in SeaBIOS): it knows
    neither MENU DEFAULT nor a first label, ONTIMEOUT belongs to its prompt, and DEFAULT may be a kernel. ONERROR comes after a kernel that
    is not there.
    """
    prompts = _number(menu.settings.get("prompt", "0")) != 0
    why = "ONTIMEOUT" if prompts and "ontimeout" in menu.commands else "DEFAULT"
    asked = menu.commands.get(why.lower())
    if menu.waits or asked is None:
        stops = f"{path} has {'PROMPT, but no TIMEOUT' if menu.waits else 'neither DEFAULT nor UI'}, so that SYSLINUX waits at its prompt"
        return None, stops, stops
    command, entry = menu.settings[why.lower()], _named(asked.name, entries)
    if entry is None and _number(menu.settings.get("implicit", "1")) == 0:
        stops = f"{why} {command} names no label, and with IMPLICIT 0 SYSLINUX waits at its prompt"
        return None, stops, stops
    if entry is None:
        implicit = replace(asked, append=menu.append + (asked.append or ()))
        entry = _built(files, path, menu, len(entries), implicit)
        if any(files.fs.exists(f"{entry.kernel}{suffix}") for suffix in _SUFFIXES):
            return None, f"{why} {command} names no label", ""
    if "onerror" in menu.settings and entry.kernel and not files.fs.exists(entry.kernel):
        other = _named(menu.settings["onerror"], entries)
        return other, f"{why} {command} does not start, and ONERROR {menu.settings['onerror']}", ""
    return entry, f"{why} {command}", ""
