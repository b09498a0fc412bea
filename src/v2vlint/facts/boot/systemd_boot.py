"""systemd-boot (loader.conf(5)) and unified kernel images: ``loader/entries/*.conf`` and ``EFI/Linux/*.efi`` on the ESP and XBOOTLDR."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import replace

from v2vlint.facts.boot.bls import BlsEntry, SpecKey, bls_folder, spec_compare
from v2vlint.facts.boot.cmdline import KernelArg, plain_args, split_args
from v2vlint.facts.boot.entry import BootEntry, BootMenu, kernel_version, stub_initrds
from v2vlint.facts.boot.grub.env import read_grubenv
from v2vlint.facts.boot.loader_conf import Candidate, loader_conf, unquoted
from v2vlint.facts.boot.pe import PeImage, read_pe, read_section
from v2vlint.facts.kernel.image import read_kernel_image
from v2vlint.facts.syntax.caseless import find_case, lower_names, volume_path
from v2vlint.facts.syntax.located import literal
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import split_lines
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.place import Token, WholeFile

MAX_IMAGES = 200
MAX_ADDONS = 100
_TRIES = re.compile(r"\+(\d+)(?:-(\d+))?$")  # boot counting: NAME+LEFT-DONE
_TRIES_FILE = re.compile(r"\+\d+(?:-\d+)?(?=\.efi$)", re.IGNORECASE)
_MAGIC = re.compile(r"LoaderInfo: systemd-(?:stub|boot) (\d{1,6})")
_FIRST_WITH_ADDONS, _FIRST_WITH_UKI = 254, 258
_LAST_WITH_WHOLE_NAMES, _FIRST_WITHOUT_COUNTERS = 252, 257
"""Whether an entry's name, by which it is sorted and found, has the counter of attempts in it: seen in OVMF, versions between were not."""
_FROM_NETWORK = ("http://", "https://")
_EXACT_CASE_BEFORE, _ANY_CASE_SINCE = 252, 257
"""How ``architecture`` is compared: systemd's pull request 34643, which 252.39 also has; between them it depends on the patch level."""
_TOP = re.compile(r"(.*)/EFI/", re.IGNORECASE | re.DOTALL)


_VERSIONS = ("IMAGE_VERSION", "VERSION", "VERSION_ID", "BUILD_ID")
"""Keys of os-release(5) that give a unified image its version, the first wins: ``bootspec_pick_name_version_sort_key`` of systemd."""


def systemd_boot_menu(fs: GuestFS, esp: str, others: Iterable[str] = (), machine: str = "", version: int | None = None) -> BootMenu:
    """The menu of a systemd-boot on the ESP mounted at ``esp``, with the entries of XBOOTLDR partitions mounted at ``others``.

    ``machine`` is the processor it is for (``x64``, ``aa64``): entries that name another are not shown. If its ``version`` does not tell
    whether an entry is shown, and the default depends on that, there is none.
    """
    mounts, conf = tuple(dict.fromkeys((esp, *others))), loader_conf(fs, esp, version)

    def ordered(*, whole: bool) -> list[Candidate]:
        every = (
            one for mount in mounts for one in (*_type1(fs, mount, machine, version, whole=whole), *unified_images(fs, mount, whole=whole))
        )
        return [*_ordered(every), *conf.automatic(fs, esp, machine)]

    whole = version is not None and version <= _LAST_WITH_WHOLE_NAMES
    default, reason = conf.default(found := ordered(whole=whole))
    unsure = version is None or _LAST_WITH_WHOLE_NAMES < version < _FIRST_WITHOUT_COUNTERS
    if unsure and any(one.key.left >= 0 for one in found) and conf.default(ordered(whole=True))[0] != default:
        default, reason = None, "whether this systemd-boot counts attempts as a part of names depends on its version, which cannot be told"
    files = (conf.path, *(f"{mount.rstrip('/')}/loader/entries" for mount in mounts))
    return BootMenu("systemd-boot", "uefi", WholeFile(conf.path), tuple(candidate.entry for candidate in found), default, reason, files)


