"""cloud-init: whether it runs, where it looks for data, and its network settings (cloud-init's documentation)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.cmdline import KernelArg, last_arg
from v2vlint.facts.environment.services import Services
from v2vlint.facts.network.interface import mac_token
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.yaml_places import YamlNode, YamlProblem, compose
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.fix import Applicability, Fix, ReplaceText, WriteFile
from v2vlint.model.place import Span, Token, Where, WholeFile

MAX_FILES = 64
DISABLED = "/etc/cloud/cloud-init.disabled"
DS_IDENTIFY = "/etc/cloud/ds-identify.cfg"
# Init._find_networking_config (cloudinit/stages.py) writes no network configuration while this file exists.
UPGRADED = "/var/lib/cloud/data/upgraded-network"
INSTANCE = "/var/lib/cloud/instance/obj.pkl"
KEEP = "/etc/cloud/cloud.cfg.d/99-v2vlint-network.cfg"  # 99: later files replace keys of earlier ones
SEEDS = ("/var/lib/cloud/seed/nocloud", "/var/lib/cloud/seed/nocloud-net")
# Files written by cloud-init's renderers (cloudinit/net: netplan.py, eni.py, sysconfig.py, network_manager.py, networkd.py).
_RENDERED = (
    "/etc/netplan/50-cloud-init.yaml", "/etc/network/interfaces.d/50-cloud-init*", "/etc/systemd/network/10-cloud-init-*.network",
    "/etc/NetworkManager/system-connections/cloud-init-*.nmconnection", "/etc/sysconfig/network-scripts/ifcfg-*",
    "/etc/sysconfig/network/ifcfg-*",
)  # fmt: skip
_PROGRAMS = ("/usr/bin/cloud-init", "/usr/local/bin/cloud-init", "/bin/cloud-init")
_SERVICES = ("cloud-init.service", "cloud-init-local.service", "cloud-init-main.service", "cloud-init-network.service", "cloud-init")


@dataclass(frozen=True, slots=True)
class CloudInit:
    """cloud-init's settings, each at the place that takes effect.

    ``runs`` is None when it is unclear whether cloud-init is installed. ``datasources`` is the list in force, empty when none is
    configured. ``network_disabled`` is the setting that keeps it from configuring the network; ``network_macs`` are MAC addresses pinned by
    a network configuration in its own files, ``network_names`` the names and patterns of the cards configured there. ``instance`` is its
    pickled memory of the last machine it ran on, ``seed`` a NoCloud seed inside the guest, which travels with it. ``rendered`` are the
    network files it has written.
    """

    runs: bool | None = None
    datasources: tuple[Token, ...] = ()
    datasources_at: Span | None = None
    network_disabled: Where | None = None
    network_macs: tuple[Token, ...] = ()
    network_names: tuple[Token, ...] = ()
    manages_hosts: bool = False
    instance: WholeFile | None = None
    seed: WholeFile | None = None
    rendered: frozenset[str] = frozenset()
    problems: tuple[YamlProblem, ...] = ()

    @property
    def writes_network(self) -> bool:
        """Whether it would write a network configuration on a machine it has not seen before."""
        return bool(self.runs) and self.network_disabled is None

    def lasting(self, fix: Fix) -> Fix:
        """``fix`` made permanent: cloud-init rewrites its files for the next instance unless it is told not to configure the network."""
        paths = {edit.where.path for edit in fix.edits if isinstance(edit, ReplaceText)}
        if not self.writes_network or paths.isdisjoint(self.rendered):
            return fix
        keep = WriteFile(KEEP, "# Written by v2vlint: the rendered network configuration was changed.\nnetwork: {config: disabled}\n")
        return Fix(f"{fix.title}, and keep cloud-init from writing it again", Applicability.UNSAFE, (*fix.edits, keep))


@provides
def parse_cloud_init(fs: GuestFS, services: Services, bootloader: Bootloader) -> CloudInit:
    """The merged settings of cloud.cfg and cloud.cfg.d; later files replace keys of earlier ones."""
    documents: list[YamlNode] = []
    problems: list[YamlProblem] = []
    for text in _texts(fs):
        root = compose(text)
        if isinstance(root, YamlProblem):
            problems.append(root)
        elif root is not None and root.kind == "map":
            documents.append(root)
    args = bootloader.default.args if bootloader.default is not None else ()
    seed = next((WholeFile(folder) for folder in SEEDS if fs.is_file(f"{folder}/meta-data")), None)
    own = _last(documents, "network")
    # network_config_sources of cloudinit/sources: the system's own configuration precedes the seed's.
    network = own or (_document(fs.text(f"{seed.path}/network-config")) if seed is not None else None)
    sources = _last(documents, "datasource_list")
    pinned = _ds_identify(fs)
    return CloudInit(
        runs=False if any(arg.name == "cloud-init" and arg.value == "disabled" for arg in args) else _runs(fs, services),
        datasources=(pinned,) if pinned else sources.scalars() if sources else (),
        datasources_at=pinned.where if pinned else sources.where if sources else None,
        network_disabled=_disabled(fs, own, args),
        network_macs=tuple(_macs(network)) if network else (),
        network_names=tuple(_names(network)) if network else (),
        manages_hosts=(hosts := _last(documents, "manage_etc_hosts")) is not None and hosts.text.lower() not in ("", "false", "no", "off"),
        instance=WholeFile(INSTANCE) if fs.is_file(INSTANCE) else None,
        seed=seed,
        rendered=frozenset(_rendered(fs)),
        problems=tuple(problems),
    )


def _rendered(fs: GuestFS) -> Iterator[str]:
    """Network files of its renderers; all but netplan's are recognised by their header."""
    for path in [path for pattern in _RENDERED for path in fs.glob(pattern)][:MAX_FILES]:
        text = fs.text(path)
        if text is not None and ("50-cloud-init" in path or "cloud-init" in text.content[:400]):
            yield path


