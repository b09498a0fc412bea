"""A network manager that configures nothing, because it refuses its own configuration."""

from __future__ import annotations

from v2vlint.facts.network.interface import Manager
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span


@dataclass(frozen=True, slots=True)
class ManagerRefusal:
    """``manager`` refuses its configuration at ``where``; ``reason`` says why. ``certain``: the program that the guest has does;
    ``whole``: it then configures nothing at all, otherwise it passes over the rest of that file; ``loses``: with it, interfaces."""

    manager: Manager
    where: Span
    reason: str
    certain: bool = True
    whole: bool = True
    loses: bool = True

    @property
    def text(self) -> str:
        """What the manager does, and at which line."""
        place = f"line {self.where.line} of {self.where.path}" + (f" ({self.reason})" if self.reason else "")
        if not self.whole:
            return f"{self.manager} {'passes' if self.certain else 'may pass'} over what follows {place}"
        if self.manager is Manager.NETWORK_MANAGER:
            return f"{self.manager} does not start: it refuses {place}"
        does = "configures no interface: it refuses" if self.certain else "may configure no interface: some versions refuse"
        return f"{self.manager} {does} {place}"