def grub_bls_menu(fs: GuestFS, esp: str) -> BootMenu | None:
    """The menu of a GRUB without a configuration file, which reads entries on its own partition (openSUSE's grub2-bls with sdbootutil).

    None when there are none. ``saved_entry`` in the grubenv beside the program names the default. An entry needs ``linux``, and nobody
    asks whether that file exists before it is started (``bls_create_entry`` of GRUB's blsuki.c).
    """
    found = _ordered(one for one in _all_type1(fs, esp) if not one.entry.uki and not one.entry.chainload)
    folder = find_case(fs, esp, "loader/entries")
    if not found or not folder:
        return None
    blocks = (read_grubenv(fs, path) for path in fs.glob(f"{esp.rstrip('/')}/EFI/*/grubenv"))
    saved = {v.value.text for block in blocks if block for v in block.variables if v.name in ("saved_entry", "default", "next_entry")}
    entry = next((one.entry for one in found if saved & {one.entry.id, one.name}), found[0].entry)
    entries, reason = tuple(one.entry for one in found), "GRUB reads the entries on its partition, in their order"
    return BootMenu("grub2", "uefi", WholeFile(folder), entries, entry, reason, (folder,))


def _ordered(candidates: Iterable[Candidate]) -> list[Candidate]:
    def compare(a: Candidate, b: Candidate) -> int:
        return spec_compare(a.key, b.key)

    return sorted(candidates, key=functools.cmp_to_key(compare))


def boot_version(fs: GuestFS, path: str) -> int | None:
    """The version of the systemd-boot at ``path``; None when it does not say."""
    return _told_version(fs, path, _pe(fs, path))


def _told_version(fs: GuestFS, path: str, image: PeImage | None) -> int | None:
    match = _MAGIC.search(_section(fs, path, image, ".sdmagic")) if image else None
    return int(match[1]) if match else None


def _type1(fs: GuestFS, mount: str, machine: str = "", version: int | None = None, *, whole: bool = False) -> list[Candidate]:
    """The entries whose program exists: systemd-boot skips the others (``boot_entry_add_type1``); all of them, if none exists."""
    found = _all_type1(fs, mount, machine, version, whole=whole)
    return [one for one in found if _is_there(fs, one.entry.kernel or one.entry.chainload)] or found


def _all_type1(fs: GuestFS, mount: str, machine: str = "", version: int | None = None, *, whole: bool = False) -> list[Candidate]:
    folder = find_case(fs, mount, "loader/entries")
    found: list[Candidate] = []
    for file in bls_folder(fs, folder, any_case=True) if folder else ():
        fits = _fits(unquoted(_text(file.architecture)), machine, version)
        entry, agreed = _as_read(file, version)
        if entry is not None and fits is not False:
            found.append(replace(_from_bls(fs, mount, entry, whole=whole), shown=fits is True and agreed))
    return found


def _is_there(fs: GuestFS, program: str) -> bool:
    return program.startswith(_FROM_NETWORK) or fs.exists(program)


def _as_read(entry: BlsEntry, version: int | None) -> tuple[BlsEntry | None, bool]:
    """The entry with its one program as ``linux`` or ``efi``, None where it is not shown; and whether all versions agree on that.

    Since 258 there are ``uki`` and ``uki-url``, and entries with two kinds of programs are not shown; before, the later one counted.
    """
    kinds = (entry.linux, entry.efi, entry.uki, entry.uki_url)
    later = max((one for one in kinds[:2] if one), key=lambda one: one.where.start, default=None)
    early = replace(entry, linux=None if later is entry.efi else later, efi=later if later is entry.efi else None) if later else None
    # Without a server that the disk came from, an address relative to it leads nowhere.
    shown = sum(one is not None for one in kinds) == 1 and not _text(entry.uki_url).startswith(":")
    late = replace(entry, efi=entry.efi or entry.uki or entry.uki_url) if shown else None
    if version is None:
        return late or early, late == early
    return late if version >= _FIRST_WITH_UKI else early, True


