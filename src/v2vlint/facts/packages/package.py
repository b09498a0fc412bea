"""One installed package."""

from __future__ import annotations

from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Where


@dataclass(frozen=True, slots=True)
class Package:
    """A package. ``version`` is as its manager prints it (with epoch and revision); ``arch`` is empty when not recorded.

    ``where`` is its entry in the database, or the whole database when that is binary.
    """

    name: str
    version: str
    arch: str
    where: Where

    def __str__(self) -> str:
        return f"{self.name} {self.version}"
