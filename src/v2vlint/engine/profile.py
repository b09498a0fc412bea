"""Named profiles: how much is judged, and how strictly."""

from __future__ import annotations

from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import UsageError
from v2vlint.model.finding import Severity
from v2vlint.model.rule import Audience, RuleInfo


@dataclass(frozen=True, slots=True)
class Profile:
    """``pedantic`` names the groups whose pedantic rules also run; ``boot_only`` drops rules that cannot stop a guest from booting.

    ``fail_on`` and ``strict`` are defaults that flags and configuration override.
    """

    name: str
    title: str
    boot_only: bool = False
    pedantic: frozenset[str] = frozenset()
    fail_on: Severity = Severity.ERROR
    strict: bool = False

    def takes(self, rule: RuleInfo) -> bool:
        """Whether ``rule`` runs in this profile."""
        if self.boot_only:
            return rule.severity is Severity.ERROR and rule.audience is Audience.DEFAULT
        return rule.audience is Audience.DEFAULT or rule.group in self.pedantic or "*" in self.pedantic


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("minimal", "only what can keep the guest from booting or from being reached", boot_only=True),
        Profile("default", "everything but heuristics and hygiene"),
        Profile(
            "template",
            "for images that many machines are made from: adds machine identity, security, left-overs and what the platform asks of images",
            pedantic=frozenset({"identity", "security", "leftovers", "admission"}),
            fail_on=Severity.WARNING,
        ),
        Profile("strict", "every rule; warnings and unknowns fail", pedantic=frozenset({"*"}), fail_on=Severity.WARNING, strict=True),
    )
}


def profile(name: str) -> Profile:
    """The profile ``name``; UsageError when there is none."""
    if name not in PROFILES:
        raise UsageError(f"unknown profile {name!r}", hint=f"one of {', '.join(PROFILES)}")
    return PROFILES[name]