def _fits(wanted: str, machine: str, version: int | None) -> bool | None:
    """Whether a systemd-boot for ``machine`` shows an entry with that ``architecture``; None if that depends on its version."""
    if not wanted or not machine or wanted == machine:
        return True
    if wanted.lower() != machine or (version is not None and version < _EXACT_CASE_BEFORE):
        return False
    return True if version is not None and version >= _ANY_CASE_SINCE else None


def _from_bls(fs: GuestFS, mount: str, bls: BlsEntry, *, whole: bool = False) -> Candidate:
    tries = _TRIES.search(bls.id)
    name = _TRIES.sub("", bls.id)
    full = f"{bls.id if whole else name}.conf"
    sort_key, machine_id, version = (unquoted(_text(token)) for token in (bls.sort_key, bls.machine_id, bls.version))
    key = SpecKey(full, sort_key, machine_id, version, *_counted(tries))
    url = bls.efi.value if bls.efi and bls.efi is bls.uki_url else ""
    image = _path(fs, mount, bls.efi.value) if bls.efi and not url else ""
    sections = _pe(fs, image)
    kernel = _path(fs, mount, bls.linux.value) if bls.linux else image if _is_kernel(fs, image, sections) else ""
    args = tuple(arg for token in bls.options for arg in _args(fs, token)) or _uki_args(fs, image, sections)
    # systemd-boot loads an initramfs for ``linux`` alone.
    named = [token.value for token in bls.initrds] if bls.linux else []
    entry = BootEntry(
        title=unquoted(_text(bls.title)) or name,
        id=name,
        kernel=kernel,
        initrds=tuple(_path(fs, mount, path) for path in (named or stub_initrds(args))),
        args=args,
        where=bls.options[0].where if bls.options else bls.where,
        source=bls.where.path,
        kernel_at=bls.linux or bls.efi,
        initrd_at=bls.initrds,
        version=kernel_version(kernel) or version,
        chainload="" if kernel else url or image,
        uki=sections.sections if sections and not bls.linux else (),
        devicetree=_path(fs, mount, bls.devicetree.value) if bls.devicetree else "",
    )
    return Candidate(key, full, entry)


def _is_kernel(fs: GuestFS, path: str, sections: PeImage | None) -> bool:
    """Whether an EFI program is a unified kernel image, or a kernel with an EFI stub."""
    if sections is None:
        return False
    if sections.section(".linux"):
        return True
    found = read_kernel_image(fs, path)
    return found is not None and found.kind in ("bzimage", "arm64", "zboot")


def unified_images(fs: GuestFS, mount: str, *, whole: bool = False) -> list[Candidate]:
    """The unified kernel images in ``EFI/Linux`` below ``mount`` that a menu lists: those that state their system."""
    folder = find_case(fs, mount, "EFI/Linux")
    all_names = lower_names(fs, folder) if folder else {}
    names = [name for low, name in all_names.items() if low.endswith(".efi") and not low.startswith((".", "auto-"))]
    found = (unified_image(fs, f"{folder}/{name}", whole=whole) for name in sorted(names)[:MAX_IMAGES])
    return [candidate for candidate in found if candidate and candidate.named]


