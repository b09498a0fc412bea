"""Network: can the guest be reached? Has the card a driver, and is a configuration there that fits it?"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.boot.path import Means
from v2vlint.facts.boot.start import DefaultBoot
from v2vlint.facts.network.outlook import Network, Survival
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.target import Target
from v2vlint.model.verdict import Cause, Judge, Verdict

_FATES = {Survival.LOST: Fate.FAIL, Survival.UNSURE: Fate.UNKNOWN, Survival.KEPT: Fate.PASS}


def _driver(boot: DefaultBoot, target: Target) -> Iterator[Cause[None]]:
    """The kernel's driver of the target's card."""
    path = boot.path
    for nic in target.nics if path else ():
        driver = path.any_of(nic.name, nic.any_of) if path else None
        for absent in driver.failing(Means.ABSENT) if driver else ():
            yield Cause(Fate.FAIL, f"{nic.name}: {absent}", absent.where)


def _configuration(network: Network, target: Target) -> Iterator[Cause[None]]:
    """Whether a configuration takes the card."""
    outlook = network.outlook(target)
    yield Cause(_FATES[outlook.survival], outlook.reason, outlook.where)


class NetworkVerdict(Verdict, stage=Stage.NETWORK, place=100, stops=False):
    """Can the guest be reached?"""

    driver = Judge(_driver)
    configuration = Judge(_configuration)
