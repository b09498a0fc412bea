"""Passwords that Windows stores for its setup or its logon: answer files (unattend.xml), automatic logon."""

from __future__ import annotations

import re

from v2vlint.facts.registry import provides
from v2vlint.facts.windows.registry import Registry
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import RegistryKey, WholeFile

MAX_SIZE = 4 << 20
_WINLOGON = "Microsoft\\Windows NT\\CurrentVersion\\Winlogon"
_FILES = (
    "{root}/Panther/unattend.xml", "{root}/Panther/Unattend/unattend.xml", "{root}/Panther/unattend-original.xml",
    "{root}/Panther/autounattend.xml", "{root}/System32/Sysprep/unattend.xml", "{root}/System32/Sysprep/Panther/unattend.xml",
    "{root}/Setup/Scripts/unattend.xml", "/unattend.xml", "/autounattend.xml", "/sysprep/sysprep.inf", "/sysprep.inf",
)  # fmt: skip
# Setup replaces values that it has used by *SENSITIVE*DATA*DELETED*.
_PASSWORD = re.compile(
    r"<(?:\w+:)?(?:\w*Password|Credentials)\b[^>]*>\s*(?:<(?:\w+:)?(?:Value|Password)\b[^>]*>)?\s*(?!\*SENSITIVE)[^\s<][^<]{0,4000}<", re.I
)
_INF = re.compile(r"^[ \t]*(?:AdminPassword|DomainAdminPassword)\s*=\s*\"?(?!\*\"?\s*$)[^\s\"]", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class StoredPasswords:
    """``answer_files`` contain a password; ``logon`` is the value by which Windows logs on automatically. Passwords themselves are not
    kept.
    """

    answer_files: tuple[WholeFile, ...] = ()
    logon: RegistryKey | None = None


@provides
def find_stored_passwords(fs: GuestFS, registry: Registry, os: OsInfo) -> StoredPasswords:
    """Search the answer files that Windows and Sysprep leave, and Winlogon."""
    paths = [pattern.format(root=os.system_root) for pattern in _FILES]
    found = tuple(WholeFile(path) for path in paths if _has_password(fs.read(path, MAX_SIZE) or b"", path))
    winlogon = registry.soft(_WINLOGON)
    value = winlogon.value("DefaultPassword") if winlogon else None
    return StoredPasswords(found, value.where if value is not None and value.text else None)


def _has_password(data: bytes, path: str) -> bool:
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    text = data.decode(encoding, "replace")
    return (_INF if path.endswith(".inf") else _PASSWORD).search(text) is not None
