"""Encrypted devices that an initramfs opens itself: its own copy of crypttab, and key files inside it.

initramfs-tools writes ``cryptroot/crypttab`` (before cryptsetup 2.0.3 ``conf/conf.d/cryptroot``: ``target=…,source=…,key=…``) and copies
key files that match ``KEYFILE_PATTERN`` to ``cryptroot/keyfiles``; dracut and mkinitcpio's sd-encrypt have ``etc/crypttab``. systemd also
looks for ``/etc/cryptsetup-keys.d/NAME.key`` (systemd-cryptsetup@.service(8)), mkinitcpio's encrypt hook for ``/crypto_keyfile.bin``.
"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.boot.cmdline import KernelArg
from v2vlint.facts.initramfs.content import Initramfs
from v2vlint.facts.storage.crypttab import crypttab_from
from v2vlint.guest.text import GuestText, split_lines
from v2vlint.model.dataclass import dataclass

TABLES = ("cryptroot/crypttab", "etc/crypttab", "etc/crypttab.initramfs")
_OLD = "conf/conf.d/cryptroot"
_OF_SCRIPTS = ("cryptroot/crypttab", _OLD)
_ASKING = frozenset({"askpass", "decrypt_gnupg", "decrypt_gnupg-sc", "decrypt_keyctl", "decrypt_opensc", "decrypt_ssl"})
"""Debian's scripts that ask for a passphrase or a PIN themselves (lib/cryptsetup/scripts)."""
_KEY_FOLDERS = ("etc/cryptsetup-keys.d", "run/cryptsetup-keys.d")
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

    def key_in(self, image: Initramfs) -> str:
        """What opens it unattended: the path of a key file in ``image``, or a key script. Empty when a passphrase is asked for."""
        script = next((option.partition("=")[2] for option in self.options if option.startswith("keyscript=")), "")
        # systemd has no key scripts (crypttab(5)): to it the third field is a file.
        if script and self.table in _OF_SCRIPTS:
            paths = [script, f"lib/cryptsetup/scripts/{script}", f"usr/lib/cryptsetup/scripts/{script}"]
            there = any(image.find(path) for path in paths)
            return f"the key script {script}" if there and script.rpartition("/")[2] not in _ASKING else ""
        paths = [f"{folder}/{self.name}.key" for folder in _KEY_FOLDERS] if self.key in _NO_KEY else [self.key.lstrip("/")]
        found = next((path for path in paths if image.find(path)), "")
        return f"the key file /{found}" if found else ""


def early_mappings(image: Initramfs) -> tuple[EarlyMapping, ...]:
    """The mappings of ``image``, in the order of its tables."""
    return (*_in_tables(image), *_in_old_table(image))


def key_of_arguments(image: Initramfs, args: tuple[KernelArg, ...]) -> str:
    """The key file in ``image`` for the command line or the encrypt hook; empty when there is none."""
    named = [(arg.value or "").removeprefix("rootfs:") for arg in args if arg.name in ("rd.luks.key", "cryptkey", "luks.key")]
    # systemd also accepts a key for one device only, UUID=PATH (systemd-cryptsetup-generator(8)).
    paths = [value.partition("=")[2] if value.count("=") == 1 else value for value in named] or ["/crypto_keyfile.bin"]
    return next((f"the key file {path}" for path in paths if image.find(path)), "")


def _in_tables(image: Initramfs) -> Iterator[EarlyMapping]:
    for table in TABLES:
        text = image.text(table)
        for entry in crypttab_from(GuestText(f"{image.where.path}!{table}", text)).entries if text else ():
            yield EarlyMapping(entry.name.value, entry.device, entry.key, entry.options, table)


def _in_old_table(image: Initramfs) -> Iterator[EarlyMapping]:
    for line in split_lines(image.text(_OLD) or ""):
        words = [word.partition("=")[::2] for word in line.split(",")]
        values = dict(words)
        if values.get("target") and values.get("source"):
            source = ",".join(part for name, part in words if name == "source")
            options = tuple(f"{name}={value}" if value else name for name, value in words)
            yield EarlyMapping(values["target"], source, values.get("key", "none"), options, _OLD)
