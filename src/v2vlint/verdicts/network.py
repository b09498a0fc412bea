"""Network: can the guest be reached? Does the card have a driver, and a configuration that applies to it?"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.boot.choices import BootChoice
from v2vlint.facts.boot.path import BootPath, Means, ModuleFate, lacking
from v2vlint.facts.boot.start import DefaultBoot
from v2vlint.facts.conversion.landing import Landing
from v2vlint.facts.environment.sshd import Sshd
from v2vlint.facts.kernel.kernels import Kernel, Presence
from v2vlint.facts.network.firewall import Firewalls
from v2vlint.facts.network.ip_scope import is_one_machines
from v2vlint.facts.network.landing import NetworkLanding
from v2vlint.facts.network.match import Survival
from v2vlint.model.dataclass import dataclass
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.place import Token, WholeFile
from v2vlint.model.target import Target
from v2vlint.model.verdict import Cause, Judge, Verdict, doubt, fault

_FATES = {Survival.LOST: Fate.FAIL, Survival.UNSURE: Fate.UNKNOWN, Survival.KEPT: Fate.PASS}


@dataclass(frozen=True, slots=True)
class UndrivenCard:
    """A card the kernel has no driver for. ``replaced``: the mover presents another card, which the kernel can drive."""

    kernel: Kernel
    choice: BootChoice
    replaced: bool


def _kernel_drivers(boot: DefaultBoot, landing: Landing, target: Target) -> Iterator[Cause[UndrivenCard]]:
    """Drivers that the kernel lacks altogether. virt-v2v then presents an e1000: ``do_convert``."""
    kernel = boot.choice.kernel
    if kernel is None or (kernel.is_xen_pv_only and not target.xen_pv):
        return
    replaced = landing.nics != target.nics and all(lacking(kernel, nic.any_of) == () for nic in landing.nics)
    for nic in target.nics:
        absent = lacking(kernel, nic.any_of)
        if absent is None:
            kernel.tree.raise_unknown()
        if absent:
            reason = f"kernel {kernel.version} has no driver for {nic.name} ({', '.join(absent)})"
            about = UndrivenCard(kernel, boot.choice, replaced)
            yield fault(False, reason, kernel.where, about) if replaced else boot.fault(reason, kernel.where, about)


def _blocked(boot: DefaultBoot, landing: Landing) -> Iterator[Cause[ModuleFate]]:
    """Drivers that modprobe.d or the kernel command line blocks."""
    path = boot.path
    for nic in landing.nics if path else ():
        for fate in path.network(nic).failing(Means.BLOCKED) if path else ():
            yield boot.fault(f"the network driver {fate}", fate.where, fate)


def _modules(boot: DefaultBoot, landing: Landing) -> Iterator[Cause[BootPath]]:
    """The kernel's module tree, without which modprobe finds no driver once the root is mounted."""
    path = boot.path
    if path is None:
        return
    kernel = path.kernel
    if not kernel.tree.folder:
        # Without modules in its initramfs either, the kernel may have everything built in.
        if path.image and kernel.version in path.image.versions:
            where = WholeFile(f"/lib/modules/{kernel.version}")
            yield boot.fault(f"the modules of the default kernel {kernel.version} are not installed", where, path)
    elif kernel.tree.dep is None:
        if kernel.tree.files:
            reason = f"the modules of kernel {kernel.version} have no modules.dep, so modprobe finds none of them"
            yield boot.fault(reason, WholeFile(f"{kernel.tree.folder}/modules.dep"), path)
    else:
        for file in _gone(kernel, landing):
            reason = f"modules.dep of kernel {kernel.version} names {file.rsplit('/', 1)[1]}, which is gone"
            yield boot.fault(reason, WholeFile(file), path)


def _gone(kernel: Kernel, landing: Landing) -> Iterator[str]:
    """Listed module files that do not exist, for network cards that have no other driver."""
    for nic in landing.nics:
        known = [modules for modules in nic.any_of if all(kernel.has(name) is not Presence.ABSENT for name in modules)]
        gone = [[file for name in modules if (file := kernel.tree.path(name)) and not kernel.tree.exists(file)] for modules in known]
        if gone and all(gone):
            yield from min(gone, key=len)


def _configuration(landing: NetworkLanding) -> Iterator[Cause[None]]:
    """Whether a configuration applies to the card."""
    outlook = landing.outlook
    yield Cause(_FATES[outlook.survival], outlook.reason, outlook.where)


@dataclass(frozen=True, slots=True)
class LockOut:
    """SSH is admitted on ``names`` only (interfaces or addresses). ``survival`` says whether they still exist on the target."""

    names: tuple[Token, ...]
    survival: Survival
    program: str = "sshd"


def _firewall(firewalls: Firewalls, landing: NetworkLanding) -> Iterator[Cause[LockOut]]:
    """Firewalls that admit SSH only on interfaces whose names change."""
    for gate in firewalls.gates:
        survival = max(landing.name(_glob(token.value)) for token in gate.interfaces)
        usual = any(token.value in landing.usual_names for token in gate.interfaces)
        if gate.runs is False or survival is Survival.KEPT or (survival is Survival.UNSURE and usual):
            continue
        reason = f"the firewall ({gate.program}) admits SSH on {', '.join(token.value for token in gate.interfaces[:3])} only"
        about = LockOut(gate.interfaces, survival, gate.program)
        certain = gate.runs is True and survival is Survival.LOST
        where = gate.interfaces[0].where
        yield fault(True, reason, where, about) if certain else doubt(gate.runs is True, reason, where, about)


def _sshd(sshd: Sshd, landing: NetworkLanding, target: Target) -> Iterator[Cause[LockOut]]:
    """An SSH server bound to interfaces whose names change, or to addresses of the old network."""
    if sshd.starts is False:
        return
    for device in sshd.devices:
        if (survival := landing.name(device.value)) is not Survival.KEPT:
            reason, about = f"sshd's socket is bound to {device}", LockOut((device,), survival)
            certain = sshd.starts is True and survival is Survival.LOST
            yield fault(True, reason, device.where, about) if certain else doubt(sshd.starts is True, reason, device.where, about)
    own = [token for token in sshd.listen if is_one_machines(token.value)]
    if own and len(own) == len(sshd.listen) and not target.keeps_network:
        reason = f"sshd listens on {', '.join(token.value for token in own[:3])} only (ListenAddress)"
        yield doubt(sshd.starts is True, reason, own[0].where, LockOut(tuple(own), Survival.UNSURE))


def _glob(name: str) -> str:
    return f"{name[:-1]}*" if name.endswith("+") else name  # iptables writes eth+ for eth*


class NetworkVerdict(Verdict, stage=Stage.NETWORK, place=100, stops=False):
    """Can the guest be reached?"""

    kernel_drivers = Judge(_kernel_drivers)
    blocked = Judge(_blocked)
    modules = Judge(_modules)
    configuration = Judge(_configuration)
    firewall = Judge(_firewall)
    sshd = Judge(_sshd)
