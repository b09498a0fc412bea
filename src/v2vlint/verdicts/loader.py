"""Loader: which boot loader comes up, and with which configuration?"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.efi import Efi, EfiImage, firmware_arch
from v2vlint.facts.boot.entry import BootMenu
from v2vlint.facts.boot.firmware import Firmware
from v2vlint.facts.boot.secure_boot import SecureBoot
from v2vlint.facts.boot.shim import fallback_names, second_stages
from v2vlint.facts.boot.start import Startup
from v2vlint.model.dataclass import dataclass
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import WholeFile
from v2vlint.model.target import Target
from v2vlint.model.verdict import Cause, Judge, Verdict, doubt, fault


def _stops(startup: Startup) -> Iterator[Cause[BootMenu]]:
    """A loader that reads exactly one configuration, which leads to no menu; or has none to read."""
    menu = startup.menu
    if menu is not None and menu.stops:
        reads = f"GRUB reads {menu.config.path}, which leads to no menu: " if menu.loader == "grub2" else ""
        yield fault(True, f"{reads}{menu.stops}", menu.config, menu)


def _menu(loader: Bootloader, startup: Startup) -> Iterator[Cause[None]]:
    """A supported loader reads a menu with entries."""
    menu = startup.menu
    if menu is None:
        yield Cause(Fate.UNKNOWN, loader.reason, loader.where)
    elif not menu.entries:
        yield Cause(Fate.UNKNOWN, f"{menu.config.path} has no entry that could be read: {menu.default_reason}", menu.config)
    elif menu.unsure:
        yield Cause(Fate.UNKNOWN, menu.unsure, menu.config)
    else:
        yield Cause(Fate.PASS, f"{menu.loader} reads {menu.config.path}", menu.config)


@dataclass(frozen=True, slots=True)
class LonelyShim:
    """``fallback`` is shim, with neither its fallback program nor ``wanted`` beside it."""

    fallback: EfiImage
    wanted: str


def _shim(efi: Efi, firmware: Firmware, os: OsInfo, target: Target) -> Iterator[Cause[LonelyShim]]:
    """shim in the fallback directory: it starts what is beside it."""
    if target.keeps_nvram or firmware.only != "uefi":
        return
    fallback = efi.fallback(arch := firmware_arch(os.arch, target))
    if fallback is None or fallback.kind != "shim":
        return
    names, (wanted, *others) = fallback_names(arch), second_stages(fallback, arch)
    if not {image.name for image in efi.of("boot")} & {*names, wanted, *others}:
        reason = f"{fallback.path} is shim, and neither {names[0]} nor {wanted} is beside it"
        yield fault(True, reason, WholeFile(fallback.path), LonelyShim(fallback, wanted))


def _unknown(efi: Efi, startup: Startup, os: OsInfo, target: Target) -> Iterator[Cause[None]]:
    """A program in the fallback directory that is not recognised: what it starts is not known."""
    program = None if target.keeps_nvram else efi.fallback(firmware_arch(os.arch, target))
    if program is not None and program.kind == "unknown" and startup.menu is not None and startup.menu.firmware == "uefi":
        yield Cause(Fate.UNKNOWN, f"{program.path} is no loader that is known here: what it starts cannot be told", WholeFile(program.path))


def _signed(secure: SecureBoot) -> Iterator[Cause[str]]:
    """The program that shim starts, verified with shim's own certificate, the keys of the firmware, and SBAT generations."""
    for image, by in secure.handed_on():
        program, shim, where = secure.of(image.path), secure.of(by.path), WholeFile(image.path)
        refusal = secure.by_shim(program, shim)
        if refusal is not None:
            yield secure.refused(refusal, f"Secure Boot: {program.path} {refusal.reason}", where)
        elif old := secure.outdated(program):
            yield doubt(False, f"Secure Boot: {program.path} is refused where the newest revocations were applied: {old}", where, "")


class LoaderVerdict(Verdict, stage=Stage.LOADER, place=20):
    """Which boot loader comes up, and with which configuration?"""

    shim = Judge(_shim)
    signed = Judge(_signed)
    unknown = Judge(_unknown)
    prompt = Judge(_stops)
    menu = Judge(_menu)
