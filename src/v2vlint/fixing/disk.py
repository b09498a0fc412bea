"""A disk that a transaction writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from v2vlint.fixing.look import look
from v2vlint.model.source import ImageNode
from v2vlint.source import sidecars


@dataclass(frozen=True, slots=True)
class WritableDisk:
    """An image that is written: its path, QEMU's name of its format, and what it refers to, if that is known."""

    image: Path
    driver: str
    known: ImageNode | None = field(default=None, compare=False, repr=False)

    @property
    def node(self) -> ImageNode:
        """The image with everything it refers to: as it is known, else looked up."""
        return self.known or look(self.image)

    @property
    def overlay(self) -> Path:
        """Where the new content is collected."""
        return sidecars.place(self.image).path("overlay")
