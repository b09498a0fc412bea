"""The stages of a Windows boot: firmware, boot manager, boot entry, loader and kernel, the driver of the system disk, BitLocker, network."""

from __future__ import annotations

from v2vlint.facts.registry import FactStore
from v2vlint.facts.windows_drivers import WindowsDrivers
from v2vlint.forecast.stage import failed, passed, unknown
from v2vlint.model.finding import Stage
from v2vlint.model.report import StageForecast
from v2vlint.model.target import Target


def root(store: FactStore) -> StageForecast:
    """Does a driver that starts at boot reach the system disk?"""
    drivers, target = store.get(WindowsDrivers), store.get(Target)
    verdicts = [(controller.name, drivers.controller(controller)) for controller in target.controllers]
    for wanted, judge in ((False, failed), (None, unknown)):
        for name, verdict in verdicts:
            if verdict.usable is wanted:
                return judge(Stage.ROOT, f"{name}: {verdict.reason}", verdict.where)
    return passed(Stage.ROOT, "; ".join(verdict.reason for _name, verdict in verdicts), verdicts[0][1].where)
