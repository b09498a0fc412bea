"""Tiny guests for the network: this machine's kernel, udev and network managers in an initramfs, booted with a card and a DHCP server.

The initramfs mounts nothing: udevd names the cards, then the managers of the guest start, as their units would start them. What the cards
are called is printed on the console, what they do is seen by the prover's reader of packets. Guests on the same machine share a boot: each
has its own files, and its cards are found anew, as their driver lets go of them and takes them again.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from guestbuild.debian import cache_dir
from tests import tiny_guest
from tests.facts.guests import Files
from tests.facts.network.oracle import lay
from tests.programs import running
from tests.tiny_guest import TinyGuest, cpio, kernels
from v2vlint.proving.packets import Capture

SECONDS = 20
_GUEST = TinyGuest(
    programs=(
        "/bin/bash", "/bin/mount", "/bin/mkdir", "/bin/sleep", "/bin/ls", "/bin/cat", "/bin/ln", "/bin/chown", "/bin/chmod", "/bin/rm",
        "/bin/sed", "/bin/grep", "/sbin/ip", "/sbin/modprobe", "/lib/systemd/systemd-udevd", "/bin/udevadm",
        "/lib/systemd/systemd-networkd", "/sbin/ifup", "/sbin/ifquery", "/sbin/dhclient", "/sbin/dhclient-script",
        "/usr/sbin/NetworkManager", "/usr/bin/dbus-daemon", "/bin/run-parts", "/bin/mktemp", "/bin/cp", "/bin/mv", "/bin/date",
        "/bin/readlink", "/bin/true",
    ),
    modules=("virtio_pci", "virtio_net", "e1000e", "bridge"),
    data=(
        "/lib/udev/rules.d/50-udev-default.rules", "/lib/udev/rules.d/75-net-description.rules", "/lib/udev/rules.d/80-drivers.rules",
        "/lib/udev/rules.d/80-net-setup-link.rules", "/lib/systemd/network/99-default.link", "/etc/passwd", "/etc/group",
        "/etc/nsswitch.conf", "/usr/share/dbus-1/system.conf", "/etc/dhcp/dhclient.conf",
    ),
    folders=("/usr/share/dbus-1/system.d", "/usr/lib/x86_64-linux-gnu/NetworkManager", "/usr/lib/NetworkManager"),
)  # fmt: skip
_INIT = """#!/bin/bash
export PATH=/sbin:/bin:/usr/sbin:/usr/bin
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
mkdir -p /run/udev /run/network /run/dbus /run/NetworkManager /var/lib/{NetworkManager,dhcp} /tmp
ip link set lo up
/lib/systemd/systemd-udevd --daemon
for module in MODULES; do modprobe $module; done
udevadm trigger --action=add --subsystem-match=pci --subsystem-match=virtio; udevadm settle
dbus-daemon --system --fork --nopidfile
for guest in /guests/*; do
  rm -rf /etc/systemd/network /etc/NetworkManager /etc/network /etc/udev/rules.d
  rm -rf /run/systemd /run/NetworkManager/* /var/lib/NetworkManager/*
  rm -rf /run/network/* /var/lib/dhcp/*
  mkdir -p /etc/network/if-{pre-up,up,down,post-down}.d /etc/systemd /run/systemd
  cp -a $guest/. /
  udevadm control --reload
  for card in /sys/bus/{virtio/drivers/virtio_net,pci/drivers/e1000e}/*[0-9]; do
    [ ! -e $card ] || { echo ${card##*/} > ${card%/*}/unbind; echo ${card##*/} > ${card%/*}/bind; }
  done
  udevadm settle
  echo "BEGIN ${guest##*/}"
  for place in /sys/class/net/*; do
    [ ! -e $place/device ] || echo "CARD ${place##*/} $(cat $place/address)"
  done
  managers=
  [ ! -e /etc/NetworkManager/.on ] || { NetworkManager --debug >/nm.log 2>&1 & managers+=" $!"; }
  [ ! -e /etc/systemd/network/.on ] || { /lib/systemd/systemd-networkd & managers+=" $!"; }
  [ ! -e /etc/network/.on ] || { { ifup -a; ifup --allow=hotplug $(ls /sys/class/net); } & managers+=" $!"; }
  for ((second = 0; second < SECONDS; second++)); do
    sleep 1
    ip -4 -o addr show scope global | grep -q inet && break
  done
  echo > /dev/udp/10.0.2.2/9
  sleep 2
  echo "END ${guest##*/}"
  kill $managers $(cat /run/dhclient*.pid 2>/dev/null) 2>/dev/null; sleep 1
  ip link del br0 2>/dev/null
