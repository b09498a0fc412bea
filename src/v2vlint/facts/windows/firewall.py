"""The Windows firewall: whether a port is open on the network that a new adapter is assigned to.

A new adapter is on an unknown network, which counts as public until somebody changes it.
``SharedAccess\\Parameters\\FirewallPolicy`` contains the profiles and, from Vista on, the rules as ``name=value`` pairs separated by bars.
Group policies have the same keys below ``Policies\\Microsoft\\WindowsFirewall``, and take precedence. XP and 2003 have a list of ports.
"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.registry import provides
from v2vlint.facts.windows.registry import Registry
from v2vlint.facts.windows.services import DISABLED, WindowsServices
from v2vlint.model.dataclass import dataclass
from v2vlint.model.digits import decimal
from v2vlint.model.place import RegistryKey

_OWN = "Services\\SharedAccess\\Parameters\\FirewallPolicy"
_POLICY = "Policies\\Microsoft\\WindowsFirewall"
_TCP = "6"
_MAX_RULES = 20_000
Rule = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Opening:
    """Whether a port is open: ``wide`` for everybody, else ``only`` says for whom (``LocalSubnet``, a list of addresses; empty: nobody)."""

    wide: bool
    only: str
    where: RegistryKey


class WindowsFirewall:
    """The firewall of the control set that boots; disabled, it blocks nothing. ``known`` says that its keys exist."""

    def __init__(self, registry: Registry, services: WindowsServices) -> None:
        self._own, self._policy = registry.control(_OWN), registry.soft(_POLICY)
        self._place = registry.place(_OWN)
        service = next(services.named("MpsSvc", "SharedAccess"), None)
        self._runs = service is None or service.effective != DISABLED
        self.known = self._own is not None

    def tcp(self, port: int, profile: str = "Public") -> Opening:
        """What becomes of connections to a TCP port in networks of a profile: ``Public``, ``Private`` or ``Domain``."""
        # The private profile is called StandardProfile, the only one besides DomainProfile in XP and 2003.
        name = "StandardProfile" if profile == "Private" or not self._has("PublicProfile") else f"{profile}Profile"
        if not self._runs or not self._number(name, "EnableFirewall"):
            return Opening(True, "", RegistryKey(self._place.path, f"{self._place.key}\\{name}", "EnableFirewall"))
        if self._number(name, "DefaultInboundAction") == 0:
            return Opening(True, "", RegistryKey(self._place.path, f"{self._place.key}\\{name}", "DefaultInboundAction"))
        return self._by_rules(port, profile) or self._listed(port, name)

    def _has(self, name: str) -> bool:
        return any(node is not None and node.key(name) is not None for node in (self._own, self._policy))

    def _number(self, profile: str, value: str) -> int | None:
        """A profile's value; group policy takes precedence."""
        for node in (self._policy, self._own):
            key = node.key(profile) if node else None
            found = key.number(value) if key else None
            if found is not None:
                return found
        return None

    def _by_rules(self, port: int, profile: str) -> Opening | None:
        found: Opening | None = None
        for rule, where in self._rules():
            if not _concerns(rule, port, profile):
                continue
            if rule.get("action", [""])[0].lower() == "block":  # takes precedence over every rule that allows
                return Opening(False, "", where)
            only = ", ".join(value for name in ("ra4", "ra6", "if", "la4") for value in rule.get(name, ()))
            if found is None or not only:
                found = Opening(not only, only, where)
        return found

    def _rules(self) -> Iterator[tuple[Rule, RegistryKey]]:
        for node in (self._policy, self._own):
            key = node.key("FirewallRules") if node else None
            for value in (key.values() if key else ())[:_MAX_RULES]:
                yield _parsed(value.text), value.where

    def _listed(self, port: int, name: str) -> Opening:
        ports = f"{name}\\GloballyOpenPorts\\List"
        for node in (self._policy, self._own):
            key = node.key(ports) if node else None
            value = key.value(f"{port}:TCP") if key else None
            # PORT:TCP:SCOPE:Enabled:NAME
            if value is not None and ":enabled" in value.text.lower():
                only = value.text.split(":")[2] if value.text.count(":") >= 3 else "*"
                return Opening(only == "*", "" if only == "*" else only, value.where)
        return Opening(False, "", RegistryKey(self._place.path, f"{self._place.key}\\{name}"))


def _parsed(text: str) -> Rule:
    rule: Rule = {}
    for part in text.split("|"):
        name, equals, value = part.partition("=")
        if equals:
            rule.setdefault(name.lower(), []).append(value)
    return rule


def _concerns(rule: Rule, port: int, profile: str) -> bool:
    """Whether a rule is enabled and applies to connections to ``port`` in networks of ``profile``."""
    if rule.get("active", [""])[0].lower() != "true" or rule.get("dir", [""])[0].lower() != "in":
        return False
    # 256 is any protocol (NET_FW_IP_PROTOCOL_ANY).
    if rule.get("protocol", [_TCP])[0] not in (_TCP, "256") or ("profile" in rule and profile not in rule["profile"]):
        return False
    return "lport" not in rule or any(_holds(value, port) for value in rule["lport"])


def _holds(value: str, port: int) -> bool:
    low, _dash, high = value.partition("-")
    return low.isdecimal() and decimal(low) <= port <= decimal(high if high.isdecimal() else low)


@provides
def parse_firewall(registry: Registry, services: WindowsServices) -> WindowsFirewall:
    """Evaluated on demand."""
    return WindowsFirewall(registry, services)
