"""Network managers as oracles: they run here in a network namespace of their own, among cards of any name and address.

The cards are ends of veth pairs: the kernel and the managers take them for Ethernet, their driver is ``veth``. /sys is read-only there, so
that nobody waits for udev.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from tests.facts.guests import Files
from v2vlint.facts.network.match import Card
from v2vlint.model.rule import Link

CARDS: Mapping[str, str] = {
    "eth0": "52:54:00:12:34:56", "ens5": "52:54:00:12:34:57", "enp1s0": "00:50:56:9a:bc:01", "lan0": "00:22:48:00:00:01",
}  # fmt: skip
_ISOLATED = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child")
_PRIVATE = """set -e
mount --make-rprivate /
mount -t sysfs -o ro sysfs /sys
mount -t tmpfs tmpfs /run
mount -t proc proc /proc
ip link set lo up
"""


@functools.cache
def can_isolate() -> bool:
    """Whether this machine lets us make namespaces and veth cards."""
    command = ["unshare", "--net", "--mount", "sh", "-c", "mount --make-rprivate / && ip link add one type veth peer name two"]
    return (
        bool(shutil.which("unshare") and shutil.which("ip")) and subprocess.run(command, capture_output=True, check=False).returncode == 0
    )


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skip where a program is missing or namespaces are forbidden."""
    missing = [name for name in programs if shutil.which(name) is None and not Path(name).exists()]
    return pytest.mark.skipif(bool(missing) or not can_isolate(), reason=f"needs {', '.join(missing) or 'namespaces'}")


def card(name: str, mac: str) -> Card:
    """The card as our algebra sees it."""
    return Card((name,), name, ("veth",), at="", mac=mac)


def lay(root: Path, files: Files) -> None:
    """Write the files of a guest below ``root``."""
    for path, content in files.items():
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Link):
            place.symlink_to(content.target)
        else:
            place.write_bytes(content.encode() if isinstance(content, str) else content)
            place.chmod(0o600 if "NetworkManager" in path else 0o644)