def unified_image(fs: GuestFS, path: str, *, whole: bool = False) -> Candidate | None:
    """The boot entry for the unified kernel image at ``path``; None when it is not one. ``whole``: its name keeps the counter."""
    image = _pe(fs, path)
    if image is None or image.section(".linux") is None:
        return None
    release = _os_release(_section(fs, path, image, ".osrel"))
    uname = _section(fs, path, image, ".uname").strip()
    file = path.rsplit("/", 1)[1]
    stem, suffix = file[:-4], file[-4:]
    tries = _TRIES.search(stem)
    name = _TRIES.sub("", stem) + suffix
    version = next((text for one in _VERSIONS if (text := release.get(one))), "")
    full = file if whole else name
    key = SpecKey(full, release.get("IMAGE_ID") or release.get("ID", ""), "", version, *_counted(tries))
    entry = BootEntry(
        title=release.get("PRETTY_NAME") or name,
        id=name,
        kernel=path,
        initrds=(),
        args=_uki_args(fs, path, image),
        where=WholeFile(path),
        source=path,
        version=uname or kernel_version(path),
        uki=image.sections,
    )
    return Candidate(key, full, entry, any(release.get(one) for one in ("PRETTY_NAME", "IMAGE_ID", "NAME", "ID")))


def _counted(tries: re.Match[str] | None) -> tuple[int, int]:
    """How many boot attempts are left, and how many were made; -1 when they are not counted."""
    return (int(tries[1][:9]), int((tries[2] or "0")[:9])) if tries else (-1, 0)


def _pe(fs: GuestFS, path: str) -> PeImage | None:
    stream = fs.open(path) if path else None
    if stream is None:
        return None
    try:
        return read_pe(stream)
    except (FactUnavailable, MemoryError):
        raise
    except Exception as error:
        raise FactUnavailable(WholeFile(path), f"cannot be read: {error}") from error


def _section(fs: GuestFS, path: str, image: PeImage, name: str) -> str:
    stream, section = fs.open(path), image.section(name)
    if stream is None or section is None:
        return ""
    try:
        return read_section(stream, section).decode("utf-8", "replace")
    except (FactUnavailable, MemoryError):
        raise
    except Exception as error:
        raise FactUnavailable(WholeFile(path), f"cannot be read: {error}") from error


def _uki_args(fs: GuestFS, path: str, image: PeImage | None) -> tuple[KernelArg, ...]:
    """The command line inside the image, followed by that of its add-ons (systemd-stub(7)): those for all images, then its own.

    An add-on with a kernel, or for another kernel, is passed over (``load_addons`` of systemd's stub.c). Stubs before systemd 254 do not
    support add-ons (observed in OVMF with the stub of 252).
    """
    if image is None:
        return ()
    args = plain_args(_section(fs, path, image, ".cmdline"), WholeFile(path))
    stub = _told_version(fs, path, image)
    uname = _section(fs, path, image, ".uname")
    for addon in _addons(fs, path) if stub is None or stub >= _FIRST_WITH_ADDONS else ():
        found = _pe(fs, addon)
        # Of two names, only the length of the add-on's is compared.
        if found and not found.section(".linux") and (not uname or uname.startswith(_section(fs, addon, found, ".uname"))):
            args += plain_args(_section(fs, addon, found, ".cmdline"), WholeFile(addon))
    return args


def _addons(fs: GuestFS, path: str) -> list[str]:
    top = _TOP.match(path)
    common = find_case(fs, top[1] or "/", "loader/addons") if top else None
    folders = (common or "", f"{_TRIES_FILE.sub('', path)}.extra.d")
    names = ((folder, name) for folder in folders if folder for name in sorted(fs.listdir(folder)) if name.lower().endswith(".addon.efi"))
    return [f"{folder}/{name}" for folder, name in names][:MAX_ADDONS]


def _args(fs: GuestFS, token: Token) -> tuple[KernelArg, ...]:
    text, quoted = fs.text(token.where.path), unquoted(token.value) != token.value
    return split_args(literal(text, token.where.start + quoted, token.where.end - quoted)) if text else ()


def _path(fs: GuestFS, mount: str, name: str) -> str:
    return volume_path(fs, mount, unquoted(name))


def _os_release(text: str) -> dict[str, str]:
    lines = (line.partition("=") for line in split_lines(text) if not line.startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, equals, value in lines if equals}


def _text(token: Token | None) -> str:
    return token.value if token else ""
