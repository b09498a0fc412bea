"""The child's side of a proof: the disks' files, how the guest boots, its kernel. Runs under :mod:`v2vlint.isolate`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from v2vlint.disk.containers.formats import open_image
from v2vlint.facts.boot.entry import BootEntry
from v2vlint.facts.boot.firmware import Firmware as FirmwareFact
from v2vlint.facts.boot.start import ChosenFirmware, Startup
from v2vlint.facts.environment.chosen_hardware import fitted
from v2vlint.facts.network.network import Network
from v2vlint.facts.registry import FactStore
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.open import GuestContents, open_guest
from v2vlint.model.codec import decode, encode
from v2vlint.model.definition import Definition
from v2vlint.model.errors import FactUnavailable, Unsupported
from v2vlint.model.finding import Mover
from v2vlint.model.source import DiskFile, ImageNode
from v2vlint.model.target import Firmware, Hardware, Target
from v2vlint.proving.font import MAX_FONT, psf_font
from v2vlint.proving.images import ProofDisk
from v2vlint.proving.protocol import CopiedKernel, Glyphs, PreparedBoot, ProveAsk
from v2vlint.source.locate import locate
from v2vlint.source.values import mac_address

MAX_FONTS = 8
MAX_COPY = 1 << 30
_FONTS = ("/etc/console-setup/*.psf.gz", "/etc/console-setup/*.psf")
_FONT_FOLDERS = ("/usr/lib/kbd/consolefonts", "/usr/share/kbd/consolefonts", "/usr/share/consolefonts", "/lib/kbd/consolefonts")


def prepare(request: Any) -> Any:
    """Answer an encoded :class:`~v2vlint.proving.protocol.ProveAsk` with an encoded :class:`~v2vlint.proving.protocol.PreparedBoot`."""
    ask = decode(ProveAsk, request)
    source = locate(ask.guest)
    disks = tuple(proof_disk(file) for file in source.disks)
    guest = open_guest(source, ask.keys)
    foreign = [root.os.arch for root in guest.roots if not ask.target.runs(root.os.arch)]
    if foreign and len(foreign) == len(guest.roots):
        raise Unsupported(
            f"{source.name}: a guest for {foreign[0]} processors does not run on {ask.target.name}, which has {ask.target.arch}"
        )
    definition = guest.definition or Definition("", "")
    targets = [fitted(ask.target, root.os, definition) for root in guest.roots]
    stores = [
        FactStore((root.fs, guest.blocks, root.os, definition, there, Mover.RAW)) for root, there in zip(guest.roots, targets, strict=True)
    ]
    fonts = tuple(glyphs for store in stores[:1] for glyphs in _fonts(store.get(GuestFS)))
    kernel, reason = _kernel(stores, Path(ask.folder)) if ask.kernel else (None, "")
    firmware = _firmware(stores, ask.target)
    return encode(
        PreparedBoot(
            disks, firmware, _boot_disk(stores, firmware), _mac(guest, stores), fonts, kernel, reason, _hardware(targets, ask.target)
        )
    )


def _hardware(targets: list[Target], asked: Target) -> Hardware | None:
    """The machine for the first system of the guest."""
    return targets[0].hardware if targets else asked.hardware


def proof_disk(file: DiskFile) -> ProofDisk:
    """How QEMU should open ``file``. ImageError or Unsupported when v2vlint's own reader refuses the image."""
    image = open_image(file)
    if image.node is None:
        raise Unsupported(f"{file.name}: {image.format} images cannot be booted as they are", hint="unpack it first")
    one: ImageNode | None = image.node
    while one is not None:
        # QEMU would guess the format, and a guest can write the header of another format into a raw disk.
        if not one.stated and one.backing:
            hint = f"state it: qemu-img rebase -u -b {one.backing.path} -F {one.backing.format} {one.path}"
            raise Unsupported(f"{file.name}: does not state the format of its backing file", hint=hint)
        one = one.backing
    return ProofDisk(image.node, image.stream.size)


def _firmware(stores: list[FactStore], target: Target) -> Firmware:
    """The firmware that the forecast boots the guest with, or if none can, the one the guest's disks are made for."""
    for store in stores:
        try:
            chosen, able = store.get(ChosenFirmware).kind, store.get(FirmwareFact)
        except FactUnavailable:
            continue
        if "uefi" in target.firmware and (chosen == "uefi" or (not chosen and able.uefi and not able.bios)):
            return "uefi"
        return "bios" if chosen == "bios" else target.firmware[0]
    return target.firmware[0]


