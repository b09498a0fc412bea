"""The prospects of the guest's network on the target."""

from __future__ import annotations

from v2vlint.facts.network.match import Survival
from v2vlint.facts.network.network import Network
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Where


@dataclass(frozen=True, slots=True)
class NetworkOutlook:
    """The prospects of the guest's network: how certain, why, and the place that decides it."""

    survival: Survival
    reason: str
    where: Where | None = None


def without_ways(network: Network, spared: Survival) -> NetworkOutlook:
    """The outlook where no interface is configured to come up."""
    if spared is Survival.KEPT:
        return NetworkOutlook(spared, network.fallback)
    certain = network.certain and not network.cloud_init_writes
    if network.broken is not None:
        reason = f"NetworkManager does not start: it refuses line {network.broken.line} of {network.broken.path}"
        return NetworkOutlook(Survival.LOST if certain else Survival.UNSURE, reason, network.broken)
    lost = next((one for one in network.refused if one.would_connect), None)
    if lost is not None and not network.fallback:
        reason = f"NetworkManager ignores the profile {lost.interface.where.path}: {lost.reason}"
        return NetworkOutlook(Survival.LOST if certain else Survival.UNSURE, reason, lost.interface.where)
    if network.fallback:
        reason = "NetworkManager leaves the card alone, or has a profile for it that does not connect by itself"
        return NetworkOutlook(Survival.UNSURE, reason)
    return NetworkOutlook(Survival.UNSURE, "no interface is configured to come up")
