"""The prospects of the guest's network on the target."""

from __future__ import annotations

from v2vlint.facts.network.interface import InterfaceConfig
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
    certain = network.certain and not network.cloud_init_writes and not network.early
    stopped = next((one for one in sorted(network.broken, key=lambda one: not one.whole) if one.loses), None)
    if stopped is not None:
        sure = certain and stopped.certain and spared is Survival.LOST
        return NetworkOutlook(Survival.LOST if sure else Survival.UNSURE, stopped.text, stopped.where)
    lost = next((one for one in network.refused if one.would_connect), None)
    if lost is not None and not network.fallback:
        reason = f"NetworkManager ignores the profile {lost.interface.where.path}: {lost.reason}"
        return NetworkOutlook(Survival.LOST if certain else Survival.UNSURE, reason, lost.where)
    if network.fallback:
        reason = "NetworkManager leaves the card alone, or has a profile for it that does not connect by itself"
        return NetworkOutlook(Survival.UNSURE, reason)
    return NetworkOutlook(Survival.UNSURE, "no interface is configured to come up")


def doubtful(network: Network, best: InterfaceConfig) -> NetworkOutlook | None:
    """The doubt about an interface whose manager may refuse its configuration, depending on its version."""
    for one in network.broken:
        if one.manager in (best.manager, best.renderer) and not one.certain and (one.whole or one.where.path == best.where.path):
            return NetworkOutlook(Survival.UNSURE, one.text, one.where)
    return None
