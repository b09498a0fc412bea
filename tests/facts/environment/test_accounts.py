"""Users and groups."""

from __future__ import annotations

import pytest

from tests.facts.guests import HOSTILE, fact
from v2vlint.facts.environment.accounts import Accounts

PASSWD = "root:x:0:0:root:/root:/bin/bash\nweb:x:1000:1000:Web,,,:/srv/web:/usr/sbin/nologin\n"
PASSWD += "old:$1$ab$cdefghijklmnopqrstuvw.:5:5::/:\n+::::::\n"
GROUP = "root:x:0:\nweb:x:1000:\nwheel:x:10:root,web\nbroken\n"

HASHES = {
    "": ("empty", ""), "*": ("locked", ""), "!": ("locked", ""), "!!": ("locked", ""), "x": ("locked", ""),
    "$y$j9T$abc$def": ("set", "yescrypt"), "$6$salt$hash": ("set", "sha512crypt"), "!$6$salt$hash": ("locked", "sha512crypt"),
    "$5$s$h": ("set", "sha256crypt"), "$1$s$h": ("set", "md5crypt"), "$2b$12$xyz": ("set", "bcrypt"), "ab01FAX.bQRSU": ("set", "descrypt"),
    "_J9..rasmBYk8r9AiWNc": ("set", "bsdicrypt"), "$3$$8846": ("set", "NT"), "$gy$j9T$a$b": ("set", "gost-yescrypt"),
}  # fmt: skip


@pytest.mark.parametrize("stored", HASHES)
def test_passwords_by_their_kind(stored: str) -> None:
    found = fact(Accounts, {"/etc/passwd": PASSWD, "/etc/shadow": f"root:{stored}:19000:1:90:7::20000:\n"}).user("root")
    assert found is not None
    assert (found.password.state, found.password.scheme) == HASHES[stored]
    assert (found.changed, found.min_days, found.max_days, found.expires) == (19000, 1, 90, 20000)
    assert stored not in repr(found) or len(stored) < 3
    assert str(found.password.where) == "/etc/shadow:1:6"


def test_users_and_groups() -> None:
    found = fact(Accounts, {"/etc/passwd": PASSWD, "/etc/group": GROUP})
    web, old = found.user("web"), found.user("old")
    assert web is not None
    assert old is not None
    assert (web.uid, web.gecos, web.home, web.has_shell) == (1000, "Web,,,", "/srv/web", False)
    assert (old.shell, old.password.scheme, old.password.is_weak) == ("/bin/sh", "md5crypt", True)
    assert [group.name for group in found.groups_of(web)] == ["web", "wheel"]
    assert found.user("nobody") is None


@pytest.mark.parametrize(
    ("sources", "more", "elsewhere"),
    [
        ("passwd: files", {}, ""),
        ("passwd: files systemd", {}, ""),
        ("passwd: sss files", {}, ""),
        ("passwd: sss files", {"/etc/sssd/sssd.conf": "[sssd]\n"}, "sss"),
        ("passwd: files ldap [NOTFOUND=return]", {}, "ldap"),
    ],
)
def test_who_else_may_know_users(sources: str, more: dict[str, str], elsewhere: str) -> None:
    assert fact(Accounts, {"/etc/passwd": PASSWD, "/etc/nsswitch.conf": f"{sources}\n", **more}).elsewhere == elsewhere


def test_ostree_keeps_users_elsewhere() -> None:
    files = {"/etc/passwd": "", "/usr/lib/passwd": PASSWD, "/etc/nsswitch.conf": "passwd: files altfiles\n"}
    assert fact(Accounts, files).user("web") is not None


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_files_end(text: str) -> None:
    fact(Accounts, {"/etc/passwd": text, "/etc/shadow": text, "/etc/group": text, "/etc/nsswitch.conf": text})
