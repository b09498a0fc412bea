"""The guest's initramfs images by path, each read once, on first use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field, replace

from v2vlint.facts.boot.pe import read_pe
from v2vlint.facts.initramfs.compiled_in import compiled_in
from v2vlint.facts.initramfs.content import Initramfs, merged
from v2vlint.facts.initramfs.decompress import Source
from v2vlint.facts.initramfs.reader import read_initramfs
from v2vlint.facts.kernel.config import KernelConfig
from v2vlint.facts.kernel.kernels import Kernel
from v2vlint.facts.registry import provides
from v2vlint.guest.budget import spending
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.place import WholeFile


@dataclass(frozen=True)
class Initramfses:
    """All images of one root. A path may be an image file or a unified kernel image, whose ``.initrd`` section is then read."""

    fs: GuestFS = field(repr=False, compare=False)
    _known: dict[str, Initramfs | FactUnavailable | None] = field(default_factory=dict, repr=False, compare=False)

    def of(self, path: str) -> Initramfs | None:
        """The image at ``path``; None when there is no such file. FactUnavailable (every time) when it cannot be known."""
        if path not in self._known:
            try:
                with spending():
                    self._known[path] = self._read(path)
            except FactUnavailable as reason:
                # Kept as well: a large image is not read again only to fail at the same limit.
                self._known[path] = reason
        return self._kept(path)

    def joined(self, paths: Iterable[str]) -> Initramfs | None:
        """What the kernel sees when the loader loads all of ``paths``, in order; None when one of them is missing or the list is empty."""
        images = [self.of(path) for path in paths]
        present = tuple(image for image in images if image is not None)
        return merged(present) if present and len(present) == len(images) else None

    def compiled_in(self, kernel: Kernel) -> Initramfs | None:
        """The kernel's own initramfs, read once; None when it is the empty one. FactUnavailable when that cannot be told."""
        key = f"{kernel.image}//"  # no path of a file
        if key not in self._known:
            try:
                with spending():
                    self._known[key] = compiled_in(kernel)
            except FactUnavailable as reason:
                self._known[key] = reason
        return self._kept(key)

    def _kept(self, key: str) -> Initramfs | None:
        found = self._known[key]
        if isinstance(found, FactUnavailable):
            raise found
        return found

    def _read(self, path: str) -> Initramfs | None:
        where = WholeFile(path)
        found, stream = self.fs.stat(path), self.fs.open(path)
        if found is None or stream is None:
            return None
        try:
            source = Source(stream, 0, found.size)
            if source.at(0, 2) == b"MZ":
                stream.seek(0)
                image = read_pe(stream)
                section = image.section(".initrd") if image else None
                if section is None:
                    return None
                source = Source(stream, section.offset, section.size)
            return read_initramfs(source, where)
        except (FactUnavailable, MemoryError):
            raise
        except Exception as error:
            raise FactUnavailable(where, f"cannot be read: {str(error).strip() or type(error).__name__}") from error


def unpacked_by(config: KernelConfig, image: Initramfs) -> Initramfs:
    """``image`` as a kernel with this configuration finds it: damaged where it lacks a decompressor (``CONFIG_RD_ZSTD``)."""
    outer = (segment.compression for segment in image.segments)
    lacking = next((name for name in outer if config.options.get(f"RD_{name.upper()}") == "n"), "")
    if not lacking or image.damage:
        return image
    return replace(image, damage=f"is compressed with {lacking}, which its kernel does not unpack (CONFIG_RD_{lacking.upper()} is not set)")


@provides
def parse_initramfses(fs: GuestFS) -> Initramfses:
    """Nothing is read until an image is requested. Images are read without replaying journals, as the boot loader does."""
    return Initramfses(fs.as_it_lies())
