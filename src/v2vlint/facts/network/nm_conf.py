"""NetworkManager's own settings (NetworkManager.conf(5)): automatic connections, cards that it leaves alone, and which plugins it uses."""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.network.interface import InterfaceConfig, Manager
from v2vlint.facts.network.match import Match
from v2vlint.facts.network.nm_spec import left_alone, words_of
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.ini import IniFile
from v2vlint.facts.syntax.keyfile import boolean, keyfile_from
from v2vlint.facts.syntax.layers import layered
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, Token

ETC = "/etc/NetworkManager"
_VENDOR = ("/run/NetworkManager/conf.d", "/usr/lib/NetworkManager/conf.d", "/lib/NetworkManager/conf.d")
# Debian's file that leaves every card to netplan; netplan hides it when it hands all of them over.
_BOOLEANS = {**dict.fromkeys(("1", "true", "yes", "on"), True), **dict.fromkeys(("0", "false", "no", "off"), False)}
_GLOBALLY = "10-globally-managed-devices.conf"


@dataclass(frozen=True, slots=True)
class NmConf:
    """The relevant settings. ``no_auto_default`` and ``unmanaged`` are the values in force; ``plugins`` is as listed. ``disowned`` are the
    ``match-device`` values of sections that say ``managed=false``. Not ``certain``: a drop-in applies only to some versions."""

    no_auto_default: Token | None = None
    unmanaged: Token | None = None
    plugins: Token | None = None
    malformed: tuple[Span, ...] = ()
    disowned: tuple[Token, ...] = ()
    ifupdown_managed: Token | None = None
    certain: bool = True

    @property
    def spares_ifupdown(self) -> bool:
        """Whether Debian's plugin leaves alone what /etc/network/interfaces names."""
        return self.plugins is not None and "ifupdown" in words_of(self.plugins) and boolean(self.ifupdown_managed) is not True

    @property
    def connects_by_itself(self) -> bool:
        """Whether an ethernet card that is managed and has no profile gets an automatic DHCP connection."""
        return self.no_auto_default is None or "*" not in words_of(self.no_auto_default)

    @property
    def reads_ifcfg(self) -> bool:
        """Whether the plugin for Red Hat's ifcfg files is used: the built-in list has it wherever it is installed."""
        return self.plugins is None or "ifcfg-rh" in words_of(self.plugins)

    def hands_off(self, manages_all: bool = False) -> tuple[InterfaceConfig, ...]:
        """The cards that NetworkManager leaves alone, whatever profiles there are.

        ``manages_all`` says that netplan assigns every card to it, regardless of what Debian's package sets.
        """
        found = [token for token in (self.unmanaged, *self.disowned) if token is not None]
        kept = [token for token in found if not (manages_all and token.where.path.endswith(f"/{_GLOBALLY}"))]
        return tuple(_alone(token, match) for token in kept for match in left_alone(token))


@provides
def parse_nm_conf(fs: GuestFS) -> NmConf:
    """The merged settings: vendor drop-ins, then NetworkManager.conf, then drop-ins in /etc; later values take precedence."""
    vendor = layered(fs, (f"{ETC}/conf.d", *_VENDOR), ".conf")
    hidden = [path for path in vendor if path.startswith(f"{ETC}/")]
    paths = [path for path in vendor if path not in hidden] + [f"{ETC}/NetworkManager.conf"] + hidden
    found = [keyfile_from(text) for path in paths if (text := fs.text(path)) is not None]
    enabled = [(file, True if file.path == f"{ETC}/NetworkManager.conf" else _enabled(file)) for file in found]
    files = [file for file, applies in enabled if applies]
    return NmConf(
        no_auto_default=_in_force(files, "main", "no-auto-default"),
        unmanaged=_in_force(files, "keyfile", "unmanaged-devices"),
        plugins=_in_force(files, "main", "plugins"),
        malformed=tuple(place for file in found for place in file.malformed),
        disowned=tuple(_disowned(files)),
        ifupdown_managed=_in_force(files, "ifupdown", "managed"),
        certain=all(applies is not None for _file, applies in enabled),
    )


def _enabled(file: IniFile) -> bool | None:
    """Whether a drop-in applies (nm-config.c, ``ignore_config_snippet``); None where NetworkManager's version decides.

    The tags of ``env:`` are set in an initramfs only.
    """
    value = file.get(".config", "enable")
    if value is None:
        return True
    plain = value.value.strip().lower()
    if plain in _BOOLEANS:
        return _BOOLEANS[plain]
    return False if all(word.startswith("env:") for word in words_of(value)) else None


def _alone(token: Token, match: Match) -> InterfaceConfig:
    return InterfaceConfig(Manager.NETWORK_MANAGER, token.where, conditions=match, order=" ")  # before every profile


def _in_force(files: list[IniFile], section: str, key: str) -> Token | None:
    """The value in force; ``key+=`` adds words to those before it, ``key-=`` takes some away (nm-config.c, ``read_config``)."""
    kept: Token | None = None
    for setting in (one for file in files for part in file.named(section) for one in part.settings):
        name, how = (setting.key[:-1], setting.key[-1]) if setting.key[-1:] in ("+", "-") else (setting.key, "")
        if name == key:
            kept = setting.value if not how or kept is None else _changed(kept, setting.value, how)
            kept = None if how == "-" and kept is setting.value else kept
    return kept if kept is not None and kept.value.strip() else None


def _changed(kept: Token, value: Token, how: str) -> Token:
    before, words = words_of(kept), words_of(value)
    left = [*before, *(word for word in words if word not in before)] if how == "+" else [word for word in before if word not in words]
    return Token(",".join(left), value.where if how == "+" else kept.where)


def _disowned(files: list[IniFile]) -> Iterator[Token]:
    sections = [section for file in files for section in file.sections if section.name.startswith("device")]
    managed = [(section, boolean(section.get("managed"))) for section in sections]
    if any(value is True for _section, value in managed):  # which section applies to a card depends on the order of all
        return
    for section, value in managed:
        if value is False:
            yield section.get("match-device") or Token("*", section.where)
