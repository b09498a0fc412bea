"""Answers to questions with a name: one service, one registry key, modules of the kernel that boots."""

from __future__ import annotations

import re
from collections.abc import Mapping

from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.choices import BootChoices
from v2vlint.facts.environment.services import Services
from v2vlint.facts.environment.unit_states import unit_state
from v2vlint.facts.kernel.kernels import Kernel
from v2vlint.facts.registry import FactStore
from v2vlint.facts.systemd.unit_files import UnitFiles
from v2vlint.facts.windows.registry import Registry, RegistryValue, subkeys
from v2vlint.facts.windows.services import AUTO, WindowsServices
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import RegistryKey, Where, WholeFile

_MACHINE = re.compile(r"(?:HKLM:?|HKEY_LOCAL_MACHINE|Registry::HKEY_LOCAL_MACHINE)\\+(\w+)\\*(.*)", re.IGNORECASE)
_CURRENT = re.compile(r"CurrentControlSet(?:\\(.*))?$", re.IGNORECASE)
_TYPES = ("REG_NONE", "REG_SZ", "REG_EXPAND_SZ", "REG_BINARY", "REG_DWORD", "REG_DWORD_BIG_ENDIAN", "REG_LINK", "REG_MULTI_SZ")
_QWORD = 11


@dataclass(frozen=True, slots=True)
class ServiceReply:
    """A service or unit. ``state`` is that of systemctl, or the start type as named by sc.exe, or ``not-found``; ``where`` is what decides
    it.
    """

    name: str
    state: str
    enabled: bool
    where: Where


@dataclass(frozen=True, slots=True)
class RegistryValueReply:
    """A value: ``type`` is ``REG_SZ`` and so on, ``data`` a number, a text, a tuple of texts or bytes, whichever the type says."""

    name: str
    type: str
    number: int | None
    text: str
    texts: tuple[str, ...]
    data: bytes
    where: Where


@dataclass(frozen=True, slots=True)
class RegistryKeyReply:
    """A key, with the names of its subkeys. ``where`` is its place in the hive, even if it does not exist."""

    path: str
    exists: bool
    where: Where
    values: tuple[RegistryValueReply, ...] = ()
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KernelReply:
    """The kernel that boots; ``presence`` says of each module asked for: ``built in``, ``module``, ``absent`` or ``unknown``."""

    version: str
    image: str
    title: str
    where: Where
    presence: Mapping[str, str]


def service(store: FactStore, name: str) -> ServiceReply:
    """The state of ``name``. FactUnavailable when it cannot be determined."""
    if store.get(OsInfo).kind == "windows":
        return _windows(store.get(WindowsServices), name)
    found = unit_state(store.get(GuestFS), store.get(UnitFiles), store.get(Services), name)
    return ServiceReply(found.name, found.state, found.is_enabled, found.where)


def _windows(services: WindowsServices, name: str) -> ServiceReply:
    found = services.get(name)
    if found is None:
        return ServiceReply(name, "not-found", False, services.place(name))
    start = found.effective
    if start is None:
        raise FactUnavailable(found.where, "its start type is not stated")
    # 0 is boot, 1 system, 2 auto; 3 and 4 do not start by themselves.
    return ServiceReply(found.name, found.start_words, start <= AUTO, found.place("Start"))


def registry_key(store: FactStore, path: str) -> RegistryKeyReply:
    """A key of HKLM\\SYSTEM or HKLM\\SOFTWARE. FactUnavailable for other hives and on other systems."""
    match = _MACHINE.fullmatch(path.replace("/", "\\").rstrip("\\"))
    hive, below = (match[1].upper(), match[2]) if match else ("", "")
    if hive not in ("SYSTEM", "SOFTWARE"):
        raise FactUnavailable(WholeFile(path), "only HKLM\\SYSTEM and HKLM\\SOFTWARE are read")
    registry = store.get(Registry)
    if hive == "SYSTEM" and (current := _CURRENT.fullmatch(below)):
        below = f"{registry.control_set}\\{current[1] or ''}".rstrip("\\")
    top = registry.system if hive == "SYSTEM" else registry.software
    if isinstance(top, FactUnavailable):
        raise top
    if top is None:
        raise FactUnavailable(registry.soft_place(below), "the hive is absent")
    node = top.key(below) if below else top
    if node is None:
        return RegistryKeyReply(path, False, registry.soft_place(below) if hive == "SOFTWARE" else _place(registry, below))
    return RegistryKeyReply(path, True, node.where, tuple(map(_value, node.values())), tuple(key.name for key in subkeys(node)))


def _place(registry: Registry, below: str) -> Where:
    return RegistryKey(registry.system.path, below)


def _value(value: RegistryValue) -> RegistryValueReply:
    kind = _TYPES[value.type] if value.type < len(_TYPES) else "REG_QWORD" if value.type == _QWORD else str(value.type)
    return RegistryValueReply(value.name, kind, value.number, value.text, value.texts, value.data, value.where)


def kernel(store: FactStore, modules: tuple[str, ...]) -> KernelReply:
    """The kernel of the default entry. FactUnavailable when the default is unknown, or its file does not exist."""
    choices, loader = store.get(BootChoices), store.get(Bootloader)
    choice = choices.default
    if choice is None or choice.kernel is None or choices.assumed:
        reason = f"{choice.kernel_path} is absent" if choice and choice.kernel is None else choices.reason or "no default entry"
        raise FactUnavailable(loader.where, f"which kernel boots cannot be told: {reason}")
    found: Kernel = choice.kernel
    presence = {module: found.has(module).value for module in modules}
    return KernelReply(found.version, found.image, choice.title, choice.where, presence)
