"""``v2vlint inspect`` and ``v2vlint.open``: real images through the real command, in every format."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import v2vlint as library
from tests.cli.conftest import CLEAN_FSTAB, ROOT_UUID, MakeImage, Run
from tests.disk.images import partitioned
from v2vlint.isolate import Limits
from v2vlint.model.errors import ImageError, UsageError
from v2vlint.samples.regf import make_hive

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "schema" / "machine-1.json").read_text("utf-8"))
STATUS = "Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.2-1\nDescription: a shell\n\n"
FILES = {
    "/etc/fstab": CLEAN_FSTAB,
    "/etc/hosts": "127.0.0.1 localhost\n",
    "/etc/debian_version": "12.5\n",
    "/var/lib/dpkg/status": STATUS,
    "/etc/network/interfaces": "auto eth0\niface eth0 inet static\n  address 192.0.2.5/24\n  gateway 192.0.2.1\n",
    "/etc/inittab": "S0:23:respawn:/sbin/getty -L ttyS0 9600 vt100\n",
    "/etc/modules": "# loaded\nvirtio_net\n",
}


def closed(schema: Any) -> Any:
    """The schema without tolerance for fields it does not name."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(item) for key, item in schema.items()}
    return {"additionalProperties": False, **inner} if inner.get("type") == "object" else inner


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, make_image: MakeImage) -> Path:
    return make_image(tmp_path_factory.mktemp("inspect") / "web.qcow2", FILES)


def test_the_text_is_one_screen(v2vlint: Run, image: Path) -> None:
    done = v2vlint("inspect", "web.qcow2", cwd=image.parent)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) < 24
    assert max(map(len, lines)) <= 80
    assert "   Debian GNU/Linux · web · debian12" in lines
    assert "     installed  1 package, deb with apt" in lines
    assert "     network    eth0: 192.0.2.5/24, via 192.0.2.1 (ifupdown)" in lines
    assert "     log in on  ttyS0" in lines
    assert any(line.split()[:3] == ["/", "disk1", "ext4"] and line.endswith(ROOT_UUID) for line in lines)


@pytest.mark.parametrize("width", ["40", "120"])
def test_the_text_fits_the_terminal(v2vlint: Run, image: Path, width: str) -> None:
    lines = v2vlint("inspect", "web.qcow2", cwd=image.parent, env={"COLUMNS": width}).stdout.splitlines()
    assert max(map(len, lines)) <= int(width)


def test_json_and_yaml_are_the_same_data_of_the_published_shape(v2vlint: Run, image: Path) -> None:
    as_json, as_yaml = (v2vlint("inspect", str(image), "--format", shape).stdout for shape in ("json", "yaml"))
    data, other = json.loads(as_json), yaml.safe_load(as_yaml)
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(data, closed(copy.deepcopy(SCHEMA)), jsonschema.Draft202012Validator)
    del data["machines"][0]["seconds"], other["machines"][0]["seconds"]
    assert data == other
    (system,) = data["machines"][0]["systems"]
    assert [one["name"] for one in system["applications"]] == ["bash"]
    assert system["drivers"] == [{"name": "virtio_net", "role": "network", "where": "/etc/modules:2"}]
    (volume,) = data["machines"][0]["volumes"]
    assert volume["used"] + volume["free"] == volume["size"] == 8 << 20
    assert 0 < volume["free_inodes"] < volume["inodes"]


def test_the_form_of_virt_inspector(v2vlint: Run, image: Path) -> None:
    done = v2vlint("inspect", str(image), "--format", "virt-inspector")
    (system,) = ET.fromstring(done.stdout)
    shown = {child.tag: child.text for child in system if child.text and child.text.strip()}
    wanted = {"root": "/dev/sda", "name": "linux", "distro": "debian", "product_name": "12.5", "major_version": "12", "minor_version": "5",
              "package_format": "deb", "package_management": "apt", "hostname": "web", "osinfo": "debian12"}  # fmt: skip
    assert shown == wanted
    without = v2vlint("inspect", str(image), "--format", "virt-inspector", "--no-applications")
    assert "application" not in without.stdout


def test_output_goes_to_a_file(v2vlint: Run, image: Path, tmp_path: Path) -> None:
    done = v2vlint("inspect", str(image), "-o", str(tmp_path / "out.txt"))
    assert (done.returncode, done.stdout) == (0, "")
    assert "Debian GNU/Linux" in (tmp_path / "out.txt").read_text("utf-8")
    assert v2vlint("inspect", str(image), "-o", str(tmp_path / "no" / "out.txt")).returncode == 2


