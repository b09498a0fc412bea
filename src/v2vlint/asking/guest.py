"""A guest to query: everything is read lazily, in an isolated process.

What a guest does not have raises :class:`Missing` (an AssertionError). What cannot be known raises :class:`NotEvaluated`: the test then
neither passes nor fails.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import Any, TypeVar

from v2vlint.asking.files import FileState
from v2vlint.asking.system import GroupView, KernelView, MountPointView, RegistryKeyView, ServiceView, SshdView, UserView
from v2vlint.asking.views import (
    Args,
    BootloaderView,
    FstabView,
    InitramfsView,
    NetworkView,
    NotEvaluated,
    Number,
    PackagesView,
    PackageView,
    Text,
)
from v2vlint.engine.details import KernelReply, RegistryKeyReply, ServiceReply
from v2vlint.engine.questions import Answers, FileView, Question, Reply
from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.environment.accounts import Accounts
from v2vlint.facts.environment.sshd_config import SshdConfig
from v2vlint.facts.initramfs.content import Initramfs
from v2vlint.facts.kernel.sysctl import Sysctl, path_of
from v2vlint.facts.network.network import Network
from v2vlint.facts.packages.installed import Packages
from v2vlint.facts.storage.fstab import Fstab
from v2vlint.facts.storage.mount_points import MountPoints
from v2vlint.model.blocks import BlockTable
from v2vlint.model.codec import decode, parse
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.source import GuestRef

T = TypeVar("T")
# Many tests ask for several of these: one child answers for all.
_TOGETHER = (OsInfo, BlockTable, Fstab, Bootloader, Network)


def unpack(kind: type[T], reply: Reply) -> T:
    """The value in a reply; NotEvaluated, with its place, when it cannot be known."""
    if reply.reason:
        raise NotEvaluated(f"{reply.where}: {reply.reason}")
    return decode(kind, parse(reply.value))


class Askable(ABC):
    """One root of a guest, queried piece by piece. ``name`` is the guest's, ``root`` the device of the operating system to use."""

    def __init__(self, ref: GuestRef, root: str = "") -> None:
        self.name = ref.name
        self._ref = ref
        self._root = root

    @abstractmethod
    def _answers(self, question: Question) -> Answers:
        """Answer a question about the guest."""

    def _ask(self, kind: type[T], key: str, **wish: Any) -> T:
        question = dataclasses.replace(Question(self._ref, root=self._root), **wish)
        return unpack(kind, self._answers(question).replies[key])

    def fact(self, kind: type[T]) -> T:
        """Any fact of :mod:`v2vlint.api` that is plain data: ``guest.fact(Crypttab)``."""
        wanted = _TOGETHER if kind in _TOGETHER else (kind,)
        return self._ask(kind, f"fact:{kind.__name__}", facts=tuple(one.__name__ for one in wanted))

    @property
    def os(self) -> OsInfo:
        """Which operating system it is: ``os.distro``, ``os.version``, ``os.arch``, ``os.hostname``."""
        return self.fact(OsInfo)

    @property
    def blocks(self) -> BlockTable:
        """Its disks, partitions, volumes and filesystems."""
        return self.fact(BlockTable)

    @property
    def fstab(self) -> FstabView:
        """/etc/fstab: ``guest.fstab.entry("/boot").spec``."""
        return FstabView(self.fact(Fstab), self.name)

    @property
    def bootloader(self) -> BootloaderView:
        """The live boot loader: ``guest.bootloader.default.args``."""
        return BootloaderView(self.fact(Bootloader), self.name)

    @property
    def initramfs(self) -> InitramfsView:
        """The initramfs of the default boot entry: ``guest.initramfs.has("virtio_blk")``."""
        return InitramfsView(self._ask(Initramfs, "initramfs", initramfs=True), self.name)

    @property
    def kernel(self) -> KernelView:
        """The kernel of the default boot entry: ``guest.kernel.has("nvme")``. NotEvaluated when it is unknown which kernel boots."""
        return KernelView(lambda modules: self._ask(KernelReply, "kernel", modules=modules), self._args, self.name)

    def _args(self) -> Args:
        __tracebackhide__ = True
        return self.bootloader.default.args

    @property
    def network(self) -> NetworkView:
        """Its network configuration: ``guest.network.interfaces``."""
        return NetworkView(self.fact(Network), self.name)

    @property
    def packages(self) -> PackagesView:
        """The installed packages: ``guest.packages["openssh-server"].version``."""
        return PackagesView(self.fact(Packages), self.name)

    def package(self, name: str) -> PackageView:
        """One package, installed or not: ``guest.package("open-vm-tools").is_installed``. NotEvaluated when the guest has no package
        database.
        """
        __tracebackhide__ = True
        packages = self.packages
        if not packages:
            raise NotEvaluated(f"{self.name} has no package database: nobody can tell whether {name} is installed")
        return packages.get(name) or PackageView(name, Text(""), "", False, "")

    def file(self, path: str) -> FileState:
        """A path: ``guest.file("/etc/hosts").text``. Files longer than 8 MiB cannot be read."""
        return FileState(self._ask(FileView, f"file:{path}", files=(path,)), self.name, lambda: self.fact(Accounts))

    def service(self, name: str) -> ServiceView:
        """A service: ``guest.service("sshd").is_enabled`` is what ``systemctl is-enabled`` would say. ``.service`` may be left out."""
        return ServiceView(self._ask(ServiceReply, f"service:{name}", services=(name,)), self.name)

    def user(self, name: str) -> UserView:
        """A user: ``guest.user("root").password_state``."""
        return UserView(name, self.fact(Accounts), self.name)

    def group(self, name: str) -> GroupView:
        """A group: ``guest.group("wheel").members``."""
        return GroupView(name, self.fact(Accounts), self.name)

    def mount_point(self, path: str) -> MountPointView:
        """What is mounted at ``path`` after boot: ``guest.mount_point("/tmp").options``."""
        return MountPointView(path, self.fact(MountPoints), self.name)

    def sysctl(self, name: str) -> Number | Text:
        """A kernel parameter as set by sysctl.d or the command line: ``guest.sysctl("net.ipv4.ip_forward") == 0``. NotEvaluated when
        neither sets it.
        """
        __tracebackhide__ = True
        found = self.fact(Sysctl).get(name)
        if found is not None and found.value is not None:
            return _number(found.value, found.where)
        # The kernel applies these before init starts (init/main.c, do_sysctl_args), so what sysctl.d says wins.
        for arg in reversed(tuple(self._args())):
            key, _, value = arg.partition("=")
            if key.startswith("sysctl.") and path_of(key.removeprefix("sysctl.")) == path_of(name):
                return _number(value, arg.where)
        raise NotEvaluated(f"nothing in {self.name} sets {name}: the kernel's default holds, which is not known here")

    @property
    def sshd(self) -> SshdView:
        """The configuration of OpenSSH's server: ``guest.sshd["PermitRootLogin"]``."""
        return SshdView(self.fact(SshdConfig), self.name)

    def registry(self, path: str) -> RegistryKeyView:
        """A key of a Windows guest below ``HKLM\\SYSTEM`` or ``HKLM\\SOFTWARE``."""
        return RegistryKeyView(self._ask(RegistryKeyReply, f"key:{path}", keys_of_registry=(path,)), self.name)


def _number(value: str, where: object) -> Number | Text:
    digits = value.removeprefix("-")
    return Number(int(value), where) if digits.isascii() and digits.isdecimal() and len(digits) < 20 else Text(value, where)
