"""A test's view of a guest: plain strings and numbers with their place, and failures that name what exists instead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import overload

from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.cmdline import KernelArg
from v2vlint.facts.boot.entry import BootEntry
from v2vlint.facts.initramfs.content import Initramfs
from v2vlint.facts.network.interface import InterfaceConfig, Method
from v2vlint.facts.network.network import Network
from v2vlint.facts.packages.installed import Packages
from v2vlint.facts.packages.package import Package
from v2vlint.facts.storage.fstab import Fstab, FstabEntry
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import V2vlintError
from v2vlint.model.place import Token


class NotEvaluated(V2vlintError):
    """Something about a guest could not be known, so that no test of it can pass or fail."""


# AssertionError: a test fails, and is not in error. KeyError: get() and "in" of a Mapping expect it.
class Missing(AssertionError, KeyError):
    """The guest does not have what a test requested; the message says what it has."""

    def __str__(self) -> str:
        # KeyError would show the repr of its message.
        return str(self.args[0]) if self.args else ""


class Text(str):
    """Text of a guest: a string with the attribute ``where``, its place: ``/etc/fstab:2:1``."""

    where: str

    def __new__(cls, value: str, where: object = "") -> Text:
        made = super().__new__(cls, value)
        made.where = str(where)
        return made


class Number(int):
    """A number of a guest, with its place in ``where``."""

    where: str

    def __new__(cls, value: int, where: object = "") -> Number:
        made = super().__new__(cls, value)
        made.where = str(where)
        return made


def token(value: Token) -> Text:
    """A piece of a guest's file as text."""
    return Text(value.value, value.where)


@dataclass(frozen=True, slots=True)
class FstabLine:
    """One entry of /etc/fstab: ``spec`` is the first field as written, ``where`` the place of the line."""

    spec: Text
    mount_point: str
    fs_type: str
    options: tuple[str, ...]
    where: str

    @classmethod
    def of(cls, entry: FstabEntry) -> FstabLine:
        """Made from the fact."""
        return cls(token(entry.spec), entry.mount_point, entry.fs_type, entry.options, str(entry.where))


class FstabView:
    """/etc/fstab. Iterates over its entries; ``"/boot" in fstab`` tests for a mount point."""

    def __init__(self, fact: Fstab, guest: str) -> None:
        self.entries = tuple(map(FstabLine.of, fact.entries))
        self._guest = guest

    def entry(self, mount_point: str) -> FstabLine:
        """The entry mounted at ``mount_point``, the last one if there are several. Missing says which mount points there are."""
        __tracebackhide__ = True
        found = [entry for entry in self.entries if entry.mount_point == mount_point]
        if not found:
            raise Missing(f"no fstab entry for {mount_point} in {self._guest}: there are {listed(e.mount_point for e in self.entries)}")
        return found[-1]

    def __contains__(self, mount_point: str) -> bool:
        return any(entry.mount_point == mount_point for entry in self.entries)

    def __iter__(self) -> Iterator[FstabLine]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __repr__(self) -> str:
        return f"<fstab of {self._guest}: {listed(f'{e.spec} at {e.mount_point}' for e in self.entries)}>"


class Args:
    """A kernel command line. ``args["root"]`` is the effective value, ``"quiet" in args`` tests for a name or a whole argument."""

    def __init__(self, args: tuple[KernelArg, ...], owner: str) -> None:
        self._args = args
        self._owner = owner

    def __getitem__(self, name: str) -> Text:
        __tracebackhide__ = True
        found = self.get(name)
        if found is None:
            raise Missing(f"no kernel argument {name} in {self._owner}: {self}")
        return found

    @overload
    def get(self, name: str) -> Text | None: ...

    @overload
    def get(self, name: str, default: str) -> str: ...

    def get(self, name: str, default: str | None = None) -> str | None:
        """The value of the last argument ``name`` (empty for a bare one), or ``default``."""
        return next(iter(reversed(self.all(name))), default)

    def all(self, name: str) -> tuple[Text, ...]:
        """The values of every argument ``name``, in order: ``console`` may be repeated."""
        return tuple(Text(arg.value or "", arg.where) for arg in self._args if arg.name == name)

    def __contains__(self, wanted: str) -> bool:
        return any(wanted in (arg.name, str(arg)) for arg in self._args)

    def __iter__(self) -> Iterator[Text]:
        return (Text(str(arg), arg.where) for arg in self._args)

    def __len__(self) -> int:
        return len(self._args)

    def __str__(self) -> str:
        return " ".join(map(str, self._args))

    def __repr__(self) -> str:
        return f"<kernel arguments of {self._owner}: {self}>"


