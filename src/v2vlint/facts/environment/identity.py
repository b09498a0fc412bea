"""What distinguishes a machine from its copies: machine-id(5), SSH host keys, DHCP leases, the random seed, logs."""

from __future__ import annotations

from v2vlint.facts.network.cloud_init import CloudInit
from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.fix import Delete, ReplaceText
from v2vlint.model.place import Token, WholeFile

MACHINE_ID = "/etc/machine-id"
DBUS_ID = "/var/lib/dbus/machine-id"
_LEASES = (
    "/var/lib/dhcp/dhclient*.leases", "/var/lib/dhcp3/dhclient*.leases", "/var/lib/dhclient/*.lease*", "/var/lib/NetworkManager/*.lease",
    "/var/lib/dhcpcd/*.lease*", "/var/lib/wicked/lease-*", "/var/lib/wicked/duid.xml", "/var/db/dhcpcd/*", "/run/systemd/netif/leases/*",
)  # fmt: skip
_SEEDS = ("/var/lib/systemd/random-seed", "/var/lib/urandom/random-seed", "/var/lib/random-seed", "/var/lib/misc/random-seed")
_KEY_MAKERS = (
    "/usr/lib/systemd/system/sshd-keygen@.service", "/usr/lib/systemd/system/sshd-keygen.service",
    "/usr/lib/systemd/system/sshdgenkeys.service", "/usr/sbin/sshd-gen-keys-start", "/etc/rc.d/init.d/sshd",
    "/usr/lib/systemd/system/ssh-keygen.service",
)  # fmt: skip
_LOGS = (
    "/var/log/*.gz",
    "/var/log/*.[0-9]",
    "/var/log/*-20[0-9][0-9][0-9][0-9][0-9][0-9]",
    "/var/log/*.xz",
    "/var/log/journal/*/*.journal",
)
MAX_FILES = 500


@dataclass(frozen=True, slots=True)
class Identity:
    """``machine_id`` is the stored ID, None when it is created at boot; ``dbus_id`` a second copy in a separate file.

    ``makes_host_keys`` says whether something regenerates missing SSH host keys.
    """

    machine_id: Token | None = None
    forget_machine_id: tuple[ReplaceText | Delete, ...] = ()
    dbus_id: WholeFile | None = None
    host_keys: tuple[WholeFile, ...] = ()
    makes_host_keys: bool = False
    leases: tuple[WholeFile, ...] = ()
    random_seed: WholeFile | None = None
    old_logs: tuple[WholeFile, ...] = ()


@provides
def parse_identity(fs: GuestFS, cloud_init: CloudInit) -> Identity:
    """What the guest would share with its copies."""
    text = fs.text(MACHINE_ID)
    words = [word for line in text.lines() for word in line.words()] if text is not None else []
    # "uninitialized" asks for the first boot that writes one: machine-id(5).
    machine_id = words[0] if words and words[0].value != "uninitialized" else None
    own_dbus = fs.readlink(DBUS_ID) is None and fs.is_file(DBUS_ID) and not fs.is_masked(DBUS_ID)
    edits: list[ReplaceText | Delete] = []
    if machine_id is not None and text is not None:
        edits.append(ReplaceText(text.span(0, len(text.content)), text.content, ""))
    if own_dbus:
        edits.append(Delete(DBUS_ID))
    keys = fs.glob("/etc/ssh/ssh_host_*_key") + fs.glob("/etc/ssh/ssh_host_*_key.pub")
    return Identity(
        machine_id=machine_id,
        forget_machine_id=tuple(edits),
        dbus_id=WholeFile(DBUS_ID) if own_dbus else None,
        host_keys=tuple(map(WholeFile, sorted(keys))),
        makes_host_keys=bool(cloud_init.runs) or any(fs.exists(path) for path in _KEY_MAKERS),
        leases=_files(fs, _LEASES),
        random_seed=next((WholeFile(path) for path in _SEEDS if fs.is_file(path)), None),
        old_logs=_files(fs, _LOGS),
    )


def _files(fs: GuestFS, patterns: tuple[str, ...]) -> tuple[WholeFile, ...]:
    found = dict.fromkeys(path for pattern in patterns for path in fs.glob(pattern) if fs.is_file(path) and not fs.is_masked(path))
    return tuple(map(WholeFile, list(found)[:MAX_FILES]))