def test_exit_codes(v2vlint: Run, image: Path, tmp_path: Path) -> None:
    (tmp_path / "blank.img").write_bytes(bytes(1 << 20))
    (tmp_path / "empty").mkdir()
    done = v2vlint("inspect", "blank.img")
    assert done.returncode == 3
    assert "blank: no partition table and no filesystem" in done.stdout
    assert v2vlint("inspect").returncode == 2
    assert v2vlint("inspect", "empty").returncode == 4
    assert v2vlint("inspect", "gone.img").returncode == 3
    broken = v2vlint("inspect", "blank.img", "--format", "virt-inspector")
    assert (broken.returncode, broken.stdout.split()[-1]) == (3, "<operatingsystems/>")
    assert "blank.img: disk1: blank" in broken.stderr


def test_hostile_names_reach_no_terminal(v2vlint: Run, make_image: MakeImage, tmp_path: Path) -> None:
    evil = "\x1b[31mevil\x07\u202e&<b>"
    release = f'ID=debian\nNAME="x"\nPRETTY_NAME="{evil}"\nVERSION_ID=12\n'
    files = {**FILES, "/etc/os-release": release, "/etc/hostname": f"{evil}\n", "/var/lib/dpkg/status": STATUS.replace("a shell", evil)}
    made = make_image(tmp_path / "evil.qcow2", files)
    for shape in ("text", "json", "yaml", "virt-inspector"):
        out = v2vlint("inspect", str(made), "--format", shape).stdout
        assert "evil" in out
        assert not [char for char in out if not char.isprintable() and char != "\n"]
    tree = ET.fromstring(v2vlint("inspect", str(made), "--format", "virt-inspector").stdout)
    assert tree.findtext(".//hostname") == "\\x1b[31mevil\\x07\u202e&<b>"


def test_a_child_over_its_limit_is_a_clear_error(image: Path) -> None:
    with pytest.raises(ImageError, match=r"stopped after 0\.01 s on the clock") as caught:
        _ = library.open(image, limits=Limits(wall=0.01)).machine
    assert caught.value.hint == "raise --time-limit"


def test_the_library(image: Path, tmp_path: Path) -> None:
    machine = library.open(image).machine
    assert machine.booted is machine.systems[0]
    assert (machine.booted.release.osinfo, machine.booted.hostname) == ("debian12", "web")
    bash = machine.booted.application("bash")
    assert bash is not None
    assert bash.full_version == "5.2-1"
    with pytest.raises(ImageError, match="no such file"):
        _ = library.open(tmp_path / "gone.img").machine
    with pytest.raises(UsageError, match="no image"):
        library.open()
    (tmp_path / "blank.img").write_bytes(bytes(1 << 20))
    blank = library.open(tmp_path / "blank.img").machine
    assert (blank.systems, bool(blank.problems)) == ((), True)


