"""A disk that a transaction writes to."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path

from v2vlint.fixing.look import look
from v2vlint.model.dataclass import dataclass
from v2vlint.model.source import ImageNode
from v2vlint.source import sidecars


@dataclass(frozen=True, slots=True)
class WritableDisk:
    """An image to write to: its path, QEMU's name for its format, and the files it refers to, if known."""

    image: Path
    driver: str
    known: ImageNode | None = field(default=None, compare=False, repr=False)

    @property
    def node(self) -> ImageNode:
        """The image with everything it refers to, looked up unless it is known."""
        return self.known or look(self.image)

    @property
    def overlay(self) -> Path:
        """The overlay that collects the new content."""
        return sidecars.place(self.image).path("overlay")
