"""The guest's initramfs images by path, each read once, on first use."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import field

from v2vlint.facts.boot.pe import read_pe
from v2vlint.facts.initramfs.compiled_in import compiled_in
from v2vlint.facts.initramfs.content import NESTED, Initramfs, Segment, merged
from v2vlint.facts.initramfs.decompress import MAGICS, Source
from v2vlint.facts.initramfs.reader import read_initramfs
from v2vlint.facts.kernel.config import KernelConfig
from v2vlint.facts.kernel.kernels import Kernel, version_key
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

    def of(self, path: str, kernel: Kernel | None = None) -> Initramfs | None:
        """The image at ``path``, as ``kernel`` unpacks it; None when there is no such file. FactUnavailable (every time) when it cannot be
        known.
        """
        image, lacks = self._once(path, lambda: self._read(path)), not_unpacked(kernel.known_config if kernel else None)
        if image is not None and lacks & {segment.compression for segment in image.segments}:
            # The second slash keeps the key from being a path.
            image = self._once(f"{path}//{sorted(lacks)}", lambda: self._read(path, lacks))
        if image is not None and kernel is not None and _needs_zeros(image) and not _ends_at_zeros(kernel):
            raise FactUnavailable(
                image.where, "has more behind four zero bytes after its lz4, which only Linux 5.14 and later certainly unpacks"
            )
        return image

    def joined(self, paths: Iterable[str], kernel: Kernel | None = None) -> Initramfs | None:
        """What ``kernel`` sees when the loader loads all of ``paths``, in order; None when one of them is missing or the list is empty."""
        images = [self.of(path, kernel) for path in paths]
        present = [image for image in images if image is not None]
        if not present or len(present) < len(images):
            return None
        # unpack_to_rootfs() of init/initramfs.c stops at the first error.
        last = next((at for at, image in enumerate(present) if image.damage or image.remark), len(present) - 1)
        for image, following in itertools.pairwise(present[: last + 1]):
            if kernel is not None and not _parted(image, following, kernel):
                raise FactUnavailable(following.where, f"whether it is unpacked behind the lz4 of {image.where} cannot be told")
        return merged(tuple(present[: last + 1]))

    def compiled_in(self, kernel: Kernel) -> Initramfs | None:
        """The kernel's own initramfs, read once; None when it is the empty one. FactUnavailable when that cannot be told."""
        return self._once(f"{kernel.image}//", lambda: compiled_in(kernel))

    def _once(self, key: str, read: Callable[[], Initramfs | None]) -> Initramfs | None:
        if key not in self._known:
            try:
                with spending():
                    self._known[key] = read()
            except FactUnavailable as reason:
                # Kept as well: a large image is not read again only to fail at the same limit.
                self._known[key] = reason
        found = self._known[key]
        if isinstance(found, FactUnavailable):
            raise found
        return found

    def _read(self, path: str, lacks: frozenset[str] = frozenset()) -> Initramfs | None:
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
            return read_initramfs(source, where, lacks)
        except (FactUnavailable, MemoryError):
            raise
        except Exception as error:
            raise FactUnavailable(where, f"cannot be read: {str(error).strip() or type(error).__name__}") from error


def not_unpacked(config: KernelConfig | None) -> frozenset[str]:
    """The compressions for which a kernel with this configuration has no decompressor (``# CONFIG_RD_ZSTD is not set``)."""
    options = config.options if config else {}
    return frozenset(name for _magic, name in MAGICS if options.get(f"RD_{name.upper()}") == "n")


def _ends_at_zeros(kernel: Kernel) -> bool:
    """Whether four zero bytes certainly end a stream of lz4 (``unlz4()`` of lib/decompress_unlz4.c): not before Linux 5.14, and in some of
    the older ones that are still mended.
    """
    return version_key(kernel.version)[:2] >= version_key("5.14")


def _outer(image: Initramfs) -> list[Segment]:
    return [segment for segment in image.segments if segment.compression not in NESTED]


def _needs_zeros(image: Initramfs) -> bool:
    return any(segment.compression == "lz4" for segment in _outer(image)[:-1])


def _parted(image: Initramfs, following: Initramfs, kernel: Kernel) -> bool:
    """Whether the kernel finds ``following``, which the loader puts behind ``image`` at a multiple of four bytes."""
    last, first = _outer(image)[-1:], _outer(following)[:1]
    if not last or not first or last[0].compression != "lz4":
        return True
    gap = image.size + -image.size % 4 - last[0].offset - last[0].size + first[0].offset
    return first[0].compression == "lz4" if not gap else gap >= 4 and _ends_at_zeros(kernel)


@provides
def parse_initramfses(fs: GuestFS) -> Initramfses:
    """Nothing is read until an image is requested. Images are read without replaying journals, as the boot loader does."""
    return Initramfses(fs.as_it_lies())
