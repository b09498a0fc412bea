"""rEFInd: stanzas of ``refind.conf``, and kernels that it finds itself, with their arguments in ``refind_linux.conf`` beside them::

menuentry "Arch Linux" {
    volume   "Arch"
    loader   /boot/vmlinuz-linux
    initrd   /boot/initramfs-linux.img
    options  "root=PARTUUID=5028fa50 rw"
}

It reads other filesystems than FAT with the drivers beside it alone (its pages "Configuring the Boot Manager", "Methods of Booting Linux").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import field

from v2vlint.facts.boot.cmdline import split_args
from v2vlint.facts.boot.entry import BootEntry, BootMenu, kernel_version, stub_initrds
from v2vlint.facts.boot.grub.files import GrubFiles
from v2vlint.facts.syntax.caseless import find_case, lower_names
from v2vlint.facts.syntax.located import literal
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Token, WholeFile

MAX_KERNELS = 100
_WORD = re.compile(r'"((?:[^"]|"")*)"|[^\s",]+')
_PREFIXES = ("vmlinuz", "bzimage", "kernel")
_SCANNED = ("boot", "@/boot")
"""The default of ``also_scan_dirs``."""
_FAT = ("vfat", "")


@dataclass
class _Stanza:
    title: str
    words: dict[str, list[Token]] = field(default_factory=dict)


def refind_menu(files: GrubFiles, folder: str, mount: str, others: Sequence[str]) -> BootMenu:
    """The menu of the rEFInd in ``folder`` on the ESP at ``mount``. Its menu also includes the loaders in ``others``, folders on the
    ESP.
    """
    path = find_case(files.fs, folder, "refind.conf") or f"{folder}/refind.conf"
    text = files.fs.text(path) or GuestText(path, "")
    settings, stanzas = _parsed(text)
    # By default rEFInd also scans external and optical disks, which are not part of the guest.
    scanned = [word for words in settings.get("scanfor", ())[-1:] for word in words] or ["internal", "manual"]
    found = [_stanza(files, mount, text, one) for one in stanzas if "disabled" not in one.words] if "manual" in scanned else []
    entries = [*(_kernels(files, folder, mount, _also(settings)) if "internal" in scanned else ()), *found]
    default, reason = _default(settings, entries, others)
    return BootMenu("refind", "uefi", WholeFile(path), tuple(entries), default, reason, (path,))


def _parsed(text: GuestText) -> tuple[dict[str, list[list[str]]], list[_Stanza]]:
    settings: dict[str, list[list[str]]] = {}
    stanzas: list[_Stanza] = []
    depth = 0
    for line in text.lines():
        words = [] if line.is_blank() else [line.group(match, 1 if match[1] is not None else 0) for match in _WORD.finditer(line.text)]
        if not words or words[0].value.startswith("#"):
            continue
        name = words[0].value.lower()
        if name == "menuentry" and len(words) > 1:
            stanzas.append(_Stanza(words[1].value))
        opens = words[-1].value == "{"
        if name == "}" or opens:
            depth += 1 if opens else -1
        # What is deeper belongs to a submenuentry.
        elif depth == 1 and stanzas:
            stanzas[-1].words[name] = words[1:]
        elif depth <= 0:
            settings.setdefault(name, []).append([word.value for word in words[1:]])
    return settings, stanzas


def _stanza(files: GrubFiles, mount: str, text: GuestText, stanza: _Stanza) -> BootEntry:
    root = _volume(files, mount, stanza.words.get("volume", ()))
    loader = next(iter(stanza.words.get("loader", ())), None)
    initrd = next(iter(stanza.words.get("initrd", ())), None)
    options = stanza.words.get("options", ())
    path = _path(files, root, loader.value) if loader else ""
    kernel = path if path.rpartition("/")[2].lower().startswith(_PREFIXES) or initrd else ""
    args = tuple(arg for token in options for arg in split_args(literal(text, token.where.start, token.where.end)))
    # rEFInd hands its own on in the same way, as an argument.
    named = (*((initrd.value,) if initrd else ()), *stub_initrds(args))
    return BootEntry(
        title=stanza.title,
        id=stanza.title,
        kernel=kernel,
        initrds=tuple(_path(files, root, name) for name in named),
        args=args,
        where=loader.where if loader else WholeFile(text.path),
        source=text.path,
        kernel_at=loader if kernel else None,
        initrd_at=(initrd,) if initrd else (),
        version=kernel_version(kernel),
        chainload="" if kernel else path or stanza.title,
    )


def _volume(files: GrubFiles, mount: str, words: Sequence[Token]) -> str:
    """GRUB's name for the partition given by its GUID, name or label."""
    if not words:
        return files.device_of(f"{mount.rstrip('/')}/EFI")
    name = words[0].value
    for tag in ("PARTUUID", "PARTLABEL"):
        if part := next(iter(files.blocks.tagged(tag, name)), None):
            return f"uuid:{part.uuid}"
    return f"label:{name}"


