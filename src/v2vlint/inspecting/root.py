"""The full description of one root, from its files and facts. Unknown parts are named, and the rest is still reported."""

from __future__ import annotations

import dataclasses

from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.consoles import Consoles
from v2vlint.facts.boot.firmware import Firmware
from v2vlint.facts.environment.guest_tools import GuestTools
from v2vlint.facts.registry import FactStore
from v2vlint.guest.open import Root
from v2vlint.inspecting import applications, guestfs_view, kernels, network, release
from v2vlint.inspecting.gaps import Gaps
from v2vlint.inspecting.windows import windows_system
from v2vlint.model.machine import Agent, Application, MountPoint, OperatingSystem
from v2vlint.model.report import Problem

LOADERS = {"grub2": "GRUB 2", "grub-legacy": "GRUB legacy", "extlinux": "SYSLINUX", "limine": "Limine",
    "refind": "rEFInd", "uki": "unified kernel image",
           "efi-stub": "the kernel itself", "systemd-boot": "systemd-boot"}  # fmt: skip


def inspect_root(root: Root, store: FactStore, with_applications: bool) -> OperatingSystem:
    """One operating system."""
    if root.os.kind == "windows":
        found = windows_system(store, root.device, with_applications)
    elif root.os.kind == "linux":
        found = _linux(root, store, with_applications)
    else:
        found = OperatingSystem(root.device, release.other_release(root.os), root.os.arch)
    mounts = tuple(MountPoint(mount.point, mount.device, mount.subvolume) for mount in root.mounts)
    return dataclasses.replace(found, mounts=mounts, subvolume=root.subvolume, deployment=root.deployment)


def _linux(root: Root, store: FactStore, with_applications: bool) -> OperatingSystem:
    gaps = Gaps()
    none: tuple[tuple[Application, ...], tuple[Problem, ...]] = ((), ())
    listed, unread = gaps.ask(lambda: applications.applications(root.fs), none) if with_applications else none
    for problem in unread:
        gaps.add(problem)
    loader, config = gaps.ask(lambda: boot_loader(store), ("", ""))
    return OperatingSystem(
        device=root.device,
        release=release.linux_release(root.fs, root.os, root.deployment),
        arch=root.os.arch,
        hostname=root.os.hostname,
        firmware=gaps.ask(lambda: firmware(store), ""),
        loader=loader,
        loader_config=config,
        applications=listed,
        kernels=gaps.ask(lambda: kernels.installed(store), ()),
        drivers=gaps.ask(lambda: kernels.in_use(store), ()),
        interfaces=gaps.ask(lambda: network.interfaces(store), ()),
        consoles=gaps.ask(lambda: _consoles(store), ()),
        agents=gaps.ask(lambda: _agents(store), ()),
        libguestfs=gaps.ask(lambda: guestfs_view.guestfs_view(store, root.device, root.subvolume, root.mounts), None),
        unread=tuple(gaps.problems.values()),
    )


def firmware(store: FactStore) -> str:
    """The firmware the guest can boot with: ``bios``, ``uefi``, ``bios+uefi``, or empty when the disks do not show it."""
    found = store.get(Firmware)
    return "+".join(name for name, able in (("bios", found.bios), ("uefi", found.uefi)) if able)


def boot_loader(store: FactStore) -> tuple[str, str]:
    """The most likely boot loader and the file it reads."""
    found = store.get(Bootloader)
    return LOADERS.get(found.loader, found.loader), found.menus[0].config.path if found.menus else ""


def _consoles(store: FactStore) -> tuple[str, ...]:
    return tuple(dict.fromkeys(console.name for console in store.get(Consoles).consoles))


def _agents(store: FactStore) -> tuple[Agent, ...]:
    found = store.get(GuestTools)
    return tuple(Agent(tool.family, tool.name, tool.family in found.running) for tool in found.tools)
