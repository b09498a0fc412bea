"""The driver that Windows before 8 assigns to a device it has not seen before: ``Control\\CriticalDeviceDatabase``.

During boot only the kernel installs devices. It looks up a device's plug and play IDs there, hardware IDs first, then the compatible
ones (``PCI\\CC_0101``), with ``#`` for the backslash, and uses the ``Service`` of the first key that has one. Setup creates the keys of
the controllers it has met; a disk behind another one ends in 0x7B (Microsoft KB 314082).

A device is written here as a single ID with everything known about it: ``PCI#VEN_8086&DEV_7010&CC_010180`` or ``VMBUS#{…}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from v2vlint.facts.windows.registry import Registry, set_value, subkeys
from v2vlint.model.dataclass import dataclass
from v2vlint.model.fix import RegistrySet
from v2vlint.model.place import RegistryKey
from v2vlint.model.registry import sz

DATABASE = "Control\\CriticalDeviceDatabase"
_HDC, _SCSI = "{4D36E96A-E325-11CE-BFC1-08002BE10318}", "{4D36E97B-E325-11CE-BFC1-08002BE10318}"
_CHANNELS = ("primary_ide_channel", "secondary_ide_channel")
_VIRTUAL = ("1AF4", "15AD", "80EE", "1414", "5853", "1000", "0000", "1B36")
"""Subsystem vendors of virtual controllers; a key with any other is for a physical computer."""
_PARTS = frozenset({"VEN", "DEV", "SUBSYS", "REV", "CC"})


@dataclass(frozen=True, slots=True)
class CriticalEntry:
    """The key that decides: its place, and the service it assigns to the device."""

    where: RegistryKey
    service: str


class CriticalDevices:
    """The database of the control set that boots."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        node = registry.control(DATABASE)
        self.exists = node is not None
        found = ((key, key.text("Service").strip()) for key in subkeys(node))
        self._entries = {key.name.upper(): CriticalEntry(key.where, service) for key, service in found if service}

    def of(self, devices: Iterable[str]) -> CriticalEntry | None:
        """The entry for the first of ``devices`` that has one."""
        return next((entry for device in devices if (entry := self._of(device))), None)

    def _of(self, device: str) -> CriticalEntry | None:
        ranked = [(rank, entry) for name, entry in self._entries.items() if (rank := _rank(name, device.upper()))]
        return max(ranked, key=lambda one: one[0])[1] if ranked else None

    def place(self, device: str) -> RegistryKey:
        """The place of the key for ``device``, whether or not it exists."""
        return self._registry.place(f"{DATABASE}\\{device.partition('&CC_')[0]}")

    def seen(self, devices: Iterable[str], service: str) -> bool:
        """Whether Windows has driven one of ``devices`` with ``service`` before; it then finds its driver again without this database."""
        return any(one.lower() == service.lower() for device in devices for one in self._drove(device))

    def _drove(self, device: str) -> Iterator[str]:
        bus, _hash, name = device.partition("&CC_")[0].partition("#")
        for model in subkeys(self._registry.control(f"Enum\\{bus}")):
            if model.name.upper().startswith(name.upper()):
                yield from (one.text("Service") for one in subkeys(model))

    def binding(self, device: str, service: str) -> tuple[RegistrySet, ...]:
        """The edits that bind ``service`` to a PCI device, as KB 314082 does; the generic drivers are bound to the class."""
        model, _and, group = device.partition("&CC_")
        ide = group.startswith(("0101", "0106"))
        name = f"PCI#CC_{group[:4]}" if service in ("pciide", "msahci") else model
        edits = [*self._bind(name, service, _HDC if ide else _SCSI)]
        for channel in _CHANNELS if group.startswith("0101") else ():
            if channel.upper() not in self._entries:
                edits += self._bind(channel, "atapi", _HDC)
        return tuple(edits)

    def _bind(self, name: str, service: str, group: str) -> Iterator[RegistrySet]:
        key = self._registry.control(f"{DATABASE}\\{name}")
        for value, content in (("Service", service), ("ClassGUID", group)):
            where = self._registry.place(f"{DATABASE}\\{name}", value)
            yield set_value(where, sz(content), key.value(value) if key else None)


def _rank(name: str, device: str) -> tuple[bool, bool, bool, int] | None:
    """How specifically a key matches a device; None when it does not. Both are in upper case."""
    bus, _hash, rest = name.partition("#")
    mine, _hash, own = device.partition("#")
    if bus != mine or bus != "PCI":
        return (True, True, True, 0) if name == device else None
    wanted, known = _parts(rest), _parts(own)
    if not wanted or not set(wanted) <= _PARTS or not ("DEV" in wanted or "CC" in wanted):
        return None
    same = all(wanted[part] == known[part] for part in ("VEN", "DEV") if part in wanted)
    if not same or (not known["CC"].startswith(wanted.get("CC", "")) and not wanted.get("CC", "").startswith(known["CC"])):
        return None
    if "SUBSYS" in wanted and not wanted["SUBSYS"].endswith(_VIRTUAL):
        return None
    return "DEV" in wanted, "SUBSYS" in wanted, "VEN" in wanted, len(wanted.get("CC", ""))


def _parts(text: str) -> dict[str, str]:
    return {kind: value for kind, _bar, value in (part.partition("_") for part in text.split("&"))}
