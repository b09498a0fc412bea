"""The line of a recipe that wrote what a finding is about: real shapes of each kind, and silence where it is not certain."""

from __future__ import annotations

from pathlib import Path

import pytest

from v2vlint.engine import config
from v2vlint.engine.recipes import MAX_FILE, RecipeFile, load, written
from v2vlint.model.errors import UsageError
from v2vlint.model.finding import Finding, Severity
from v2vlint.model.place import Device, Span, Where, WholeFile
from v2vlint.model.report import Excerpt, FindingReport

KICKSTART = """\
# Rocky 9 for the vSphere cluster
text
network --bootproto=static --device=ens192 --ip=172.16.5.21 --netmask=255.255.255.0 --gateway=172.16.5.1 --onboot=yes
bootloader --location=mbr --append="crashkernel=auto resume=/dev/mapper/rl-swap"
part /boot --fstype=xfs --size=1024
%post
cat >> /etc/fstab <<'EOF'
/dev/sdb1 /srv ext4 defaults 0 2
EOF
%end
"""
PACKER = """\
source "qemu" "web" {
  iso_url      = "https://example.org/debian.iso"
  ssh_username = "root"
}
build {
  provisioner "shell" {
    inline = [
      "mkfs.ext4 /dev/sdb1",
      "echo '/dev/sdb1 /srv ext4 defaults 0 2' >> /etc/fstab",
      "printf '[Match]\\\\nName=ens192\\\\n[Network]\\\\nDHCP=yes\\\\n' > /etc/systemd/network/lan.network",
    ]
  }
}
"""
ANSIBLE = """\
- name: data disk
  ansible.posix.mount:
    path: /srv
    src: /dev/sdb1
    fstype: ext4
    state: present
- name: address
  ansible.builtin.copy:
    dest: /etc/network/interfaces.d/lan
    content: |
      auto eth0
      iface eth0 inet static
        address 192.0.2.5/24
"""
CLOUD_INIT = """\
#cloud-config
mounts:
  - [ /dev/sdb1, /srv, ext4, "defaults", "0", "2" ]
write_files:
  - path: /etc/netplan/60-lan.yaml
    content: |
      network:
        ethernets:
          ens192:
            addresses: [192.0.2.5/24]
"""
MKOSI = "# our disks\n/dev/sdb1 /srv ext4 defaults 0 2\n"
FSTAB = "/dev/sdb1 /srv ext4 defaults 0 2"


def found(where: Where, line: str, *files: tuple[str, str]) -> str:
    """The place that a finding at ``where``, on the guest's ``line``, gets."""
    excerpt = Excerpt(where.path, where.line, (line,)) if isinstance(where, Span) else None
    report = FindingReport(Finding("x-rule", Severity.ERROR, where, "wrong"), "0" * 32, excerpt)
    return str(written(report, [RecipeFile(*file) for file in files]) or "")


def at(path: str, number: int = 3) -> Span:
    """A line of a guest's file."""
    return Span(path, 0, 4, number)


@pytest.mark.parametrize(
    ("where", "line", "file", "place"),
    [
        (at("/etc/fstab"), FSTAB, ("web.ks", KICKSTART), "web.ks:8"),
        (at("/etc/NetworkManager/system-connections/ens192.nmconnection"), "interface-name=ens192", ("web.ks", KICKSTART), "web.ks:3"),
        (at("/etc/NetworkManager/system-connections/x"), "address1=172.16.5.21/24,172.16.5.1", ("web.ks", KICKSTART), "web.ks:3"),
        (at("/etc/default/grub"), 'GRUB_CMDLINE_LINUX="resume=/dev/mapper/rl-swap"', ("web.ks", KICKSTART), "web.ks:4"),
        (at("/etc/fstab"), FSTAB, ("web.pkr.hcl", PACKER), "web.pkr.hcl:9"),
        (at("/etc/systemd/network/lan.network", 2), "Name=ens192", ("web.pkr.hcl", PACKER), "web.pkr.hcl:10"),
        (at("/etc/fstab"), "/dev/sdb1 /srv ext4 defaults,nofail 0 0", ("site.yml", ANSIBLE), "site.yml:4"),
        (at("/etc/network/interfaces.d/lan"), "    address 192.0.2.5/24", ("site.yml", ANSIBLE), "site.yml:13"),
        (at("/etc/fstab"), "/dev/sdb1\t/srv\text4\tdefaults,comment=cloudconfig\t0\t2", ("user-data", CLOUD_INIT), "user-data:3"),
        (at("/etc/netplan/60-lan.yaml", 4), "      addresses: [192.0.2.5/24]", ("user-data", CLOUD_INIT), "user-data:10"),
        (at("/etc/fstab", 2), FSTAB, ("mkosi.extra/etc/fstab", MKOSI), "mkosi.extra/etc/fstab:2"),
        (WholeFile("/etc/netplan/60-lan.yaml"), "", ("user-data", CLOUD_INIT), "user-data:5"),
    ],
)
def test_the_line_that_wrote_it(where: Where, line: str, file: tuple[str, str], place: str) -> None:
    assert found(where, line, file) == place


