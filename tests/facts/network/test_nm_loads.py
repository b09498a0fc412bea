"""Which profiles NetworkManager loads: its own answer, and ours."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.facts.guests import Files, fact
from tests.facts.network.oracle import lay, needs, network_manager_loads
from v2vlint.disk.filesystems.folder import FolderFileSystem
from v2vlint.facts.network.nm_keyfile import NmKeyfiles, parse_nm_keyfiles
from v2vlint.guest.fs import GuestFS

ETC = "/etc/NetworkManager/system-connections"
QUIET = "[ipv4]\nmethod=disabled\n[ipv6]\nmethod=disabled\n"


def profile(more: str = "", rest: str = QUIET, kind: str = "type=ethernet\n") -> str:
    return f"[connection]\nid=x\n{kind}{more}{rest}"


# What each says, and whether NetworkManager loads it.
PROFILES: dict[str, tuple[str, bool]] = {
    "plain": (profile(), True),
    "comment": ("# one\n\n" + profile(), True),
    "semicolon": ("; one\n" + profile(), False),
    "semicolon-key": (profile(";zone=x\n"), True),
    "junk": (profile() + "junk\n", False),
    "before": ("x=1\n" + profile(), False),
    "mark": ("\ufeff" + profile(), False),
    "crlf": (profile().replace("\n", "\r\n"), True),
    "indented": (profile().replace("\n", "\n \t"), True),
    "blank-header": (profile().replace("[connection]", "[connection] "), True),
    "zeros": (profile() + "\0\0\0", True),
    "locale": (profile("interface-name[de]=way-too-long-for-a-card\n"), True),
    "two-names": (profile("interface-name=way-too-long-for-a-card\ninterface-name=ens5\n"), True),
    "two-groups": (profile("interface-name=a b\n") + "[connection]\ninterface-name=ens5\n", True),
    "blank-after-name": (profile("interface-name=ens5 \n"), False),
    "no-name": (profile("interface-name=\n"), False),
    "long-name": (profile("interface-name=way-too-long-for-a-card\n"), False),
    "continued-name": (profile("interface-name=way-too-long-for-a-card\\\n"), True),
    "uuid": (profile("uuid=u-1\n"), False),
    "no-type": (profile(kind=""), False),
    "no-type-but-group": (profile(kind="", rest="[ethernet]\n" + QUIET), True),
    "no-connection": ("[ethernet]\n" + QUIET, True),
    "old-type": (profile(kind="type=802-3-ethernet\n"), True),
    "type-by-case": (profile(kind="type=Ethernet\n"), False),
    "type-and-blank": (profile(kind="type=ethernet \n"), False),
    "method-dhcp": (profile(rest="[ipv4]\nmethod=dhcp\n"), False),
    "method-6-dhcp": (profile(rest="[ipv4]\nmethod=disabled\n[ipv6]\nmethod=dhcp\n"), True),
    "method-by-case": (profile(rest="[ipv4]\nmethod=Auto\n"), False),
    "no-address": (profile(rest="[ipv4]\nmethod=manual\n"), False),
    "address": (profile(rest="[ipv4]\nmethod=manual\naddress1=192.0.2.5/24\n"), True),
    "old-address": (profile(rest="[ipv4]\nmethod=manual\naddresses1=192.0.2.5;24;0.0.0.0;\n"), True),
    "no-ip": (profile(rest=""), True),
    "dot": (profile("interface-name=.\n"), False),
    "percent": (profile("interface-name=eth%d\n"), False),
    "colon": (profile("interface-name=a:b\n"), False),
    "bytes-of-name": (profile("interface-name=ééééééééé\n"), False),
    "open-vswitch": (profile("interface-name=way-too-long-for-a-card\n", "", "type=ovs-bridge\n"), True),
    "empty-type": (profile(kind="type=ethernet\ntype=\n"), False),
    "vertical-tab": ("\v# one\n" + profile(), False),
    "only-ipv6": (profile(rest="[ipv6]\nmethod=disabled\n"), True),
    "unknown-group": (profile() + "[mine]\nx=1\n", True),
}
MODES = {0o600: True, 0o400: True, 0o700: True, 0o000: True, 0o644: False, 0o640: False, 0o604: False, 0o666: False, 0o601: False}


@pytest.mark.parametrize("name", PROFILES)
def test_which_texts_are_profiles(name: str) -> None:
    text, loaded = PROFILES[name]
    found = fact(NmKeyfiles, {f"{ETC}/{name}": text})
    assert (len(found.interfaces), len(found.refused)) == ((1, 0) if loaded else (0, 1))


def guest(root: Path, shadow: int | None) -> NmKeyfiles:
    """A guest on disk with one profile of each mode, one of another owner, and /etc/shadow of this mode."""
    files: Files = {f"{ETC}/{mode:03o}": profile() for mode in MODES} | {f"{ETC}/owner": profile()}
    lay(root, files)
    for mode in MODES:
        (root / f"{ETC[1:]}/{mode:03o}").chmod(mode)
    if shadow is not None:
        (root / "etc/shadow").write_text("root:*:::::::\n")
        (root / "etc/shadow").chmod(shadow)
    return parse_nm_keyfiles(GuestFS({"/": FolderFileSystem(str(root))}))


def paths(found: NmKeyfiles) -> set[str]:
    return {one.where.path for one in found.interfaces}


@pytest.mark.skipif(os.geteuid() != 0, reason="reads files of mode 0")
@pytest.mark.parametrize(("shadow", "told"), [(0o640, True), (0o000, True), (0o600, True), (0o644, False), (None, False)])
def test_modes_count_where_the_passwords_are_private(shadow: int | None, told: bool, tmp_path: Path) -> None:
    found = guest(tmp_path, shadow)
    open_ones = {f"{ETC}/{mode:03o}" for mode, loaded in MODES.items() if not loaded}
    every = {f"{ETC}/{mode:03o}" for mode in MODES} | {f"{ETC}/owner"}
    assert paths(found) == (every - open_ones if told else every)
    assert {one.interface.where.path for one in (found.refused if told else found.exposed)} == open_ones
    assert not (found.exposed if told else found.refused)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file away")
@needs("NetworkManager", "nmcli", "dbus-daemon")
def test_networkmanager_agrees(tmp_path: Path) -> None:
    guest(tmp_path, 0o640)
    lay(tmp_path, {f"{ETC}/{name}": text for name, (text, _loaded) in PROFILES.items()})
    os.chown(tmp_path / f"{ETC[1:]}/owner", 1000, 0)
    ours = paths(parse_nm_keyfiles(GuestFS({"/": FolderFileSystem(str(tmp_path))})))
    assert ours == network_manager_loads(tmp_path)
    assert f"{ETC}/owner" not in ours
