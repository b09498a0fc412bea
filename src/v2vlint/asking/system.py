"""Services, users, mounts, kernel parameters, sshd, the kernel and the registry as tests see them.

Names and behaviour are those of testinfra where it has an equivalent. Testinfra queries a running system; here the answer is what the
powered-off guest is configured for. What only a running system knows raises :class:`NotEvaluated`.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping
from typing import NoReturn

from v2vlint.asking.views import Args, Missing, NotEvaluated, Number, Text, listed
from v2vlint.engine.details import KernelReply, RegistryKeyReply, RegistryValueReply, ServiceReply
from v2vlint.facts.environment.accounts import Account, Accounts, UserGroup
from v2vlint.facts.environment.sshd_config import PATH, SshdConfig
from v2vlint.facts.storage.mount_points import MountPoints
from v2vlint.model.errors import FactUnavailable

_EPOCH = datetime.date(1970, 1, 1)


class ServiceView:
    """A service of Linux (any unit) or Windows. ``state`` is that of systemctl (``enabled``, ``static``, ``masked``, ``not-found``…) or the
    start type of Windows (``auto``, ``demand``…); ``where`` is what decides it.
    """

    def __init__(self, reply: ServiceReply, guest: str) -> None:
        self.name = reply.name
        self.state = Text(reply.state, reply.where)
        self.exists = reply.state != "not-found"
        self.is_masked = reply.state == "masked"
        self.is_enabled = reply.enabled
        self.where = str(reply.where)
        self._guest = guest

    @property
    def is_running(self) -> bool:
        """Always NotEvaluated: the guest is off."""
        raise NotEvaluated(f"{self._guest} is powered off: whether {self.name} runs cannot be told, only whether it is enabled")

    def __repr__(self) -> str:
        return f"<service {self.name} of {self._guest}: {self.state} ({self.where})>"


class _Named:
    """A user or group; one that the guest's files do not have may still be known to a directory service."""

    def __init__(self, name: str, found: Account | UserGroup | None, accounts: Accounts, guest: str) -> None:
        self.name = name
        self._accounts = accounts
        self._guest = guest
        self._known = found is not None

    @property
    def exists(self) -> bool:
        """Whether the guest's files have it. NotEvaluated when another source may have it."""
        __tracebackhide__ = True
        if not self._known and self._accounts.elsewhere:
            raise NotEvaluated(f"{self.name} is in no file of {self._guest}, but {self._accounts.elsewhere} may know it (nsswitch.conf)")
        return self._known


class UserView(_Named):
    """A user of passwd(5). Attributes of a user that does not exist are Missing. Hashes are never shown: see ``password_state``."""

    def __init__(self, name: str, accounts: Accounts, guest: str) -> None:
        self._found = accounts.user(name)
        super().__init__(name, self._found, accounts, guest)

    @property
    def _user(self) -> Account:
        __tracebackhide__ = True
        if not self.exists or self._found is None:
            raise Missing(f"{self._guest} has no user {self.name}: there are {listed(user.name for user in self._accounts.users)}")
        return self._found

    @property
    def uid(self) -> Number:
        """The user id."""
        __tracebackhide__ = True
        return Number(self._user.uid, self._user.where)

    @property
    def gid(self) -> Number:
        """The id of the primary group."""
        __tracebackhide__ = True
        return Number(self._user.gid, self._user.where)

    @property
    def group(self) -> str:
        """The name of the primary group; the number when it has none."""
        __tracebackhide__ = True
        gid = self._user.gid
        return next((group.name for group in self._accounts.groups if group.gid == gid), str(gid))

    @property
    def groups(self) -> list[str]:
        """The names of all groups, the primary one first."""
        __tracebackhide__ = True
        return [group.name for group in self._accounts.groups_of(self._user)]

    @property
    def gids(self) -> list[int]:
        """The ids of all groups, the primary one first."""
        __tracebackhide__ = True
        return list(dict.fromkeys([self._user.gid, *(group.gid for group in self._accounts.groups_of(self._user))]))

    @property
    def home(self) -> Text:
        """The home folder."""
        __tracebackhide__ = True
        return Text(self._user.home, self._user.where)

    @property
    def shell(self) -> Text:
        """The login shell."""
        __tracebackhide__ = True
        return Text(self._user.shell, self._user.where)

    @property
    def gecos(self) -> Text:
        """The comment field."""
        __tracebackhide__ = True
        return Text(self._user.gecos, self._user.where)

    @property
    def password_state(self) -> Text:
        """``set``, ``locked`` (no password is accepted) or ``empty`` (none is asked for)."""
        __tracebackhide__ = True
        return Text(self._user.password.state, self._user.password.where)

    @property
    def password_scheme(self) -> Text:
        """The hash method, as named by crypt(5): ``yescrypt``, ``sha512crypt``…; empty without a password."""
        __tracebackhide__ = True
        return Text(self._user.password.scheme, self._user.password.where)

    @property
    def password_min_days(self) -> int | None:
        """Days before the password may be changed; None when not set."""
        __tracebackhide__ = True
        return self._user.min_days

    @property
    def password_max_days(self) -> int | None:
        """Days after which it must be changed; None when not set."""
        __tracebackhide__ = True
        return self._user.max_days

    @property
    def expiration_date(self) -> datetime.datetime | None:
        """When the account expires; None when it does not."""
        __tracebackhide__ = True
        days = self._user.expires
        # Days up to the year 9909: datetime ends with 9999.
        date = None if days is None else _EPOCH + datetime.timedelta(days=min(days, 2_900_000))
        return None if date is None else datetime.datetime(date.year, date.month, date.day)

    def __repr__(self) -> str:
        found = self._found
        return f"<user {self.name} of {self._guest}: {f'{found.uid}:{found.gid} ({found.where})' if found else 'absent'}>"