def inside(script: str, *arguments: str | Path, cards: Mapping[str, str] = CARDS) -> str:
    """What ``script`` prints in a namespace with these cards. It runs under bash with ``-e``."""
    made = "".join(
        f"ip link add {name} address {mac} type veth peer name peer{number}\nip link set peer{number} up\n"
        for number, (name, mac) in enumerate(cards.items())
    )
    command = [
        "unshare",
        "--net",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "bash",
        "-c",
        "umask 022\n" + _PRIVATE + made + script,  # that of systemd: networkd is a user of its own
        "oracle",
        *map(str, arguments),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


_NETWORKD = """
mkdir -p /run/systemd/netif/{links,leases,lldp}
chown -R systemd-network /run/systemd/netif
for root; do
  mount --bind $root/etc/systemd/network /etc/systemd/network
  mount --bind $root/usr/lib/systemd/network /usr/lib/systemd/network
  mount --bind $root/run/systemd/network /run/systemd/network
  rm -f /run/systemd/netif/links/*
  /lib/systemd/systemd-networkd >$root/log 2>&1 & pid=$!
  for try in $(seq 100); do
    sleep 0.05
    ls /run/systemd/netif/links/* >/dev/null 2>&1 || continue
    total=$(ls /sys/class/net | wc -l)
    ready=$(grep -lE 'ADMIN_STATE=(configur|unmanaged|failed)' /run/systemd/netif/links/* | wc -l)
    [ $ready = $total ] && break
  done
  for name in $(ls /sys/class/net); do
    file=$(sed -n 's/^NETWORK_FILE=//p' /run/systemd/netif/links/$(cat /sys/class/net/$name/ifindex))
    echo $root $name $file
  done
  kill $pid; wait $pid || true
  umount /etc/systemd/network /usr/lib/systemd/network /run/systemd/network
done
"""


def networkd_choices(folder: Path, guests: Iterable[Files]) -> list[dict[str, str]]:
    """For each guest, the .network file that systemd-networkd takes for each card; empty when it takes none."""
    roots = []
    for number, files in enumerate(guests):
        root = folder / str(number)
        for place in ("etc", "usr/lib", "run"):
            (root / place / "systemd/network").mkdir(parents=True)
        lay(root, files)
        subprocess.run(["chmod", "-R", "a+rX", str(root)], check=True)
        roots.append(root)
    lines = [line.split() for line in inside("mkdir -p /run/systemd/network\n" + _NETWORKD, *roots).splitlines()]
    return [{line[1]: (line[2] if len(line) > 2 else "") for line in lines if line[0] == str(root) and line[1] in CARDS} for root in roots]


_NETWORK_MANAGER = """
mount -t tmpfs tmpfs /etc/NetworkManager
mount -t tmpfs tmpfs /var/lib/NetworkManager
mkdir -p /run/dbus /run/NetworkManager /etc/NetworkManager/system-connections
dbus-daemon --system --fork --nopidfile
for root; do
  rm -rf /etc/NetworkManager/* /var/lib/NetworkManager/* /run/NetworkManager/*
  cp -a $root/etc/NetworkManager /etc
  [ ! -d $root/var ] || cp -a $root/var/lib/NetworkManager /var/lib
  chown -R 0:0 /etc/NetworkManager
  NetworkManager --debug >$root/log 2>&1 & pid=$!
  for try in $(seq 150); do
    sleep 0.1
    nmcli -t -f STATE connection show --active 2>/dev/null | grep -q '^activated$' && break
    [ $try -lt 25 ] || [ "$(nmcli -t -f STARTUP general 2>/dev/null)" != started ] || break
  done
  nmcli -t -f DEVICE,NAME connection show --active | sed "s|^|$root:|"
  kill $pid; wait $pid || true
  for name in $(ls /sys/class/net); do ip addr flush dev $name; done
done
"""


_CONF = """[main]
plugins=keyfile
no-auto-default=*
[keyfile]
unmanaged-devices=interface-name:peer*
"""


def network_manager_choices(folder: Path, guests: Iterable[Files], only: str) -> list[dict[str, str]]:
    """For each guest, the id of the profile that NetworkManager activates on the card ``only``, the one there is."""
    roots = []
    for number, files in enumerate(guests):
        root = folder / str(number)
        (root / "etc/NetworkManager/system-connections").mkdir(parents=True)
        lay(root, {"/etc/NetworkManager/NetworkManager.conf": _CONF, **files})
        roots.append(root)
    lines = [line.split(":") for line in inside(_NETWORK_MANAGER, *roots, cards={only: CARDS[only]}).splitlines()]
    return [{line[1]: line[2] for line in lines if line[0] == str(root) and line[1] == only} for root in roots]


_LOADED = """
mount -t tmpfs tmpfs /etc/NetworkManager
mount -t tmpfs tmpfs /var/lib/NetworkManager
mkdir -p /run/dbus /run/NetworkManager
dbus-daemon --system --fork --nopidfile
cp -a $1/etc/NetworkManager /etc
NetworkManager --debug >$1/log 2>&1 & pid=$!
for try in $(seq 200); do
  sleep 0.05
  nmcli -t -f FILENAME connection >$1/loaded 2>/dev/null && [ -s $1/loaded ] && break
done
cat $1/loaded
kill $pid
"""


def network_manager_loads(root: Path) -> set[str]:
    """The profiles below ``root`` that NetworkManager loads, by path; owners and modes are those of the files."""
    lay(root, {"/etc/NetworkManager/NetworkManager.conf": _CONF})
    found = inside(_LOADED, root, cards={"ens5": CARDS["ens5"]}).splitlines()
    return {path for path in found if path.startswith("/etc/")}


_IFUPDOWN = """
mkdir -p /run/network
for root; do
  mount --bind $root/etc/network /etc/network
  for class in auto hotplug; do
    rm -rf /run/state; mkdir /run/state
    ifup --no-act --verbose --all --allow=$class --state-dir=/run/state 2>&1 |
      sed -n "s|^ifup: configuring interface \\([^ ]*\\) .*|$root \\1|p"
  done
  umount /etc/network
done
"""


def ifupdown_choices(folder: Path, guests: Iterable[Files]) -> list[set[tuple[str, str]]]:
    """For each guest, the pairs of a card and the logical interface that ifupdown configures on it at boot."""
    roots = []
    for number, files in enumerate(guests):
        root = folder / str(number)
        for place in ("if-pre-up.d", "if-up.d", "if-down.d", "if-post-down.d"):
            (root / "etc/network" / place).mkdir(parents=True)
        lay(root, files)
        roots.append(root)
    lines = [line.split() for line in inside(_IFUPDOWN, *roots).splitlines()]
    pairs = [(root, *name.partition("=")[::2]) for root, name in lines]
    return [{(card, logical or card) for where, card, logical in pairs if where == str(root) and card in CARDS} for root in roots]


_UDEVADM = """
mkdir -p /run/udev
for root; do
  mount --bind $root/etc/systemd/network /etc/systemd/network
  mount --bind $root/usr/lib/systemd/network /usr/lib/systemd/network
  for name in $(ls /sys/class/net); do
    udevadm test-builtin net_setup_link /sys/class/net/$name 2>/dev/null | sed -n "s|^ID_NET_LINK_FILE=|$root $name |p"
  done
  umount /etc/systemd/network /usr/lib/systemd/network
done
"""


def link_choices(folder: Path, guests: Iterable[Files]) -> list[dict[str, str]]:
    """For each guest, the .link file that udev applies to each card; empty when to none."""
    roots = []
    for number, files in enumerate(guests):
        root = folder / str(number)
        for place in ("etc", "usr/lib"):
            (root / place / "systemd/network").mkdir(parents=True)
        lay(root, files)
        roots.append(root)
    lines = [line.split() for line in inside(_UDEVADM, *roots).splitlines()]
    return [
        {**dict.fromkeys(CARDS, ""), **{name: path for where, name, path in lines if where == str(root) and name in CARDS}}
        for root in roots
    ]