def _document(text: GuestText | None) -> YamlNode | None:
    root = compose(text) if text is not None else None
    return root if isinstance(root, YamlNode) and root.kind == "map" else None


def _texts(fs: GuestFS) -> Iterator[GuestText]:
    for path in ("/etc/cloud/cloud.cfg", *fs.glob("/etc/cloud/cloud.cfg.d/*.cfg")[:MAX_FILES]):
        text = fs.text(path)
        if text is not None:
            yield text


def _last(documents: list[YamlNode], key: str) -> YamlNode | None:
    return next((node for root in reversed(documents) if (node := root.get(key)) is not None), None)


def _runs(fs: GuestFS, services: Services) -> bool | None:
    if not any(fs.exists(path) for path in _PROGRAMS):
        return False if services.init else None
    return services.starts(*_SERVICES) if not fs.exists(DISABLED) else False


def _ds_identify(fs: GuestFS) -> Token | None:
    """The single data source set by ds-identify.cfg (``datasource: Ec2``)."""
    text = fs.text(DS_IDENTIFY)
    for line in text.lines() if text is not None else ():
        words = line.words()
        if len(words) == 2 and words[0].value == "datasource:":
            return words[1]
    return None


def _disabled(fs: GuestFS, network: YamlNode | None, args: Iterable[KernelArg]) -> Where | None:
    """The kernel command line takes precedence over files (cloud-init's documentation, "Disabling network activation")."""
    if (arg := last_arg(args, "network-config")) is not None and arg.value == "disabled":
        return arg.where
    if network is not None and (config := network.get("config")) is not None and config.text == "disabled":
        return config.where
    return WholeFile(UPGRADED) if fs.exists(UPGRADED) else None


def _macs(network: YamlNode) -> Iterator[Token]:
    """MAC addresses in a network configuration of version 1 (``mac_address``) or 2 (``macaddress``)."""
    pending = [network]
    while pending:
        node = pending.pop(0)
        for key, value in node.items:
            if key.text in ("mac_address", "macaddress") and (mac := mac_token(value.token)):
                yield mac
            pending.append(value)
        pending.extend(node.elements)


def _names(network: YamlNode) -> Iterator[Token]:
    """Cards in a network configuration: ``type: physical`` in version 1, ``ethernets`` in version 2."""
    inner = network.get("network") or network
    config = inner.get("config")
    for one in config.elements if config is not None else ():
        kind, name = one.scalar("type"), one.scalar("name")
        if kind is not None and kind.value == "physical" and name is not None and one.scalar("mac_address") is None:
            yield name
    cards = inner.get("ethernets")
    for key, node in cards.items if cards is not None else ():
        match = node.get("match")
        # Without match, the ID is the name of the card.
        if match is None and key.token is not None:
            yield key.token
        elif match is not None and match.item("macaddress") is None:
            yield from match.scalars("name")