class GroupView(_Named):
    """A group of group(5)."""

    def __init__(self, name: str, accounts: Accounts, guest: str) -> None:
        self._found = accounts.group(name)
        super().__init__(name, self._found, accounts, guest)

    @property
    def gid(self) -> Number:
        """The group id."""
        __tracebackhide__ = True
        if not self.exists or self._found is None:
            raise Missing(f"{self._guest} has no group {self.name}: there are {listed(one.name for one in self._accounts.groups)}")
        return Number(self._found.gid, self._found.where)

    @property
    def members(self) -> list[str]:
        """The members listed in its line."""
        __tracebackhide__ = True
        # gid raises when there is no such group.
        return list(self._found.members) if self.gid >= 0 and self._found else []

    def __repr__(self) -> str:
        found = self._found
        return f"<group {self.name} of {self._guest}: {f'{found.gid}, {listed(found.members)} ({found.where})' if found else 'absent'}>"


class MountPointView:
    """What is mounted at a path after boot. ``at_boot`` is False for a mount that has to be requested (``noauto``)."""

    def __init__(self, path: str, fact: MountPoints, guest: str) -> None:
        self.path = path
        self._guest = guest
        self._all = fact.mounts
        self._found = fact.at(path)
        # A guest that has booted has a root, whether or not fstab has it.
        self.exists = self._found is not None or path == "/"
        self.at_boot = self.exists and (self._found is None or self._found.at_boot)

    @property
    def device(self) -> Text:
        """The device as written: ``UUID=…``, ``/dev/vg/lv``."""
        __tracebackhide__ = True
        return self._text("device")

    @property
    def filesystem(self) -> Text:
        """The filesystem type."""
        __tracebackhide__ = True
        return self._text("fs_type")

    @property
    def options(self) -> list[str]:
        """The mount options, as written."""
        __tracebackhide__ = True
        self._text("device")
        return list(self._found.options) if self._found else []

    @property
    def where(self) -> str:
        """The line that defines the mount."""
        __tracebackhide__ = True
        return self._text("device").where

    def _text(self, name: str) -> Text:
        __tracebackhide__ = True
        if self._found is None:
            raise Missing(
                f"nothing says what is mounted at {self.path} in {self._guest}: there are {listed(one.path for one in self._all)}"
            )
        return Text(getattr(self._found, name), self._found.where)

    def __repr__(self) -> str:
        one = self._found
        return f"<mount point {self.path} of {self._guest}: {f'{one.device}, {one.fs_type} ({one.where})' if one else 'none'}>"