done
echo DONE
echo o > /proc/sysrq-trigger
sleep 9
"""


@dataclass(frozen=True, slots=True)
class NetCard:
    """A card: QEMU's model, where it is (``3`` is a slot of the root bus, ``port1`` the slot of root port 1), its MAC address."""

    model: str = "virtio-net-pci"
    at: str = "3"
    mac: str = "52:54:00:12:34:56"
    index: int = 0


@dataclass(frozen=True, slots=True)
class NetGuest:
    """A machine and what the guest has: files, the managers that it starts, and arguments of its command line."""

    name: str
    files: Files
    managers: tuple[str, ...]
    machine: str = "pc-i440fx-7.2"
    cards: tuple[NetCard, ...] = (NetCard(),)
    args: str = ""


@dataclass(frozen=True, slots=True)
class NetBoot:
    """What was seen. ``cards`` are pairs of a MAC address and the name that its card got, ``network`` the evidence that it has IPv4."""

    cards: Mapping[str, str] = field(default_factory=dict)
    network: str = ""


def boot(guests: Sequence[NetGuest]) -> list[NetBoot]:
    """Boot ``guests``, which have the same machine, by emulation, and watch their card one after the other."""
    with tempfile.TemporaryDirectory(prefix="netboot-") as folder:
        work = Path(folder)
        command = [*_machine(guests[0], work), "-kernel", str(kernels()[-1]), "-initrd", str(_image(guests, work))]
        command += ["-append", f"console=ttyS0 quiet panic=-1 mitigations=off nokaslr no_timer_check {guests[0].args}"]
        return _watch(command, work / "net.pcap", len(guests))


