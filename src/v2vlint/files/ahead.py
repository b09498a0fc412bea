"""The files that rules always read, sent ahead in one archive by a script on the machine, in one round trip. It writes nothing there.

What it prints are words that end with NUL bytes, in lists that end with an empty one, and then a tar archive. The lists are: the folders
that are packed with everything below; the paths in them that are not, since they are large, sockets, or cannot be read; the folders whose
entries are told; and those entries, four words each: what find(1) says of type, mode, size, owner, group and time; the folder after a
slash; the name; the target of a link after ``>``. Whoever reads it asks for everything else as it is needed.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from typing import IO

from v2vlint import programs
from v2vlint.model.errors import ImageError

TIMEOUT = 300
MAX_BYTES = 512 << 20
LARGEST = 4 << 20
"""Size in bytes from which a file is not sent ahead."""
FOLDERS = (
    "etc", "usr/etc", "boot/grub", "boot/grub2", "boot/loader", "boot/extlinux", "run/systemd", "run/udev", "run/NetworkManager",
    "lib/systemd", "lib/udev", "lib/modprobe.d", "usr/lib/systemd", "usr/lib/udev", "usr/lib/modprobe.d", "usr/lib/modules-load.d",
    "usr/lib/sysctl.d", "usr/lib/sysusers.d", "usr/lib/tmpfiles.d", "usr/lib/NetworkManager", "usr/lib/netplan", "usr/lib/cloud-init",
    "usr/lib/firewalld", "usr/lib/environment.d", "usr/lib/binfmt.d", "usr/lib/dracut", "usr/lib/kernel", "usr/lib/initcpio",
    "usr/local/lib/systemd", "usr/share/initramfs-tools", "usr/share/netplan", "usr/share/X11", "var/lib/cloud", "var/spool/cron",
)  # fmt: skip
"""Folders that are packed with everything below."""
FILES = ("var/lib/dpkg/status", "lib/apk/db/installed", "var/cache/debconf/config.dat")
LISTED = (
    ".", "boot", "boot/efi", "run", "usr", "usr/bin", "usr/sbin", "bin", "sbin", "lib", "lib64", "usr/lib", "usr/lib/*",
    "usr/lib/*/systemd", "usr/lib/*/NetworkManager", "usr/lib/*/NetworkManager/*", "usr/lib64", "usr/lib64/*", "usr/libexec", "usr/share",
    "usr/local", "usr/local/lib", "usr/local/lib/*", "usr/lib/python3/dist-packages", "usr/local/lib/python3*/dist-packages",
    "lib/modules/*", "lib/modules/*/kernel", "lib/modules/*/kernel/drivers", "lib/modules/*/kernel/drivers/*",
    "usr/lib/modules/*", "usr/lib/modules/*/kernel", "usr/lib/modules/*/kernel/drivers", "usr/lib/modules/*/kernel/drivers/*",
    "var", "var/lib", "var/lib/*", "var/cache", "var/cache/debconf", "var/spool", "opt", "opt/*", "srv",
)  # fmt: skip
"""Folders, by patterns of the shell's, of which the names are sent."""
# A file that has gone meanwhile is 1 for find and 2 for tar; a program that was ended by a signal has not told everything.
_SCRIPT = r"""
LC_ALL=C; export LC_ALL
cd / && find etc -maxdepth 0 -readable >/dev/null 2>&1 && tar --version 2>/dev/null | grep -q GNU || exit 3
p() { [ -d "$1" ] && [ -r "$1" ] && [ -x "$1" ] && [ "$(cd "$1" && pwd -P)" = "/${1#.}" ]; }
k() { for f do p "$f" && printf '%s\0' "$f"; done; printf '\0'; }
a() { xargs -0 -r sh -c "$1" sh; [ $? -lt 124 ] || kill $$; }
w() { k FOLDERS; }
h='( -type f ( -size +SIZEk -o ! -readable ) -o -type d ( ! -readable -o ! -executable ) -o -type s ) -prune'
w
w | head -c -1 | H=$h a 'set -f; exec find "$@" $H -print0 2>/dev/null'; printf '\0'
k LISTED
k LISTED | head -c -1 | a 'exec find "$@" -mindepth 1 -maxdepth 1 -printf "%y %m %s %U %G %T@\0/%h\0%f\0>%l\0" 2>/dev/null'; printf '\0'
{ w | head -c -1; for f in FILES; do [ -f "$f" ] && printf '%s\0' "$f"; done; } |
  H=$h a 'set -f; exec find "$@" $H -o -print0 2>/dev/null' | tar --null --no-recursion --files-from=- -cf - 2>/dev/null
[ $? -le 2 ]
"""


def script_text() -> str:
    """The script to run."""
    found = _SCRIPT.replace("SIZE", str(LARGEST >> 10))
    for name, words in (("FOLDERS", FOLDERS), ("FILES", FILES), ("LISTED", LISTED)):
        found = found.replace(name, " ".join(words))
    return found


class Ahead:
    """The archive written by ``command``, a remote shell, followed by zeros; see :class:`~v2vlint.files.scheme.Ranges`.

    It is fetched in a thread of its own, since the process that opens it serves other guests meanwhile. So its size is not known yet;
    reading waits for the end, and is an ImageError if not everything was sent.
    """

    state = ""
    size = MAX_BYTES

    def __init__(self, command: Sequence[str], name: str) -> None:
        # Not /tmp, which is in memory on many hosts.
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="v2vlint-", dir=os.environ.get("TMPDIR", "/var/tmp"))  # noqa: SIM115
        self._error = ""
        self._thread = threading.Thread(target=self._fill, args=(command, name), name="v2vlint-ahead", daemon=True)
        self._thread.start()

    def _fill(self, command: Sequence[str], name: str) -> None:
        limited = programs.limited(command, MAX_BYTES)
        said = script_text().encode()
        try:
            done = subprocess.run(limited, input=said, stdout=self._file, stderr=subprocess.PIPE, timeout=TIMEOUT, check=False)
        except (subprocess.TimeoutExpired, OSError) as error:
            self._error = f"{name}: its files were not sent: {error}"
            return
        if done.returncode:
            words = done.stderr.decode("utf-8", "replace").strip()[-300:]
            self._error = f"{name}: {words or 'its find and tar are not those of GNU'}"

    def read(self, offset: int, length: int) -> bytes:
        """See :class:`~v2vlint.files.scheme.Ranges`."""
        self._thread.join()
        if self._error:
            raise ImageError(self._error)
        return os.pread(self._file.fileno(), length, offset).ljust(length, b"\0")

    def close(self) -> None:
        """See :class:`~v2vlint.files.scheme.Ranges`."""
        self._thread.join()
        self._file.close()
