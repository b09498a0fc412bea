"""Cluster, routing and other services bound to an interface by name or to an address of their network."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from v2vlint.facts.environment.services import Services
from v2vlint.facts.network.names import IfNameKind, ifname_kind
from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Token

MAX_FILES = 200
MAX_BINDINGS = 500
_NAME = r"(?P<name>[A-Za-z][\w.-]{1,14})"
_ADDRESS = r"(?P<address>\d{1,3}(?:\.\d{1,3}){3})"
_UNITS = ("/etc/systemd/system/*.service", "/etc/systemd/system/*.service.d/*.conf", "/usr/local/lib/systemd/system/*.service")
_RANCHER = ("/etc/rancher/rke2/config.yaml", "/etc/rancher/k3s/config.yaml", "/etc/rancher/*/config.yaml.d/*.yaml")
_WORDS = rf"""--(?:iface|flannel-iface|interface)[= ]"?{_NAME}|--(?:node-ip|advertise-address)[= ]"?{_ADDRESS}"""
_SOURCES: tuple[tuple[str, tuple[str, ...], str, tuple[str, ...]], ...] = (
    ("keepalived", ("/etc/keepalived/*.conf",), rf"^\s*(?:interface\s+{_NAME}|unicast_src_ip\s+{_ADDRESS})", ("keepalived",)),
    ("corosync", ("/etc/corosync/corosync.conf",), rf"^\s*(?:bindnetaddr|ring\d_addr):\s*{_ADDRESS}", ("corosync",)),
    ("flannel", ("/etc/sysconfig/flanneld", "/etc/default/flanneld"), rf"--iface[= ]\"?{_NAME}", ("flanneld",)),
    ("kubelet", ("/etc/default/kubelet", "/etc/sysconfig/kubelet", "/var/lib/kubelet/kubeadm-flags.env"), rf"--node-ip[= ]\"?{_ADDRESS}",
     ("kubelet",)),
    ("the Kubernetes control plane", ("/etc/kubernetes/manifests/*.yaml",),
     rf"--(?:advertise-address|listen-peer-urls|advertise-client-urls)=(?:https?://)?{_ADDRESS}", ("kubelet",)),
    ("etcd", ("/etc/etcd/etcd.conf", "/etc/default/etcd"), rf"^\s*ETCD_\w*URLS?=\"?https?://{_ADDRESS}", ("etcd",)),
    ("rke2 or k3s", _RANCHER, rf"^\s*-?\s*[\"']?(?:node-ip|advertise-address|bind-address)[\"']?:\s*[\"']?{_ADDRESS}",
     ("rke2-server", "rke2-agent", "k3s", "k3s-agent")),
    ("rke2 or k3s", _RANCHER, rf"^\s*[\"']?flannel-iface[\"']?:\s*[\"']?{_NAME}", ("rke2-server", "rke2-agent", "k3s", "k3s-agent")),
    ("a systemd unit", _UNITS, rf"^ExecStart=[^\n]*(?:{_WORDS})", ()),
)  # fmt: skip
_DEVICE = re.compile(
    r"^\s*(?P<how>BindsTo|Requires|Wants|After|Requisite)=[^\n]*?\bsys-subsystem-net-devices-(?P<name>[\w\\.-]{1,40})\.device"
)
_NEED = r"""^\s*(?:%s)(?:[^"'#\n]*\s)?net\.(?P<name>[A-Za-z][\w.-]{1,14})"""
"""What OpenRC does not start a service without, in conf.d, rc.conf and depend(): that of a card. ``rc_use`` and others only order."""


@dataclass(frozen=True, slots=True)
class Binding:
    """``program`` is bound to ``token``: an interface name, or an address if ``is_address``. ``waits`` is the systemd unit that does
    not start without the interface, empty for other bindings."""

    program: str
    token: Token
    is_address: bool = False
    waits: str = ""


@dataclass(frozen=True, slots=True)
class BoundServices:
    """All bindings of services that run or may run."""

    bindings: tuple[Binding, ...] = ()


@provides
def find_bound_services(fs: GuestFS, services: Services) -> BoundServices:
    """Search the programs' files, and the units that require an interface's device."""
    found: list[Binding] = []
    for program, patterns, expression, units in _SOURCES:
        if units and services.starts(*units) is False:
            continue
        for text in _texts(fs, patterns):
            found += _bindings(program, text, re.compile(expression))
    for text in _texts(fs, _UNITS):
        found += _devices(text, services)
    found += _needs(fs, services) if services.init == "openrc" else ()
    return BoundServices(tuple(found[:MAX_BINDINGS]))


def _texts(fs: GuestFS, patterns: tuple[str, ...]) -> Iterator[GuestText]:
    for path in [path for pattern in patterns for path in fs.glob(pattern)][:MAX_FILES]:
        if (text := fs.text(path)) is not None:
            yield text


def _bindings(program: str, text: GuestText, pattern: re.Pattern[str]) -> Iterator[Binding]:
    for line in text.lines():
        match = pattern.search(line.text[:2000]) if not line.is_blank("#;!") else None  # bounds the time on a hostile line
        groups = match.groupdict() if match else {}
        by = groups.pop("service", None) or program
        for group, value in groups.items():
            if match and value and (group == "address" or _is_card(value)):
                yield Binding(by, line.token(match.start(group), match.end(group)), group == "address")


def _needs(fs: GuestFS, services: Services) -> Iterator[Binding]:
    """Services that need that of a card, ``net.eth0``, which fails where there is no such card (netifrc)."""
    enabled = sorted(services.enabled)[:MAX_FILES]
    need = _need(enabled)
    for service in enabled:
        for path in (f"/etc/conf.d/{service}", f"/etc/init.d/{service}"):
            if (text := fs.text(path) if fs.is_file(path) else None) is not None:
                yield from _bindings(service, text, need)
    # Its rc_need is for every service.
    if (text := fs.text("/etc/rc.conf")) is not None:
        yield from _bindings("OpenRC", text, need)


def _need(services: Sequence[str]) -> re.Pattern[str]:
    names = "|".join(re.escape(re.sub(r"\W", "_", service)) for service in services)
    return re.compile(_NEED % f"""(?:rc_need|RC_NEED|rc_(?P<service>{names})_need)=["']?|need\\s+""")


def _is_card(name: str) -> bool:
    return ifname_kind(name) not in (IfNameKind.VIRTUAL, IfNameKind.CUSTOM)


def _devices(text: GuestText, services: Services) -> Iterator[Binding]:
    folder = text.path.rpartition("/")[0]
    unit = (folder if folder.endswith(".d") else text.path).rpartition("/")[2].removesuffix(".d")
    for line in text.lines() if services.starts(unit) is not False else ():
        match = _DEVICE.match(line.text[:2000])
        if match and _is_card(match["name"]):
            needs = match["how"] in ("BindsTo", "Requires", "Requisite")
            yield Binding(unit, line.token(match.start("name"), match.end("name")), waits=unit if needs else "")
