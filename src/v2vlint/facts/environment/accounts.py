"""Users and groups: passwd(5), shadow(5), group(5), and the other sources in nsswitch.conf(5).

Hashes are not kept: only the state and place of a password are.
"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import Line
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, Token

PASSWD, SHADOW, GROUP = "/etc/passwd", "/etc/shadow", "/etc/group"
MAX_ENTRIES = 100_000
_LOCAL = frozenset({"files", "compat", "altfiles", "systemd", "db", "myhostname"})
_SSSD = ("/etc/sssd/sssd.conf", "/etc/sssd/conf.d/*.conf")
_ALTERNATIVE = {PASSWD: "/usr/lib/passwd", GROUP: "/usr/lib/group"}
_SCHEMES = {
    "$y$": "yescrypt", "$gy$": "gost-yescrypt", "$7$": "scrypt", "$2": "bcrypt", "$6$": "sha512crypt", "$5$": "sha256crypt",
    "$sha1": "sha1crypt", "$md5": "SunMD5", "$1$": "md5crypt", "$3$": "NT", "_": "bsdicrypt",
}  # fmt: skip
_STRONG = frozenset({"yescrypt", "gost-yescrypt", "scrypt", "bcrypt", "sha512crypt"})
_CLOSED = ("nologin", "false", "sync", "shutdown", "halt")


@dataclass(frozen=True, slots=True)
class Password:
    """``state`` is ``empty`` (none is asked for), ``locked`` (none is accepted) or ``set``; ``scheme`` is crypt(5)'s name for the hash,
    even a locked one. ``where`` is the field that decides.
    """

    state: str
    scheme: str
    where: Span

    @property
    def is_weak(self) -> bool:
        """Whether a hash is stored that is weaker than sha512crypt or yescrypt."""
        return bool(self.scheme) and self.scheme not in _STRONG


@dataclass(frozen=True, slots=True)
class Account:
    """A user. The last four are shadow's fields in days; None when they are not set."""

    name: str
    uid: int
    gid: int
    gecos: str
    home: str
    shell: str
    password: Password
    where: Span
    changed: int | None = None
    min_days: int | None = None
    max_days: int | None = None
    expires: int | None = None

    @property
    def has_shell(self) -> bool:
        """Whether its shell allows logins."""
        return self.shell.rpartition("/")[2] not in _CLOSED


@dataclass(frozen=True, slots=True)
class UserGroup:
    """A group with the members listed in its line; users who have it as their primary group are not among them."""

    name: str
    gid: int
    members: tuple[str, ...]
    where: Span


@dataclass(frozen=True, slots=True)
class Accounts:
    """``elsewhere`` is a source that may have more users (``sss``, ``ldap``), empty when the files have them all."""

    users: tuple[Account, ...] = ()
    groups: tuple[UserGroup, ...] = ()
    elsewhere: str = ""

    def user(self, name: str) -> Account | None:
        """The first entry of that name, as getpwnam(3) finds it."""
        return next((user for user in self.users if user.name == name), None)

    def group(self, name: str) -> UserGroup | None:
        """The first entry of that name."""
        return next((group for group in self.groups if group.name == name), None)

    def groups_of(self, user: Account) -> tuple[UserGroup, ...]:
        """The user's primary group first, then the others."""
        own = [group for group in self.groups if group.gid == user.gid][:1]
        return (*own, *(group for group in self.groups if user.name in group.members and group not in own))


@provides
def parse_accounts(fs: GuestFS) -> Accounts:
    """Read the files. FactUnavailable when one is damaged."""
    sources = _sources(fs)
    shadow = {fields[0].value: fields for fields in _entries(fs, SHADOW, 2)}
    users = [_account(fields, shadow) for path in _files(PASSWD, sources) for fields in _entries(fs, path, 7)]
    groups = [_group(fields) for path in _files(GROUP, sources) for fields in _entries(fs, path, 4)]
    return Accounts(tuple(filter(None, users)), tuple(filter(None, groups)), _elsewhere(fs, sources))


def _sources(fs: GuestFS) -> tuple[str, ...]:
    text = fs.text("/etc/nsswitch.conf")
    lines = [line.text.partition("#")[0].split() for line in text.lines()] if text else []
    return next((tuple(words[1:]) for words in lines if words and words[0] == "passwd:"), ("files",))


def _files(path: str, sources: tuple[str, ...]) -> tuple[str, ...]:
    return (path, _ALTERNATIVE[path]) if "altfiles" in sources else (path,)


def _elsewhere(fs: GuestFS, sources: tuple[str, ...]) -> str:
    """The other source. sss is listed by default even if no sssd was ever set up."""
    others = [name for name in sources if name[:1] != "[" and name not in _LOCAL]
    set_up = any(fs.glob(pattern) for pattern in _SSSD)
    return next((name for name in others if name != "sss" or set_up), "")


def _entries(fs: GuestFS, path: str, least: int) -> Iterator[tuple[Token, ...]]:
    text = fs.text(path)
    for count, line in enumerate(text.lines() if text else ()):
        fields = tuple(_fields(line))
        # + and - include and exclude users of NIS (nsswitch.conf(5), compat).
        if count < MAX_ENTRIES and len(fields) >= least and fields[0].value and fields[0].value[0] not in "+-#":
            yield fields


def _fields(line: Line) -> Iterator[Token]:
    start = 0
    for part in line.text.split(":"):
        yield line.token(start, start + len(part))
        start += len(part) + 1


def _account(fields: tuple[Token, ...], shadow: dict[str, tuple[Token, ...]]) -> Account | None:
    name, secret, uid, gid, gecos, home, shell = fields[:7]
    days: tuple[int | None, ...] = (None,) * 4
    if secret.value == "x" and name.value in shadow:
        found = shadow[name.value]
        # Last change, minimum and maximum age, expiry of the account: shadow(5).
        secret, days = found[1], tuple(_number(found[place].value) if len(found) > place else None for place in (2, 3, 4, 7))
    number, group = _number(uid.value), _number(gid.value)
    if number is None or group is None:
        return None
    where = Span(name.where.path, name.where.start, shell.where.end, name.where.line)
    password = _password(secret)
    return Account(name.value, number, group, gecos.value, home.value, shell.value or "/bin/sh", password, where, *days)


def _password(field: Token) -> Password:
    """After ``!``, the hash becomes valid again when the account is unlocked: usermod(8), ``-U``."""
    value = field.value
    if not value:
        return Password("empty", "", field.where)
    stored = value.lstrip("!*")
    scheme = next((name for start, name in _SCHEMES.items() if stored.startswith(start)), "")
    scheme = scheme or ("descrypt" if len(stored) == 13 else "")  # traditional DES has no prefix
    usable = bool(scheme) and stored == value
    return Password("set" if usable else "locked", scheme, field.where)


def _group(fields: tuple[Token, ...]) -> UserGroup | None:
    gid = _number(fields[2].value)
    if gid is None:
        return None
    members = tuple(filter(None, fields[3].value.split(",")))
    return UserGroup(
        fields[0].value, gid, members, Span(fields[0].where.path, fields[0].where.start, fields[3].where.end, fields[0].where.line)
    )


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 10 else None