def _path(files: GrubFiles, root: str, name: str) -> str:
    return files.locate("/" + name.replace("\\", "/").lstrip("/"), root).path


def _also(settings: dict[str, list[list[str]]]) -> tuple[str, ...]:
    """``also_scan_dirs``: folders of every volume (``VOLUME:FOLDER``: of that one alone); a first ``+`` keeps the default ones."""
    given = [word.strip() for words in settings.get("also_scan_dirs", ())[-1:] for text in words for word in text.split(",")]
    kept = _SCANNED if not given or given[0] == "+" else ()
    return (*kept, *(word.replace("\\", "/") for word in given if word != "+"))


def _kernels(files: GrubFiles, folder: str, mount: str, also: Sequence[str]) -> Iterator[BootEntry]:
    """Kernels in the folders that it scans of the filesystems it can read, newest first in each folder."""
    drivers = " ".join(name for top in ("drivers", "drivers_x64", "drivers_aa64") for name in lower_names(files.fs, f"{folder}/{top}"))
    for point, system in files.fs.mounts.items():
        # Beyond FAT, rEFInd reads what it has drivers for: ext4_x64.efi, btrfs_x64.efi.
        if point != mount and system.type not in _FAT and system.type not in drivers:
            continue
        for below in _folders(files, point.rstrip("/"), system.label, also):
            place = f"{point.rstrip('/')}/{below}".rstrip("/")
            # Another filesystem, which is searched as such; and rEFInd's own folder, which is not.
            if (place in files.fs.mounts and place != point.rstrip("/")) or place == folder:
                continue
            names = [name for low, name in lower_names(files.fs, place or "/").items() if low.startswith(_PREFIXES)]
            found = [(stat.mtime, f"{place}/{name}") for name in names if (stat := files.fs.stat(f"{place}/{name}"))]
            yield from (_found(files, path) for _time, path in sorted(found, reverse=True)[:MAX_KERNELS])


def _folders(files: GrubFiles, top: str, label: str, also: Sequence[str]) -> Iterator[str]:
    """The top of a volume, the folders in its EFI (``ScanEfiFiles()``), and ``also``."""
    yield ""
    efi = find_case(files.fs, top or "/", "EFI")
    for low, name in lower_names(files.fs, efi).items() if efi else ():
        if low != "tools" and not low.startswith("."):
            yield f"{efi}/{name}".removeprefix(f"{top}/")
    for one in also:
        volume, colon, below = one.rpartition(":")
        if not colon or volume.lower() == label.lower():
            yield below.strip("/")


def _found(files: GrubFiles, path: str) -> BootEntry:
    folder, _, name = path.rpartition("/")
    version = kernel_version(path)
    text = files.fs.text(f"{folder}/refind_linux.conf")
    lines = [line for line in text.lines() if not line.is_blank() and not line.text.lstrip().startswith("#")] if text else []
    # rEFInd starts the first line by default.
    words = [lines[0].group(match, 1 if match[1] is not None else 0) for match in _WORD.finditer(lines[0].text)] if lines else []
    options = words[1] if len(words) > 1 else None
    args = split_args(literal(text, options.where.start, options.where.end)) if text and options else ()
    images = [one for one in files.fs.listdir(folder or "/") if one.lower().startswith("init")]
    initrd = next((one for one in images if version and version in one), images[0] if len(images) == 1 and not version else "")
    top = files.fs.mount_of(path).rstrip("/")
    # Those given replace the one that rEFInd finds.
    given = tuple(f"{top}{name}" for name in stub_initrds(args))
    return BootEntry(
        title=name,
        id=name,
        kernel=path,
        initrds=given or ((f"{folder}/{initrd}",) if initrd else ()),
        args=args,
        where=options.where if options else WholeFile(path),
        source=text.path if text else path,
        version=version,
    )


def _default(settings: dict[str, list[list[str]]], entries: list[BootEntry], others: Sequence[str]) -> tuple[BootEntry | None, str]:
    if not entries:
        return None, "rEFInd has no stanza, and finds no kernel"
    asked = [words for words in settings.get("default_selection", ()) if words]
    for word in (part.strip() for part in asked[-1][0].split(",")) if asked and len(asked[-1]) == 1 else ():
        hit = [one for one in entries if word.lower() in f"{one.title} {one.kernel}".lower()] if word not in ("", "+") else []
        if len(hit) == 1 and not word.isdigit():
            return hit[0], f"default_selection {word}"
    if len(entries) == 1 and not others:
        return entries[0], "rEFInd has this entry alone"
    return None, "rEFInd starts what was started last, which only NVRAM knows, or what it finds first"