def _boot_disk(stores: list[FactStore], firmware: Firmware) -> int:
    """The disk with the boot code or the ESP, as far as known."""
    for store in stores:
        try:
            found = store.get(FirmwareFact)
        except FactUnavailable:
            continue
        return (found.esp_disk if firmware == "uefi" else found.boot_disk) or 0
    return 0


def _mac(guest: GuestContents, stores: list[FactStore]) -> str:
    """The single address stated by the definition, or else the one that the guest's own network configuration is bound to."""
    stated = {nic.mac for nic in guest.definition.nics} if guest.definition else set()
    stated -= {""}
    for store in () if stated else stores:
        try:
            network = store.get(Network)
        except FactUnavailable:
            continue
        bound = [card.mac for card in network.interfaces] + [pin.mac for pin in network.pins]
        stated |= {mac_address(token.value) for token in bound if token} - {""}
    return stated.pop() if len(stated) == 1 else ""


def _fonts(fs: GuestFS) -> Iterator[Glyphs]:
    try:
        paths = [path for pattern in _FONTS for path in fs.glob(pattern)] + list(_vconsole(fs))
        for path in paths[:MAX_FONTS]:
            font = psf_font(fs.read(path, MAX_FONT) or b"")
            if font:
                yield tuple((bitmap.hex(), char) for bitmap, char in font.items())
    except FactUnavailable:
        return


def _vconsole(fs: GuestFS) -> Iterator[str]:
    """The font set in vconsole.conf(5)."""
    text = fs.text("/etc/vconsole.conf")
    for line in text.lines() if text else ():
        key, _, value = line.text.strip().partition("=")
        name = value.strip("\"'")
        # The name becomes part of a pattern: no slash and no wildcard in it.
        if key == "FONT" and name.replace("-", "").replace("_", "").isalnum():
            yield from (path for folder in _FONT_FOLDERS for path in fs.glob(f"{folder}/{name}.psf*"))


def _kernel(stores: list[FactStore], folder: Path) -> tuple[CopiedKernel | None, str]:
    reason = "no operating system was found"
    for store in stores:
        try:
            return _copied(store.get(Startup).entry, store.get(GuestFS), folder), ""
        except FactUnavailable as error:
            reason = f"{error.where}: {error.reason}"
    return None, reason


def _copied(entry: BootEntry, fs: GuestFS, folder: Path) -> CopiedKernel:
    if not entry.kernel or entry.foreign or entry.xen:
        raise FactUnavailable(entry.where, "the default entry does not start a Linux kernel of this guest")
    # Quoted as the kernel takes it apart again (lib/cmdline.c, next_arg).
    words = (f'{arg.name}="{arg.value}"' if arg.value and " " in arg.value else str(arg) for arg in entry.args)
    # The kernel's line ends at a zero byte.
    line = " ".join(words).partition("\0")[0]
    if entry.uki:
        sections = {section.name: section for section in entry.uki}
        parts = [name for name in (".linux", ".initrd") if name in sections]
        for part in parts:
            _copy(fs, entry, entry.kernel, folder / part, sections[part].offset, sections[part].size)
        return CopiedKernel(str(entry), ".linux", tuple(parts[1:]), line)
    _copy(fs, entry, entry.kernel, folder / "kernel")
    names = tuple(f"initrd{index}" for index in range(len(entry.initrds)))
    for name, path in zip(names, entry.initrds, strict=True):
        _copy(fs, entry, path, folder / name)
    return CopiedKernel(str(entry), "kernel", names, line)


def _copy(fs: GuestFS, entry: BootEntry, path: str, host: Path, offset: int = 0, size: int = MAX_COPY) -> None:
    stream = fs.open(path)
    if stream is None:
        raise FactUnavailable(entry.where, f"{path} does not exist")
    with host.open("wb") as out:
        try:
            stream.seek(offset)
            _pump(stream, out, min(size, MAX_COPY))
        except (MemoryError, FactUnavailable):
            raise
        except Exception as error:
            raise FactUnavailable(entry.where, f"{path} cannot be read: {error}") from error


def _pump(stream: BinaryIO, out: BinaryIO, left: int) -> None:
    while left > 0 and (data := stream.read(min(left, 1 << 20))):
        out.write(data)
        left -= len(data)
