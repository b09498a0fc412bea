"""Which of the configurations that match a card is applied to it, by each manager's own order.

networkd uses the first file by name (systemd.network(5)). NetworkManager uses the profile with the highest ``autoconnect-priority``, then
the most recently used, then the lowest UUID (nm-settings-connection.c, ``nm_settings_connection_cmp_autoconnect_priority``). The other
managers apply every match.
"""

from __future__ import annotations

from collections.abc import Iterable

from v2vlint.facts.network.interface import InterfaceConfig, Manager
from v2vlint.facts.network.match import Card, Survival, fits

_MIDDLE = 10_000


def nm_order(priority: str, used: str, uuid: str) -> str:
    """A sort key for NetworkManager profiles: priority (-999 to 999), time of last use in seconds, UUID, all as written."""
    level = int(priority) if priority.removeprefix("-").isdecimal() and len(priority) < 5 else 0
    time = int(used) if used.isdecimal() and len(used) < 13 else 0
    # Subtracted, so that a higher priority and a later use sort first as text.
    return f"{_MIDDLE - level:05d} {10**13 - time:014d} {uuid}"


def won(card: Card, configs: Iterable[InterfaceConfig], count: int) -> tuple[tuple[InterfaceConfig, Survival], ...]:
    """The configurations applied to ``card``, one of ``count``: the first match among ordered ones, every match among the others.

    ``configs`` must be sorted by their order.
    """
    found: list[tuple[InterfaceConfig, Survival]] = []
    ended: set[str] = set()
    for config in configs:
        group = _group(config)
        fit = fits(config.match, card) if group not in ended else Survival.LOST
        if fit is not Survival.LOST:
            earlier = bool(group) and any(_group(one) == group for one, _fit in found)
            found.append((config, Survival.UNSURE if earlier and _excludes(config, count) else fit))
        if fit is Survival.KEPT and group and _excludes(config, count):
            ended.add(group)
    return tuple(found)


def _excludes(config: InterfaceConfig, count: int) -> bool:
    """Whether a card that certainly matches ``config`` gets no later configuration. With several cards it is not known which of them a
    condition on an address selects, nor which one gets a profile for a single card."""
    return count == 1 or (config.mac is None and not config.single)


def _group(config: InterfaceConfig) -> str:
    """The group of configurations of which a card gets only the first: networkd's (including netplan's for it), or NetworkManager's."""
    if not config.order:
        return ""
    if config.manager is Manager.NETPLAN:
        return "networkd" if config.renderer == "networkd" else ""
    return config.manager.value.removeprefix("systemd-")
