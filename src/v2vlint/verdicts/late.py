"""From init to a machine that can be used: userland, mounts, network, console."""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.boot.consoles import Consoles
from v2vlint.facts.boot.path import Means
from v2vlint.facts.kernel.cpu_needs import CpuNeeds
from v2vlint.facts.network.outlook import Network, Survival
from v2vlint.facts.registry import FactStore
from v2vlint.facts.storage.devices import Devices, Fate, NameKind, kernel_fate, name_kind
from v2vlint.facts.storage.fstab import Fstab, FstabEntry
from v2vlint.facts.storage.mount_policy import MountPolicy
from v2vlint.model.blocks import BlockTable
from v2vlint.model.finding import Stage
from v2vlint.model.report import StageForecast
from v2vlint.model.target import Target
from v2vlint.verdicts.drivers import boot_path
from v2vlint.verdicts.early import default_entry
from v2vlint.verdicts.stage import failed, passed, unknown


def mounts(store: FactStore) -> StageForecast:
    """Does every mount that blocks the boot find its device?"""
    fstab, policy = store.get(Fstab), store.get(MountPolicy)
    blocking = [entry for entry in fstab.entries if policy.stops(entry) and not entry.is_pseudo and entry.mount_point not in ("/", "none")]
    doubtful: FstabEntry | None = None
    for entry in blocking:
        fate = _mount_fate(store, entry)
        if fate is False:
            return failed(Stage.MOUNTS, f"{entry.mount_point} waits for {entry.device}, which is not there", entry.where)
        if fate is None:
            doubtful = doubtful or entry
    if doubtful is not None:
        return unknown(Stage.MOUNTS, f"{doubtful.device} for {doubtful.mount_point} could not be matched with a device", doubtful.where)
    names = ", ".join(entry.mount_point for entry in blocking)
    return passed(Stage.MOUNTS, f"{names} found" if names else "nothing but the root is needed", fstab.where)


def _mount_fate(store: FactStore, entry: FstabEntry) -> bool | None:
    devices, blocks, spec = store.get(Devices), store.get(BlockTable), entry.device
    if name_kind(spec) is NameKind.KERNEL:
        kept = kernel_fate(spec, store.get(Target), blocks)
        if kept is Fate.KEPT:
            return devices.resolve(spec) is not None or None
        return False if kept is Fate.GONE else None
    if name_kind(spec) is NameKind.HARDWARE:
        return False
    return devices.present(spec)


def userland(store: FactStore) -> StageForecast:
    """Do ld.so, libc and init run on the target's CPU?"""
    needs, given = store.get(CpuNeeds), store.get(Target).cpu_level
    worst = needs.highest
    if worst is None:
        return passed(Stage.USERLAND, "it asks for no more than its architecture's baseline")
    words = f"{worst.where} needs x86-64-v{worst.level}, the target gives v{given}"
    return (failed if worst.level > given else passed)(Stage.USERLAND, words, worst.where)


def network(store: FactStore) -> StageForecast:
    """Has the network card a driver, and is a configuration there that fits it?"""
    target, path = store.get(Target), boot_path(store)
    for nic in target.nics if path else ():
        driver = path.any_of(nic.name, nic.any_of) if path else None
        absent = driver.failing(Means.ABSENT) if driver else ()
        if absent:
            return failed(Stage.NETWORK, f"{nic.name}: {absent[0]}", absent[0].where)
    outlook = store.get(Network).outlook(target)
    judge = {Survival.LOST: failed, Survival.UNSURE: unknown, Survival.KEPT: passed}[outlook.survival]
    return judge(Stage.NETWORK, outlook.reason, outlook.where)


def console(store: FactStore) -> StageForecast:
    """Will there be a login on a console the target has?"""
    target, wanted = store.get(Target), tuple(_consoles(store))
    usable = [name for name in wanted if name in target.consoles]
    if usable:
        return passed(Stage.CONSOLE, f"console on {', '.join(usable)}")
    if wanted:
        return failed(Stage.CONSOLE, f"console only on {', '.join(wanted)}; the target has {', '.join(target.consoles)}")
    return passed(Stage.CONSOLE, "login on the display")


def _consoles(store: FactStore) -> Iterator[str]:
    for argument in default_entry(store).all("console"):
        if argument.value:
            yield argument.value.partition(",")[0]
    yield from (found.name for found in store.get(Consoles).consoles if not found.name.startswith("tty") or found.name.startswith("ttyS"))
