"""Limine: ``limine.conf`` since version 8, ``limine.cfg`` with another syntax before it (CONFIG.md of Limine)::

timeout: 5
default_entry: 2
/+Linux
    //Newest
    protocol: linux
    path: boot():/vmlinuz
    cmdline: root=UUID=0a3f… ro
    module_path: boot():/initramfs
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field

from v2vlint.facts.boot.cmdline import KernelArg, plain_args, split_args
from v2vlint.facts.boot.entry import BootEntry, BootMenu, kernel_version
from v2vlint.facts.boot.grub.files import GrubFiles
from v2vlint.facts.syntax.caseless import find_case
from v2vlint.facts.syntax.located import literal
from v2vlint.guest.text import GuestText, Line
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, Token, WholeFile

FOLDERS = ("", "limine", "boot", "boot/limine", "EFI/BOOT", "EFI/limine")
NAMES = ("limine.conf", "limine.cfg")
_NEWER = ("boot/limine", "boot", "limine", "")
"""Where it looks since November 2025, after the folder that it is in itself."""
MAX_PROGRAM = 4 << 20
MAX_ENTRIES = 500
_FORMS = {
    "conf": (re.compile(r"\s*(/+)(\+?)\s*(.*\S|)\s*$"), re.compile(r"\s*([^\s:]+)\s*:\s*(.*\S|)\s*$")),
    "cfg": (re.compile(r"\s*(:+)(\+?)\s*(.*\S|)\s*$"), re.compile(r"\s*([^\s=]+)\s*=\s*(.*\S|)\s*$")),
}
_URI = re.compile(r"\$?(\w+)(?:\(([^)]*)\):/*|://([^/]*)/*)(.*?)(?:#[0-9a-fA-F]{128})?")  # a path may end in # and its BLAKE2B hash
_MACRO = re.compile(r"[ \t]*\$\{([^}\n]*)\}=(.*)")
_KERNEL, _ARGS, _MODULE, _IMAGE = ("path", "kernel_path"), ("cmdline", "kernel_cmdline"), ("module_path",), ("image_path",)


@dataclass
class _Item:
    """An entry; one with ``children`` is a directory, which is shown open if ``opened``."""

    title: str
    depth: int
    opened: bool
    where: Span
    values: list[tuple[str, Token]] = field(default_factory=list)
    children: list[_Item] = field(default_factory=list)

    def all(self, names: tuple[str, ...]) -> list[Token]:
        """The values of any of the keys."""
        return [token for name, token in self.values if name in names]


def limine_menu(files: GrubFiles, program: str, mount: str, firmware: str) -> BootMenu | None:
    """The menu of the Limine ``program`` on the partition that the guest mounts at ``mount``; None when it has no configuration there.

    If the program does not show where it looks, there is no default among several configurations.
    """
    wanted = _places(files, program)
    folder = program.rpartition("/")[0]
    places = wanted or [(name, place) for name in NAMES for place in (folder, *FOLDERS)]
    names = [(name, place if place == folder else find_case(files.fs, mount, place) if place else mount) for name, place in places]
    found = tuple(dict.fromkeys(path for name, place in names if place and (path := find_case(files.fs, place, name))))
    text = files.fs.text(found[0]) if found else None
    if text is None:
        return None
    top, settings, macros = _parsed(text)
    if _overflows(text, macros):
        reason = f"Limine has no room for what the macros of {text.path} stand for"
        return BootMenu("limine", firmware, WholeFile(text.path), (), None, reason, (text.path,))
    entries = {id(item): _entry(files, text, item, macros) for item in _flat(top)}
    chosen, reason = _default(top, {name: _expanded(value, macros) for name, value in settings.items()}, text.path)
    if len(found) > 1 and not wanted:
        chosen, reason = None, f"whether Limine reads {found[0]} or {found[1]} depends on its version"
    default = entries.get(id(chosen))
    if default is not None and (kind := _unsure(files, default.kernel)):
        reason = f"whether this Limine reads {kind}, which {default.kernel} is on, cannot be told"
        default = None
    return BootMenu("limine", firmware, WholeFile(text.path), tuple(entries.values()), default, reason, (text.path,))


def _unsure(files: GrubFiles, kernel: str) -> str:
    """The filesystem of the kernel, unless every version reads it. ext4 was experimental, and one of 8.2's kernels on it did not start."""
    kind = files.fs.mounts[files.fs.mount_of(kernel)].type if kernel else ""
    return "" if kind in ("vfat", "iso9660", "") else kind


def _places(files: GrubFiles, program: str) -> list[tuple[str, str]]:
    """The files that the program looks for, by the paths that are in it (``init_config_disk``): name and folder. Empty if it has none.

    Until 2025 the order was another one, and the folder of the program was none of them.
    """
    content = files.fs.head(program, MAX_PROGRAM) or b""
    inside = [(name, folder) for name in NAMES for folder in FOLDERS if f"/{folder}/{name}\0".replace("//", "/").encode() in content]
    if ("limine.conf", "EFI/BOOT") in inside or ("limine.cfg", "EFI/BOOT") in inside:
        return inside
    if ("limine.conf", "boot/limine") not in inside:
        return []
    return [("limine.conf", folder) for folder in (program.rpartition("/")[0], *_NEWER)]