@pytest.mark.parametrize(
    ("where", "line", "files"),
    [
        (at("/etc/fstab"), "/dev/sdc1 /data xfs defaults 0 2", [("web.ks", KICKSTART)]),
        (at("/etc/fstab"), "/dev/sdb1 /other xfs defaults 0 0", [("web.pkr.hcl", PACKER), ("site.yml", ANSIBLE)]),
        (at("/etc/fstab"), FSTAB, [("a.ks", KICKSTART), ("b.ks", KICKSTART)]),
        (at("/etc/hosts"), "127.0.0.1", [("web.ks", KICKSTART)]),
        (at("/etc/default/grub"), "quiet", [("web.ks", "bootloader --append=quiet\n")]),
        (Device("disk1", "partition table"), "", [("web.ks", KICKSTART)]),
        (at("web.ovf"), "ens192", [("web.ks", KICKSTART)]),
        (at("/etc/fstab"), "/dev/sdb1 / ext4 defaults 0 0", [("web.ks", "# /dev/sdb1 is the data disk\n")]),
        (at("/etc/fstab"), "/dev/sdb1 / ext4 defaults 0 0", [("web.ks", "mkfs /dev/sdb10\n")]),
        (WholeFile("/etc/machine-id"), "", [("web.ks", "if [ -s /etc/machine-id ]; then exit 1; fi\n")]),
    ],
)
def test_what_is_not_certain_is_not_said(where: Where, line: str, files: list[tuple[str, str]]) -> None:
    assert found(where, line, *files) == ""


def _config(folder: Path, text: str) -> config.Config:
    (folder / "v2vlint.toml").write_text(text)
    return config.read(folder / "v2vlint.toml")


def test_files_and_folders_are_read(tmp_path: Path) -> None:
    (tmp_path / "mkosi.extra/etc").mkdir(parents=True)
    (tmp_path / "mkosi.extra/etc/fstab").write_text(MKOSI)
    (tmp_path / "mkosi.extra/logo.png").write_bytes(b"\x89PNG\0")
    (tmp_path / "mkosi.extra/link").symlink_to("/etc/passwd")
    (tmp_path / "web.ks").write_text(KICKSTART)
    (recipe,) = load(_config(tmp_path, '[[recipes]]\nimage = "web*"\nfiles = ["web.ks", "mkosi.extra"]\n'))
    assert recipe.image == "web*"
    assert [(file.path, len(file.text)) for file in recipe.files] == [
        ("web.ks", len(KICKSTART)), ("mkosi.extra/etc/fstab", len(MKOSI)), ("mkosi.extra/logo.png", 0),
    ]  # fmt: skip


def test_recipes_that_cannot_be_read_are_mistakes(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"recipes: no\.ks: no such file"):
        load(_config(tmp_path, '[[recipes]]\nimage = "*"\nfiles = ["no.ks"]\n'))
    (tmp_path / "big.ks").write_bytes(b"x" * (MAX_FILE + 1))
    with pytest.raises(UsageError, match="too much"):
        load(_config(tmp_path, '[[recipes]]\nimage = "*"\nfiles = ["big.ks"]\n'))
    with pytest.raises(UsageError, match="recipes #1: files missing"):
        _config(tmp_path, '[[recipes]]\nimage = "*"\n')


def test_a_configuration_that_was_found_names_recipes_in_its_folder_only(tmp_path: Path) -> None:
    outside = tmp_path / "secret"
    outside.write_text("x")
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "link.ks").symlink_to(outside)
    for name in ("../secret", "link.ks", str(outside)):
        with pytest.raises(UsageError, match="is outside its folder"):
            config.confined(_config(folder, f'[[recipes]]\nimage = "*"\nfiles = ["{name}"]\n'))