class SshdView(Mapping[str, Text]):
    """The sshd configuration outside of ``Match`` blocks, as printed by ``sshd -T``: ``guest.sshd["PermitRootLogin"]``. Keywords are
    case-insensitive.

    Iterating yields what the files set; a lookup also returns OpenSSH's default, where it is known.
    """

    def __init__(self, fact: SshdConfig, guest: str) -> None:
        self._fact = fact
        self._guest = guest

    def __getitem__(self, keyword: str) -> Text:
        __tracebackhide__ = True
        self._certain()
        found = self._fact.get(keyword)
        if found is not None:
            return Text(_plain(found.text), found.where)
        try:
            return Text(self._fact.default(keyword), f"{PATH} (OpenSSH's default)")
        except FactUnavailable as reason:
            raise NotEvaluated(f"{self._guest}: {reason.where}: {reason.reason}") from None

    def all(self, keyword: str) -> tuple[Text, ...]:
        """All values of a keyword that may be repeated: ``Port``, ``ListenAddress``, ``AllowUsers``."""
        self._certain()
        return tuple(Text(one.text, one.where) for one in self._fact.all(keyword))

    def conditional(self, keyword: str) -> tuple[Text, ...]:
        """The values in ``Match`` blocks, which take precedence for the connections that match."""
        return tuple(Text(_plain(one.text), one.where) for one in self._fact.conditional(keyword))

    def _certain(self) -> None:
        __tracebackhide__ = True
        if not self._fact.exists and self._fact.version is None:
            raise Missing(f"{self._guest} has no {PATH} and no OpenSSH server")
        if self._fact.options is not None:
            raise NotEvaluated(f"{self._guest}: {self._fact.options}: options of its command line change the configuration of sshd")

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(one.keyword for one in self._fact.settings if not one.match))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __repr__(self) -> str:
        return f"<sshd of {self._guest}: {listed(f'{name} {self._fact.all(name)[0].text}' for name in self)}>"


def _plain(value: str) -> str:
    """``Yes`` as sshd understands it, and one spelling for ``without-password``."""
    low = value.lower()
    return {"without-password": "prohibit-password"}.get(low, low if low in ("yes", "no") else value)


class KernelView:
    """The kernel that the default entry boots."""

    def __init__(self, ask: Callable[[tuple[str, ...]], KernelReply], args: Callable[[], Args], guest: str) -> None:
        reply = ask(())
        self.version = Text(reply.version, reply.where)
        self.image = reply.image
        self.entry = reply.title
        self._ask, self._args, self._guest = ask, args, guest

    @property
    def args(self) -> Args:
        """Its command line."""
        __tracebackhide__ = True
        return self._args()

    def has(self, module: str) -> bool:
        """Whether the module is built in or installed. NotEvaluated when this kernel has no list of its modules."""
        __tracebackhide__ = True
        presence = self._ask((module,)).presence[module]
        if presence == "unknown":
            raise NotEvaluated(f"whether kernel {self.version} of {self._guest} has {module} cannot be told: it ships no list of modules")
        return presence != "absent"

    def __repr__(self) -> str:
        return f"<kernel {self.version} of {self._guest}: {self.image}>"


class RegistryKeyView(Mapping[str, "str | int | bytes | list[str]"]):
    """A registry key of a Windows guest: ``guest.registry(r"HKLM\\SYSTEM\\CurrentControlSet\\Services\\sshd")["Start"]``.

    A case-insensitive mapping of its values; the default value has an empty name. ``keys_below`` are the names of its subkeys.
    """

    def __init__(self, reply: RegistryKeyReply, guest: str) -> None:
        self.path, self.exists, self.where = reply.path, reply.exists, str(reply.where)
        self.keys_below = reply.keys
        self._values = {value.name.lower(): value for value in reply.values}
        self._guest = guest

    def __getitem__(self, name: str) -> str | int | bytes | list[str]:
        __tracebackhide__ = True
        return _data(self._value(name))

    def type(self, name: str) -> str:
        """The type of a value: ``REG_DWORD``."""
        __tracebackhide__ = True
        return self._value(name).type

    def _value(self, name: str) -> RegistryValueReply:
        __tracebackhide__ = True
        found = self._values.get(name.lower())
        if found is None:
            self._missing(name)
        return found

    def _missing(self, name: str) -> NoReturn:
        __tracebackhide__ = True
        what = f"no value {name}: there are {listed(one.name for one in self._values.values())}" if self.exists else "does not exist"
        raise Missing(f"{self.path} of {self._guest} ({self.where}): {what}")

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __iter__(self) -> Iterator[str]:
        return (value.name for value in self._values.values())

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<{self.path} of {self._guest}: {f'{len(self)} values, {len(self.keys_below)} keys' if self.exists else 'absent'}>"


def _data(value: RegistryValueReply) -> str | int | bytes | list[str]:
    if value.type in ("REG_DWORD", "REG_QWORD", "REG_DWORD_BIG_ENDIAN") and value.number is not None:
        return Number(value.number, value.where)
    if value.type in ("REG_SZ", "REG_EXPAND_SZ"):
        return Text(value.text, value.where)
    return list(value.texts) if value.type == "REG_MULTI_SZ" else value.data
