"""Encrypted devices that an initramfs opens itself: its own copy of crypttab, and key files inside it.

initramfs-tools writes ``cryptroot/crypttab`` (before cryptsetup 2.0.3 ``conf/conf.d/cryptroot``: ``target=…,source=…,key=…``) and copies
key files that match ``KEYFILE_PATTERN`` to ``cryptroot/keyfiles``; dracut and mkinitcpio's sd-encrypt have ``etc/crypttab``. systemd also
looks for ``/etc/cryptsetup-keys.d/NAME.key`` (systemd-cryptsetup@.service(8)), mkinitcpio's encrypt hook for ``/crypto_keyfile.bin``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from v2vlint.facts.boot.cmdline import KernelArg
from v2vlint.facts.initramfs.content import Initramfs
from v2vlint.facts.storage.crypttab import crypttab_from
from v2vlint.guest.text import GuestText, split_lines
from v2vlint.model.dataclass import dataclass

TABLES = ("cryptroot/crypttab", "etc/crypttab", "etc/crypttab.initramfs")
_OLD = "conf/conf.d/cryptroot"
_OF_SCRIPTS = ("cryptroot/crypttab", _OLD)
_CARD = frozenset({"decrypt_gnupg-sc", "decrypt_opensc"})
_ASKING = _CARD | {"askpass", "decrypt_gnupg", "decrypt_keyctl", "decrypt_ssl"}
"""Debian's scripts that ask for a passphrase or a PIN themselves (lib/cryptsetup/scripts)."""
_ON_A_DEVICE = ("/dev/", "UUID=", "LABEL=", "PARTUUID=", "PARTLABEL=")
_LATER = "/FIXME-initramfs-rootmnt/"
"""How initramfs-tools names a key that is on the root filesystem."""
_KEY_FOLDERS = ("etc/cryptsetup-keys.d", "run/cryptsetup-keys.d")
_KEY_FOR = re.compile(r"(?:luks-)?([0-9A-Za-z-]+)=")
_NO_KEY = frozenset({"", "none", "-"})


@dataclass(frozen=True, slots=True)
class EarlyMapping:
    """One mapping that the initramfs sets up: /dev/mapper/``name`` from ``source``. ``table`` is the member of the image that defines
    it.
    """

    name: str
    source: str
    key: str
    options: tuple[str, ...]
    table: str

    @property
    def script(self) -> str:
        """The key script. systemd has none (crypttab(5)): to it the third field is a file."""
        found = next((option.partition("=")[2] for option in self.options if option.startswith("keyscript=")), "")
        return found if self.table in _OF_SCRIPTS else ""

    @property
    def key_device(self) -> str:
        """The device that the key is read from: ``DEVICE:PATH`` for Debian's passdev, ``PATH:DEVICE`` for systemd, or the key itself."""
        if self.script:
            return self.key.partition(":")[0] if self.script.rpartition("/")[2] == "passdev" else ""
        last = self.key.rpartition(":")[2] if self.table not in _OF_SCRIPTS else self.key
        return next((device for device in (self.key, last) if device.startswith(_ON_A_DEVICE)), "")

    @property
    def waits_for_ever(self) -> bool:
        """Whether passdev waits for its device without a limit: ``DEVICE:PATH`` without ``:SECONDS`` (debian/scripts/passdev.c)."""
        _device, path, *limit = [*self.key.split(":", 2), ""]
        limited = bool(re.match(r"\s*\+?0*[1-9]", limit[0])) if limit else False
        return self.script.rpartition("/")[2] == "passdev" and bool(path) and not limited

    @property
    def takes_card(self) -> bool:
        """Whether the key script reads a smart card."""
        return self.script.rpartition("/")[2] in _CARD

    def lacking(self, image: Initramfs) -> str:
        """The key script or key file that cryptroot of initramfs-tools does not find in ``image``: it does not open the device then, nor
        ask for a passphrase (scripts/local-top/cryptroot, since cryptsetup 2.0.3). Empty if it is there, or not looked for.
        """
        if self.table != TABLES[0]:
            return ""
        if self.script:
            return "" if self._has_script(image) else f"the key script {self.script}"
        looked_for = self.key.startswith("/") and not self.key.startswith(("/dev/", _LATER))
        return f"the key file {self.key}" if looked_for and not image.find(self.key.lstrip("/")) else ""

    def _has_script(self, image: Initramfs) -> bool:
        paths = [self.script, f"lib/cryptsetup/scripts/{self.script}", f"usr/lib/cryptsetup/scripts/{self.script}"]
        return any(image.find(path) for path in paths)

    def key_in(self, image: Initramfs) -> str:
        """What opens it unattended: the path of a key file in ``image``, or a key script. Empty when a passphrase is asked for."""
        if self.script:
            asks = self.script.rpartition("/")[2] in _ASKING or not self._has_script(image)
            return "" if asks else f"the key script {self.script}"
        paths = [f"{folder}/{self.name}.key" for folder in _KEY_FOLDERS] if self.key in _NO_KEY else [self.key.lstrip("/")]
        found = next((path for path in paths if image.find(path)), "")
        return f"the key file /{found}" if found else ""