def _watch(command: list[str], capture: Path, count: int) -> list[NetBoot]:
    """Read the console line by line; what the card sends between BEGIN and END is the guest's."""
    found: list[NetBoot] = []
    cards: dict[str, str] = {}
    begin, console = 24, ""
    with running(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace") as machine:
        for line in machine.stdout or ():
            console = (console + line)[-4000:]
            word, *rest = line.split() or [""]
            if word == "BEGIN":
                cards, begin = {}, capture.stat().st_size
            elif word == "CARD":
                cards[rest[1]] = rest[0]
            elif word == "END":
                found.append(NetBoot(cards, _evidence(capture, begin)))
    assert len(found) == count, console
    return found


def _evidence(capture: Path, begin: int) -> str:
    data = capture.read_bytes()
    seen = Capture()
    seen.feed(data[:24] + data[begin:])
    return seen.traffic.network


def _machine(guest: NetGuest, work: Path) -> list[str]:
    ports = [card for card in guest.cards if card.at.startswith("port")]
    words = [
        "qemu-system-x86_64",
        "-machine",
        guest.machine,
        "-accel",
        "tcg",
        "-cpu",
        "qemu64",
        "-m",
        "512",
        "-nodefaults",
        "-display",
        "none",
    ]
    # The guest's clock counts instructions, so that its waiting takes no time and a busy machine makes it no slower.
    words += ["-serial", "stdio", "-no-reboot", "-icount", "shift=3,sleep=off"]
    for number in range(1, 1 + max((int(card.at[4:]) for card in ports), default=0)):
        words += ["-device", f"pcie-root-port,id=port{number},chassis={number},slot={number},addr={number:#x}"]
    for number, card in enumerate(guest.cards):
        root = "pcie.0" if "q35" in guest.machine else "pci.0"
        at = f"bus={card.at}" if card in ports else f"bus={root},addr={int(card.at):#x}"
        index = f",acpi-index={card.index}" if card.index else ""
        words += ["-netdev", f"user,id=net{number},restrict=on,ipv6=off", "-device"]
        words += [f"{card.model},netdev=net{number},mac={card.mac},romfile=,{at}{index}"]
    return [*words, "-object", f"filter-dump,id=dump0,netdev=net0,file={work}/net.pcap"]


def domain(guest: NetGuest) -> str:
    """The same machine as a libvirt domain."""
    ports = max((int(card.at[4:]) for card in guest.cards if card.at.startswith("port")), default=0)
    buses = "".join(f"<controller type='pci' index='{number}' model='pcie-root-port'/>" for number in range(1, ports + 1))
    root = "<controller type='pci' index='0' model='pcie-root'/>" if "q35" in guest.machine else ""
    cards = "".join(_interface(card) for card in guest.cards)
    return (
        f"<domain type='kvm'><os><type machine='{guest.machine}'>hvm</type></os><devices><disk><target dev='vda'/></disk>"
        f"{root}{buses}{cards}</devices></domain>"
    )


def _interface(card: NetCard) -> str:
    model = card.model.removesuffix("-pci").replace("virtio-net", "virtio")
    bus, slot = (int(card.at[4:]), 0) if card.at.startswith("port") else (0, int(card.at))
    acpi = f"<acpi index='{card.index}'/>" if card.index else ""
    address = f"<address type='pci' bus='{bus:#04x}' slot='{slot:#04x}'/>"
    return f"<interface type='network'><mac address='{card.mac}'/><model type='{model}'/>{acpi}{address}</interface>"


def can_boot() -> bool:
    """Whether this machine has all that the guests are made of."""
    programs = all(Path(path).exists() for path in (*_GUEST.programs, *_GUEST.data))
    return os.geteuid() == 0 and programs and bool(kernels()) and shutil.which("qemu-system-x86_64") is not None


def _image(guests: Sequence[NetGuest], work: Path) -> Path:
    """The common initramfs, then a segment with what each guest has."""
    places = {"networkd": "/etc/systemd/network/.on", "NetworkManager": "/etc/NetworkManager/.on", "ifupdown": "/etc/network/.on"}
    for number, guest in enumerate(guests):
        lay(work / f"tree/guests/{number:03d}", {**guest.files, **{places[name]: "" for name in guest.managers}})
    image = work / "initramfs"
    image.write_bytes(_common().read_bytes() + cpio(work / "tree"))
    return image


@functools.cache
def _common() -> Path:
    """The programs of this machine as an initramfs, made once."""
    release = kernels()[-1].name.removeprefix("vmlinuz-")
    versions = "-".join(str(int(Path(path).stat().st_mtime)) for path in _GUEST.programs)
    code = Path(__file__).read_text() + Path(tiny_guest.__file__).read_text()
    digest = hashlib.sha256((versions + code).encode()).hexdigest()[:12]
    path = cache_dir() / "guests" / f"netboot-{release}-{digest}.cpio"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="netboot-") as folder:
            tree = Path(folder)
            _GUEST.fill(tree, _INIT.replace("MODULES", " ".join(_GUEST.modules)).replace("SECONDS", str(SECONDS)))
            partial = path.with_suffix(f".{os.getpid()}")
            partial.write_bytes(cpio(tree))
            partial.rename(path)
    return path


__all__ = ["NetBoot", "NetCard", "NetGuest", "boot", "can_boot", "domain"]