@pytest.fixture
def encrypted(tmp_path: Path) -> Path:
    disk = tmp_path / "locked.img"
    disk.write_bytes(bytes(24 << 20))
    words = ["cryptsetup", "luksFormat", "-q", "--type", "luks2", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", str(disk), "-"]
    done = subprocess.run(words, input=b"secret", check=False, capture_output=True)
    if done.returncode:
        pytest.skip(f"cryptsetup: {done.stderr.decode().strip()}")
    return disk


def test_encryption(encrypted: Path) -> None:
    (locked,) = library.open(encrypted).machine.encryption
    assert (locked.type, locked.cipher, locked.kdf, locked.keyslots, locked.opened) == ("LUKS2", "aes-xts-plain64", "pbkdf2", 1, False)
    (opened,) = library.open(encrypted, keys=["secret"]).machine.encryption
    assert opened.opened


SERVER = r"""
[Microsoft\Windows NT\CurrentVersion]
"ProductName"="Windows Server 2022 Standard"
"CurrentMajorVersionNumber"=dword:a
"CurrentMinorVersionNumber"=dword:0
"CurrentBuildNumber"="20348"
"InstallationType"="Server"
"""


def test_windows_on_a_partition(tmp_path: Path, v2vlint: Run) -> None:
    folder = tmp_path / "tree" / "Windows" / "System32" / "config"
    folder.mkdir(parents=True)
    (folder / "SOFTWARE").write_bytes(make_hive(SERVER))
    letter = bytes.fromhex("78563412") + (1 << 20).to_bytes(8, "little")
    (folder / "SYSTEM").write_bytes(
        make_hive(f'[Select]\n"Current"=dword:1\n[MountedDevices]\n"\\\\DosDevices\\\\C:"=hex:{letter.hex(",")}\n')
    )
    part = tmp_path / "fs"
    subprocess.run(["mkfs.vfat", "-C", "-F", "32", str(part), "40000"], check=True, capture_output=True)
    subprocess.run(
        ["mcopy", "-s", "-i", str(part), str(tmp_path / "tree" / "Windows"), "::"], check=True, env={**os.environ, "MTOOLS_SKIP_CHECK": "1"}
    )
    disk = partitioned(tmp_path / "win.img", "label: dos\nlabel-id: 0x12345678\n1 : start=2048, type=7\n", {2048: part}, 48 << 20)
    machine = library.open(disk).machine
    (system,) = machine.systems
    assert (system.release.product_name, system.release.osinfo, system.boots) == ("Windows Server 2022 Standard", "win2k22", True)
    assert [(drive.letter, drive.device) for drive in system.drives] == [("C", "disk1p1")]
    (volume,) = machine.volumes
    assert 0 < volume.used < volume.size
    text = v2vlint("inspect", str(disk)).stdout
    assert "Windows Server 2022 Standard" in text
    assert "drives     C: disk1p1" in text


def test_what_no_system_mounts_is_counted_too(tmp_path: Path) -> None:
    disk = tmp_path / "data.img"
    disk.write_bytes(b"")
    os.truncate(disk, 20 << 20)
    subprocess.run(["mkntfs", "-F", "-q", "-Q", str(disk)], check=True, capture_output=True)
    told = subprocess.run(["ntfscluster", "--info", str(disk)], check=True, capture_output=True, text=True).stdout
    free = next(int(line.split(":")[1]) for line in told.splitlines() if line.startswith("bytes of free space"))
    (volume,) = library.open(disk).machine.volumes
    assert (volume.free, volume.used) == (free, volume.size - free)


VMX = """displayName = "web"\nscsi0.present = "TRUE"\nscsi0:0.present = "TRUE"\nscsi0:0.fileName = "{}"\nvtpm.present = "TRUE"\n"""


@pytest.mark.parametrize("name", ["web.qcow2", "gone.vmdk"])
def test_the_definition_is_told_with_and_without_its_disks(v2vlint: Run, image: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "web.qcow2").symlink_to(image)
    (tmp_path / "web.vmx").write_text(VMX.format(name))
    done = v2vlint("inspect", str(tmp_path / "web.vmx"), "--format", "json", "--allow-folder", str(image.parent))
    data = json.loads(done.stdout)
    jsonschema.validate(data, closed(copy.deepcopy(SCHEMA)), jsonschema.Draft202012Validator)
    (machine,) = data["machines"]
    found = machine["definition"]
    assert (found["name"], found["tpm"], found["disks"][0]["where"], found["path"]) == ("web", True, "web.vmx:4:1", "web.vmx")
    missing = name == "gone.vmdk"
    assert (done.returncode, found["disks"][0]["missing"], bool(machine["systems"])) == (3 if missing else 0, missing, not missing)
    opened = library.open(tmp_path / "web.vmx").machine.definition
    assert opened is not None
    assert (opened.name, opened.content) == ("web", "")


def test_packages_are_verified_when_asked_for(v2vlint: Run, tmp_path: Path) -> None:
    (tmp_path / "app.ovf").write_text('<Envelope><VirtualSystem id="app"/></Envelope>')
    (tmp_path / "disk.img").write_bytes(b"x")
    (tmp_path / "app.mf").write_text(f"SHA1(disk.img)= {'0' * 40}\n")
    plain, verified = (v2vlint("inspect", str(tmp_path / "app.ovf"), *more).stdout for more in ((), ("--verify-manifest",)))
    assert ("checksum" in " ".join(plain.split()), "disk.img: its checksum is not the one" in " ".join(verified.split())) == (False, True)


def test_domains_of_another_libvirt(v2vlint: Run) -> None:
    done = v2vlint("inspect", "domain:t*", "--connect", "test:///default")
    assert "     defined    test (libvirt)" in done.stdout.splitlines()
    found = library.open("domain:test", connect="test:///default").machine.definition
    assert found is not None
    assert found.memory_mib == 8192