def early_mappings(image: Initramfs) -> tuple[EarlyMapping, ...]:
    """The mappings of ``image``, in the order of its tables."""
    return (*_in_tables(image), *_in_old_table(image))


@dataclass(frozen=True, slots=True)
class KeyArgument:
    """A key named on the command line: ``path`` on ``device``, or in the initramfs if that is empty. ``container`` is the device it is
    for, empty for any.
    """

    argument: KernelArg
    path: str
    device: str = ""
    container: str = ""


def key_arguments(args: tuple[KernelArg, ...]) -> tuple[KeyArgument, ...]:
    """``rd.luks.key=PATH[:DEVICE[:CONTAINER]]`` (dracut.cmdline(7)) or ``[UUID=]PATH[:DEVICE]`` (systemd-cryptsetup-generator(8)),
    mkinitcpio's ``cryptkey=DEVICE:TYPE:PATH`` and genkernel's ``root_keydev=DEVICE``.
    """
    return tuple(found for arg in args if (found := _key_argument(arg, arg.value or "")))


def _key_argument(arg: KernelArg, value: str) -> KeyArgument | None:
    if arg.name == "root_keydev":
        return KeyArgument(arg, "", _device(value))
    if arg.name == "cryptkey":
        device, _type, path = [*value.split(":", 2), "", ""][:3]
        inside = device == "rootfs"
        return KeyArgument(arg, value.removeprefix("rootfs:") if inside else path, "" if inside else _device(device))
    if arg.name not in ("rd.luks.key", "luks.key"):
        return None
    path, device, container = [*value.split(":", 2), "", ""][:3]
    if match := _KEY_FOR.match(path):
        path, container = path[match.end() :], f"UUID={match[1]}"
    return KeyArgument(arg, path, _device(device), container)


def _device(text: str) -> str:
    return text if text.startswith(_ON_A_DEVICE) else ""


def key_of_arguments(image: Initramfs, keys: tuple[KeyArgument, ...]) -> str:
    """The first of ``keys`` that is a file in ``image``, or the encrypt hook's own; empty when there is none."""
    paths = [key.path for key in keys if not key.device] or ["/crypto_keyfile.bin"]
    return next((f"the key file {path}" for path in paths if path and image.find(path)), "")


def _in_tables(image: Initramfs) -> Iterator[EarlyMapping]:
    for table in TABLES:
        text = image.text(table)
        for entry in crypttab_from(GuestText(f"{image.where.path}!{table}", text)).entries if text else ():
            yield EarlyMapping(entry.name.value, entry.device, entry.key, entry.options, table)


def _in_old_table(image: Initramfs) -> Iterator[EarlyMapping]:
    for line in split_lines(image.text(_OLD) or ""):
        yield from _of_words(line, "", _OLD)


def mappings_of_arguments(image: Initramfs, args: tuple[KernelArg, ...]) -> tuple[EarlyMapping, ...]:
    """What ``cryptopts=`` asks cryptroot of initramfs-tools for: it overwrites the image's table, the old one before cryptsetup 2.0.3."""
    table = TABLES[0] if image.find(TABLES[0]) else _OLD
    lines = [arg.value for arg in args if arg.name == "cryptopts" and arg.value]
    return tuple(mapping for line in lines for mapping in _of_words(line, "cryptroot", table))


def _of_words(line: str, target: str, table: str) -> Iterator[EarlyMapping]:
    """The mapping of ``target=…,source=…,key=…``."""
    words = [word.partition("=")[::2] for word in line.split(",")]
    values = dict(words)
    name = values.get("target") or target
    if name and values.get("source"):
        source = ",".join(part for key, part in words if key == "source")
        options = tuple(f"{key}={value}" if value else key for key, value in words)
        yield EarlyMapping(name, source, values.get("key", "none"), options, table)
