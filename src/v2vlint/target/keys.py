"""The keys of a target profile, each defined once: how it is read, and how ``v2vlint targets NAME`` shows it.

A new key is a field of :class:`~v2vlint.model.target.Target`, an entry here, and a row in ``docs/targets.md``; tests hold the three
together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from v2vlint.model.arm_level import BASE, PAGES, arm_words
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import UsageError
from v2vlint.model.target import Admission, Board, Choice, Controller, Display, Hardware, Images, MachineLimits, MachineName, Nic, Target
from v2vlint.target.boards import place_of
from v2vlint.target.readers import Reader, fields, filled, flag, listed, maybe, number, one_of, pairs, pattern, shaped, span, table, text

Say = Callable[[Target], Iterable[str]]

PREFIXES = ("vd", "sd", "nvme", "xvd", "hd")
ARCHITECTURES = ("x86_64", "aarch64", "ppc64le", "riscv64", "s390x")
FORMATS = ("raw", "qcow2", "vmdk", "vmdk-stream", "vhd", "vhd-fixed", "vhdx", "vdi", "tar")
LAYOUTS = ("encrypted", "several-systems", "root-elsewhere", "32-bit")
_FORMATS = listed(one_of(*FORMATS))


@dataclass(frozen=True, slots=True)
class TargetKey:
    """How a key is read, how it is described, and its label. ``over`` marks a table whose keys are inherited one by one: ``read``
    then returns the keys that are present, and ``over`` builds the value for a profile that extends nothing."""

    read: Reader
    label: str
    say: Say
    over: Callable[[], Any] | None = None


def _words(field: str) -> Say:
    def say(target: Target) -> Iterator[str]:
        if found := getattr(target, field):
            yield found if isinstance(found, str) else ", ".join(found)

    return say


def _arm(target: Target) -> Iterator[str]:
    if target.arch == "aarch64" or target.arm_level != BASE:
        yield f"{arm_words(target.arm_level)} at least"


def _pages(target: Target) -> Iterator[str]:
    if target.arch == "aarch64" or target.page_sizes != PAGES:
        yield f"pages of {' or '.join(map(str, target.page_sizes))} KiB"


def _kept(field: str, words: str) -> TargetKey:
    return TargetKey(flag, "kept", lambda target: [words] if getattr(target, field) else [])


def _hypervisor(target: Target) -> Iterator[str]:
    yield target.hypervisor


def _xen_pv(target: Target) -> Iterator[str]:
    if target.xen_pv:
        yield "also paravirtual Xen kernels"


def _controllers(target: Target) -> Iterator[str]:
    yield from (f"{one.prefix}…: {one.name} ({_sets(one.any_of)})" for one in target.controllers)


def _nics(target: Target) -> Iterator[str]:
    yield from (f"{one.name} ({_sets(one.any_of)})" for one in target.nics)


def _choices(target: Target) -> Iterator[str]:
    for one in target.choices:
        devices = " and ".join(part.name for part in (one.controller, one.nic) if part is not None)
        yield f"{', '.join(one.guests)}: {devices}"


def _boards(target: Target) -> Iterator[str]:
    yield from (" and ".join(f"{card.bus if not card.at else card.at}" for card in board.cards[:1]) for board in target.boards)


def _others(field: str, what: str) -> Say:
    def say(target: Target) -> Iterator[str]:
        if found := getattr(target, field):
            yield f"or {what} {found[0]} to {found[1]}"

    return say


def _displays(target: Target) -> Iterator[str]:
    yield from (f"{one.name} ({' or '.join(one.modules)})" for one in target.displays)


def _sets(any_of: Iterable[Iterable[str]]) -> str:
    return " or ".join("+".join(names) for names in any_of)


def _limits(target: Target) -> Iterator[str]:
    limits = target.limits
    if limits.name is not None:
        yield f"names of at most {limits.name.longest} characters: {limits.name.words}"
    counts = (
        (limits.disks, "disks"),
        (limits.disk_gib, "GiB per disk"),
        (limits.cpus, "processors"),
        (limits.memory_gib, "GiB of memory"),
        (limits.cards, "network cards"),
    )
    yield from (f"{count} {what}" for count, what in counts if count)


def _admission(target: Target) -> Iterator[str]:
    asked = target.admission
    if not asked.swap:
        yield "no swap on the system disk"
    if not asked.lvm:
        yield "no LVM on the system disk"
    if asked.provisioners:
        yield f"set up by {' or '.join(asked.provisioners)}"
    if asked.grows_root:
        yield "the guest grows its root filesystem"
    if asked.power_button:
        yield "shut down by the power button"
    if asked.refuses:
        yield f"not imported: {', '.join(asked.refuses)}"


def _images(target: Target) -> Iterator[str]:
    if target.images.formats:
        yield f"imported as {' or '.join(target.images.formats)}"
    if target.images.align_mib:
        only = f" (as {' or '.join(target.images.align_formats)})" if target.images.align_formats else ""
        yield f"sizes are a multiple of {target.images.align_mib} MiB{only}"


def _sectors(target: Target) -> Iterator[str]:
    if target.sector_size != 512:
        yield f"logical sectors of {target.sector_size} bytes" if target.sector_size else "logical sectors as the image states them"


def _disk_sectors(target: Target) -> Iterator[str]:
    if target.disk_sectors:
        yield f"disks with logical sectors of {', '.join(str(size or 'any') for size in target.disk_sectors)} bytes"


def _first_disk(target: Target) -> Iterator[str]:
    if target.first_disk_only:
        yield f"{' and '.join(kind.upper() for kind in target.first_disk_only)} from the first disk only"


def _boot_order(target: Target) -> Iterator[str]:
    if target.boot_order:
        yield f"starts {', '.join(f'disk{number}' for number in target.boot_order)}"


def _secure_boot(target: Target) -> Iterator[str]:
    if target.secure_boot:
        keys = {"microsoft": "Microsoft's keys", "windows": "the key of Windows only", "own": "own keys"}[target.secure_boot]
        yield f"Secure Boot with {keys}"


def _sector(value: Any, place: str) -> int:
    if value not in (0, 512, 4096) or isinstance(value, bool):
        raise UsageError(f"{place}: must be 512, 4096, or 0 for what the image states")
    return int(value)


_WORD = shaped(r"[a-z0-9][a-z0-9._-]*", "a word of lower-case letters, digits and ._-")
_DEVICE = shaped(r"/dev/[\w/-]+", "the path of a device")
_CARD_MAC = shaped(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", "a MAC address in lower case")
_MAC = shaped(r"[0-9a-f]{2}(:[0-9a-f]{2}){1,2}", "the first bytes of a MAC address")
_COUNT = number(0, 1 << 24)
_SETS = filled(filled(text))
_PCI_ID = shaped(r"[0-9a-f]{4}:[0-9a-f]{4}", "a PCI ID such as 8086:100f")
_NIC = table(Nic, {"name": text, "any_of": _SETS}, {"ids": listed(_PCI_ID)})
_CONTROLLER = table(Controller, {"name": text, "prefix": one_of(*PREFIXES), "any_of": _SETS}, {"ids": pairs(_PCI_ID)})
_GUESTS = shaped(r"[a-z][a-z0-9_.]*( (\d[\d.]*-|-\d[\d.]*|\d[\d.]*-\d[\d.]*))?", "a system and versions such as 'debian 10-' or 'rhel -5'")
_CHOICE = table(Choice, {"guests": filled(_GUESTS), "source": text}, {"controller": _CONTROLLER, "nic": _NIC})
_NAME = table(MachineName, {"pattern": pattern, "longest": number(1, 1 << 16), "words": text})

KEYS: dict[str, TargetKey] = {
    "title": TargetKey(text, "", lambda target: ()),
    "hypervisor": TargetKey(_WORD, "hypervisor", _hypervisor),
    "xen_pv": TargetKey(flag, "hypervisor", _xen_pv),
    "platform": TargetKey(maybe(_WORD), "platform", _words("platform")),
    "controllers": TargetKey(filled(_CONTROLLER), "disks", _controllers),
    "nics": TargetKey(listed(_NIC), "network", _nics),
    "choices": TargetKey(listed(_CHOICE), "defaults", _choices),
    "boards": TargetKey(listed(table(Board, {"cards": filled(place_of), "source": text})), "cards", _boards),
    "other_slots": TargetKey(span(1 << 14), "cards", _others("other_slots", "hot-plug slot")),
    "other_buses": TargetKey(span(255), "cards", _others("other_buses", "bus")),
    "other_indexes": TargetKey(span(1 << 27), "cards", _others("other_indexes", "firmware index")),
    "mac_prefixes": TargetKey(listed(_MAC), "addresses", _words("mac_prefixes")),
    "macs": TargetKey(listed(_CARD_MAC), "cards' addresses", _words("macs")),
    "max_mtu": TargetKey(number(0, 1 << 16), "packets", lambda target: [f"{target.max_mtu} bytes at most"] if target.max_mtu else []),
    "displays": TargetKey(
        listed(table(Display, {"name": text, "modules": listed(text), "xorg_drivers": listed(text)})), "display", _displays
    ),
    "consoles": TargetKey(listed(text), "consoles", _words("consoles")),
    "keyboards": TargetKey(listed(text), "keyboard", _words("keyboards")),
    "firmware": TargetKey(
        filled(one_of("bios", "uefi")), "firmware", lambda target: [" or ".join(kind.upper() for kind in target.firmware)]
    ),
    "names_system_disk": TargetKey(
        flag, "firmware", lambda target: ["the import designates the boot disk"] if target.names_system_disk else []
    ),
    "sector_size": TargetKey(_sector, "disks", _sectors),
    "disk_sectors": TargetKey(listed(_sector), "disks", _disk_sectors),
    "secure_boot": TargetKey(maybe(one_of("microsoft", "windows", "own")), "firmware", _secure_boot),
    "efi32": TargetKey(flag, "firmware", lambda target: ["UEFI of 32 bits for guests of 32 bits"] if target.efi32 else []),
    "first_disk_only": TargetKey(
        listed(one_of("bios", "uefi")), "firmware",
        _first_disk,
    ),
    "boot_order": TargetKey(listed(number(1, 1 << 10)), "firmware", _boot_order),
    "bios": TargetKey(maybe(_WORD), "firmware", lambda target: [f"the BIOS is {target.bios}"] if target.bios else []),
    "arch": TargetKey(one_of(*ARCHITECTURES), "processor", lambda target: [target.arch]),
    "cpu_level": TargetKey(
        number(1, 4), "processor", lambda target: [f"x86-64-v{target.cpu_level} at least"] if target.arch == "x86_64" else []
    ),
    "arm_level": TargetKey(
        number(80, 99), "processor", _arm
    ),
    "page_sizes": TargetKey(filled(number(4, 64)), "processor", _pages),
    "cpu_hotplug": TargetKey(flag, "processor", lambda target: ["processors can be added while running"] if target.cpu_hotplug else []),
    "ram_mib": TargetKey(number(64, 1 << 24), "memory", lambda target: [f"{target.ram_mib} MiB assumed"]),
    "vmbus_id": TargetKey(maybe(text), "VMBus", _words("vmbus_id")),
    "keeps_mac": _kept("keeps_mac", "MAC addresses"),
    "keeps_pci": _kept("keeps_pci", "PCI slots"),
    "keeps_nvram": _kept("keeps_nvram", "UEFI variables"),
    "keeps_tpm": _kept("keeps_tpm", "vTPM"),
    "keeps_network": _kept("keeps_network", "the network"),
    "datasources": TargetKey(listed(_WORD), "cloud-init", _words("datasources")),
    "agents": TargetKey(listed(_WORD), "agents", _words("agents")),
    "guest_agent": TargetKey(
        maybe(_WORD), "agents", lambda target: [f"the host talks to {target.guest_agent}"] if target.guest_agent else []
    ),
    "resolvers": TargetKey(listed(text), "resolvers", _words("resolvers")),
    "time_servers": TargetKey(listed(text), "time", _words("time_servers")),
    "ptp_clocks": TargetKey(listed(_DEVICE), "time", _words("ptp_clocks")),
    "clocksources": TargetKey(listed(text), "time", _words("clocksources")),
    "shares": TargetKey(listed(text), "shares", _words("shares")),
    "limits": TargetKey(
        fields({"name": _NAME, "disks": _COUNT, "disk_gib": _COUNT, "cpus": _COUNT, "memory_gib": _COUNT, "cards": _COUNT}),
        "limits",
        _limits,
        MachineLimits,
    ),
    "images": TargetKey(
        fields({"formats": _FORMATS, "align_mib": number(0, 1 << 20), "align_formats": _FORMATS}), "images", _images, Images
    ),
    "admission": TargetKey(
        fields(
            {
                "swap": flag,
                "lvm": flag,
                "provisioners": listed(_WORD),
                "grows_root": flag,
                "power_button": flag,
                "refuses": listed(one_of(*LAYOUTS)),
            }
        ),
        "admission",
        _admission,
        Admission,
    ),
    "hardware": TargetKey(
        fields({"machine": text, "disk": text, "nic": text, "vga": text}),
        "prove",
        lambda target: ["QEMU can present it" if target.hardware else "QEMU cannot present it"],
        Hardware,
    ),
}  # fmt: skip


def said(target: Target) -> Iterator[tuple[str, str]]:
    """The profile as pairs of label and description, in the order of the keys; a label may repeat."""
    for label in dict.fromkeys(key.label for key in KEYS.values() if key.label):
        alone = label in ("disks", "network", "defaults", "display", "limits")
        found = [words for key in KEYS.values() if key.label == label for words in key.say(target)]
        if label == "kept" and not found:
            found = ["none of the source's hardware identity"]
        yield from ((label, words) for words in (found if alone else [", ".join(found)]) if words)
