"""NetworkManager's own settings (NetworkManager.conf(5)): automatic connections, and which plugins it uses."""

from __future__ import annotations

from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.ini import IniFile, ini_from
from v2vlint.facts.syntax.layers import layered
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, Token

ETC = "/etc/NetworkManager"
_VENDOR = ("/run/NetworkManager/conf.d", "/usr/lib/NetworkManager/conf.d", "/lib/NetworkManager/conf.d")


@dataclass(frozen=True, slots=True)
class NmConf:
    """The relevant settings. ``no_auto_default`` and ``unmanaged`` are the values in force; ``plugins`` is as listed."""

    no_auto_default: Token | None = None
    unmanaged: Token | None = None
    plugins: Token | None = None
    malformed: tuple[Span, ...] = ()

    def connects_by_itself(self, manages_all: bool = False) -> bool:
        """Whether an ethernet card without a profile gets an automatic DHCP connection.

        ``manages_all`` says that netplan assigns every card to NetworkManager, regardless of ``unmanaged``.
        """
        refused = self.no_auto_default is not None and "*" in self.no_auto_default.value
        return not refused and (manages_all or self.manages_ethernet)

    @property
    def reads_ifcfg(self) -> bool:
        """Whether the plugin for Red Hat's ifcfg files is used: the built-in list has it wherever it is installed."""
        return self.plugins is None or "ifcfg-rh" in [word.strip() for word in self.plugins.value.replace(";", ",").split(",")]

    @property
    def manages_ethernet(self) -> bool:
        """Whether ethernet cards are managed at all (Ubuntu leaves them to netplan)."""
        if self.unmanaged is None:
            return True
        words = [word.strip() for word in self.unmanaged.value.replace(";", ",").split(",")]
        everything = "*" in words or "type:ethernet" in words
        return not everything or "except:type:ethernet" in words


@provides
def parse_nm_conf(fs: GuestFS) -> NmConf:
    """The merged settings: vendor drop-ins, then NetworkManager.conf, then drop-ins in /etc; later values take precedence."""
    vendor = layered(fs, (f"{ETC}/conf.d", *_VENDOR), ".conf")
    hidden = [path for path in vendor if path.startswith(f"{ETC}/")]
    paths = [path for path in vendor if path not in hidden] + [f"{ETC}/NetworkManager.conf"] + hidden
    files = [ini_from(text) for path in paths if (text := fs.text(path)) is not None]
    return NmConf(
        no_auto_default=_last(files, "main", "no-auto-default"),
        unmanaged=_last(files, "keyfile", "unmanaged-devices"),
        plugins=_last(files, "main", "plugins"),
        malformed=tuple(place for file in files for place in file.malformed),
    )


def _last(files: list[IniFile], section: str, key: str) -> Token | None:
    found = [value for file in files if (value := file.get(section, key)) is not None]
    return found[-1] if found and found[-1].value else None