def _parsed(text: GuestText) -> tuple[list[_Item], dict[str, str], dict[str, str]]:
    """The entries, the settings and the macros: ``${NAME}=value`` in both forms, of which the last one counts (``init_config``)."""
    entry, assignment = _FORMS[text.path.rpartition(".")[2].lower()]
    top: list[_Item] = []
    path: list[_Item] = []
    settings: dict[str, str] = {}
    macros = {"ARCH": "x86-64"}
    for line in text.lines():
        if line.is_blank() or line.text.lstrip().startswith("#"):
            continue
        if match := _MACRO.match(line.text):
            macros[match[1]] = match[2]
        elif match := entry.match(line.text):
            item = _Item(match[3], len(match[1]), bool(match[2]), line.where)
            del path[item.depth - 1 :]
            (path[-1].children if path else top).append(item)
            path.append(item)
        elif match := assignment.match(line.text):
            _assigned(match, line, path, settings)
    return top, settings, macros


def _assigned(match: re.Match[str], line: Line, path: list[_Item], settings: dict[str, str]) -> None:
    name = match[1].lower()
    # config_get_value() of Limine searches the whole file, entries included, and takes the first.
    settings.setdefault(name, match[2])
    if path and match[2]:
        path[-1].values.append((name, line.group(match, 2)))


def _flat(items: list[_Item]) -> Iterator[_Item]:
    """The entries that start something."""
    for item in items[:MAX_ENTRIES]:
        if item.children:
            yield from _flat(item.children)
        else:
            yield item


def _shown(items: list[_Item]) -> Iterator[_Item]:
    """The lines of the menu, including closed directories."""
    for item in items[:MAX_ENTRIES]:
        yield item
        if item.opened:
            yield from _shown(item.children)


def _default(top: list[_Item], settings: dict[str, str], config: str) -> tuple[_Item | None, str]:
    lines = list(_shown(top))
    asked = settings.get("default_entry", "1")
    if not lines:
        return None, f"{config} has no entries"
    if settings.get("timeout", "").lower() == "no":
        return None, f"{config} says that Limine waits for a choice"
    if not asked.isdigit():
        return None, f"default_entry {asked} is no number"
    item = lines[max(int(asked[:6]), 1) - 1] if int(asked[:6]) <= len(lines) else lines[0]
    return (None, f"entry {asked} of {config} is a directory") if item.children else (item, f"entry {asked} of {config}")


def _entry(files: GrubFiles, text: GuestText, item: _Item, macros: dict[str, str]) -> BootEntry:
    loads = next(iter(item.all(("protocol",))), None)
    linux = loads is not None and _expanded(loads.value, macros).lower() == "linux"
    kernel_at = next(iter(item.all(_KERNEL)), None) if linux else None
    kernel = _path(files, text, _expanded(kernel_at.value, macros)) if kernel_at else ""
    modules = item.all(_MODULE) if linux else []
    others = item.all((*_IMAGE, *_KERNEL))
    return BootEntry(
        title=_expanded(item.title, macros),
        id=_expanded(item.title, macros),
        kernel=kernel,
        initrds=tuple(_path(files, text, _expanded(token.value, macros)) for token in modules),
        args=tuple(arg for token in item.all(_ARGS)[:1] for arg in _args(text, token, macros)),
        where=kernel_at.where if kernel_at else item.where,
        source=text.path,
        version=kernel_version(kernel, files.fs.resolve(kernel) or "") if kernel else "",
        chainload="" if kernel else others[0].value if others else loads.value if loads else item.title,
    )


def _args(text: GuestText, token: Token, macros: dict[str, str]) -> tuple[KernelArg, ...]:
    if "${" in token.value:
        return plain_args(_expanded(token.value, macros), token.where)
    return split_args(literal(text, token.where.start, token.where.end))


def _expanded(value: str, macros: dict[str, str]) -> str:
    """With macros in place; one that is not defined is empty. A macro's value is not expanded."""
    return "".join(_pieces(value, macros))


def _pieces(text: str, macros: dict[str, str]) -> Iterator[str]:
    done = 0
    # A regular expression would look for each missing `}` to the end of the line.
    while (start := text.find("${", done)) >= 0 and (end := text.find("}", start)) >= 0:
        yield text[done:start]
        yield macros.get(text[start + 2 : end], "")[:4096]
        done = end + 1
    yield text[done:]


def _overflows(text: GuestText, macros: dict[str, str]) -> bool:
    """Whether the macros need more than four times the file's size: ``init_config`` of 8.2 panics."""
    lines = [line.text for line in text.lines()]
    used = (1 + sum(map(len, _pieces(line, macros))) for line in lines if not _MACRO.match(line))
    return sum(used) > 4 * sum(1 + len(line) for line in lines)


def _path(files: GrubFiles, text: GuestText, uri: str) -> str:
    """``boot():/x``, ``boot():///x``, ``boot(2):/x``, ``hdd(1:2):/x``, ``uuid(…):/x``, ``fslabel(…):/x``; with ``://`` before version 8."""
    match = _URI.fullmatch(uri)
    if match is None:
        return uri
    kind, root, path = match[1].lower(), match[2] or match[3] or "", f"/{match[4]}"
    return files.locate(path, _device(files, text, kind, root), files.part_of(text.path) if not root else "").path


def _device(files: GrubFiles, text: GuestText, kind: str, root: str) -> str:
    own = files.device_of(text.path)
    if kind in ("uuid", "guid"):
        part = next(iter(files.blocks.tagged("PARTUUID", root)), None)
        return f"uuid:{part.uuid if part else root}"
    if kind == "fslabel":
        return f"label:{root}"
    system = files.fs.mounts.get(own.partition(":")[2])
    home = next(iter(files.blocks.tagged("UUID", system.uuid)), None) if system else None
    drive, _, number = root.rpartition(":")
    if kind == "boot" and not root:
        return own
    disk = int(drive[:4]) - 1 if drive.isdigit() else home.disk if home else 0
    return f"hd{disk},{number}" if number.isdigit() else "?"