@dataclass(frozen=True, slots=True)
class EntryView:
    """A boot entry. ``kernel`` and ``initrds`` are guest paths, ``version`` the kernel's."""

    title: str
    kernel: str
    initrds: tuple[str, ...]
    args: Args
    version: str
    where: str

    @classmethod
    def of(cls, entry: BootEntry) -> EntryView:
        """Made from the fact."""
        args = Args(entry.args, f"{entry} ({entry.where})")
        return cls(str(entry), entry.kernel, entry.initrds, args, entry.version, str(entry.where))


class BootloaderView:
    """The live boot loader: ``loader`` is ``grub2``, ``systemd-boot``…, ``entries`` are its menu."""

    def __init__(self, fact: Bootloader, guest: str) -> None:
        self.loader = fact.loader
        self.entries = tuple(map(EntryView.of, fact.entries))
        self.where = str(fact.where)
        self._fact = fact
        self._guest = guest

    @property
    def default(self) -> EntryView:
        """The default entry. Missing says why it cannot be determined."""
        __tracebackhide__ = True
        if self._fact.default is None:
            raise Missing(f"{self._guest} has no default boot entry: {self._fact.default_reason} ({self.where})")
        return EntryView.of(self._fact.default)

    def __repr__(self) -> str:
        return f"<boot loader of {self._guest}: {self.loader or 'none'}, {len(self.entries)} entries, {self.where}>"


class InitramfsView:
    """The initramfs that the default boot entry loads."""

    def __init__(self, fact: Initramfs, guest: str) -> None:
        self.where = str(fact.where)
        self.generator = fact.generator
        self.damage = fact.damage
        self.modules = frozenset(fact.modules)
        self.files = fact.files
        self._fact = fact
        self._guest = guest

    def has(self, module: str) -> bool:
        """Whether the kernel module is inside; ``-`` and ``_`` are equivalent. A driver built into the kernel does not count."""
        return self._fact.has(module)

    def __repr__(self) -> str:
        return f"<initramfs {self.where} of {self._guest}: {len(self.modules)} modules, {len(self.files)} files>"


@dataclass(frozen=True, slots=True)
class InterfaceView:
    """A configured network interface. ``name`` and ``mac`` are what it is bound to, empty when it is not; ``addresses`` are static ones."""

    name: Text
    mac: Text
    kind: str
    dhcp: bool
    addresses: tuple[Text, ...]
    gateways: tuple[Text, ...]
    dns: tuple[Text, ...]
    manager: str
    where: str

    @classmethod
    def of(cls, fact: InterfaceConfig) -> InterfaceView:
        """Made from the fact."""
        name = token(fact.names[0]) if fact.names else Text("", fact.where)
        mac = token(fact.mac) if fact.mac else Text("", fact.where)
        addresses = tuple(Text(str(one), one.where) for one in fact.addresses)
        gateways, dns = tuple(map(token, fact.gateways)), tuple(map(token, fact.dns))
        return cls(name, mac, fact.kind, fact.method is Method.DHCP, addresses, gateways, dns, fact.manager.value, str(fact.where))


class NetworkView:
    """The network configuration."""

    def __init__(self, fact: Network, guest: str) -> None:
        self.interfaces = tuple(map(InterfaceView.of, fact.interfaces))
        self._guest = guest

    def interface(self, name: str) -> InterfaceView:
        """The interface bound to ``name``. Missing says which names there are."""
        __tracebackhide__ = True
        found = next((one for one in self.interfaces if one.name == name), None)
        if found is None:
            raise Missing(
                f"{self._guest} configures no interface {name}: there are {listed(one.name or one.mac for one in self.interfaces)}"
            )
        return found

    def __repr__(self) -> str:
        return f"<network of {self._guest}: {listed(one.name or one.mac or 'any card' for one in self.interfaces)}>"


@dataclass(frozen=True, slots=True)
class PackageView:
    """A package. One that is not installed has no version; ``version`` is complete, with epoch and release."""

    name: str
    version: Text
    arch: str
    is_installed: bool
    where: str

    @classmethod
    def of(cls, fact: Package) -> PackageView:
        """Made from the fact."""
        return cls(fact.name, Text(fact.version, fact.where), fact.arch, True, str(fact.where))


class PackagesView(Mapping[str, PackageView]):
    """The installed packages by name, whichever package manager keeps them."""

    def __init__(self, fact: Packages, guest: str) -> None:
        self._fact = fact
        self._guest = guest

    def __getitem__(self, name: str) -> PackageView:
        __tracebackhide__ = True
        if name not in self._fact:
            raise Missing(f"package {name} is not installed in {self._guest} ({len(self._fact)} packages are)")
        return PackageView.of(self._fact[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._fact)

    def __len__(self) -> int:
        return len(self._fact)

    def __repr__(self) -> str:
        return f"<{len(self)} packages of {self._guest}>"


def listed(names: Iterable[str]) -> str:
    """Up to twenty names as text."""
    shown = [str(name) for name in names]
    return ", ".join(shown[:20]) + (f" and {len(shown) - 20} more" if len(shown) > 20 else "") or "none"
