"""Labels of files, by the policy as libselinux reads it, and on a real filesystem."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from tests.disk.images import ext, open_paths, run
from tests.facts.guests import Files, fact
from v2vlint.disk.filesystems.node import Kind
from v2vlint.facts.environment.file_contexts import FileContexts
from v2vlint.facts.environment.selinux_labels import SelinuxLabels
from v2vlint.facts.registry import FactStore
from v2vlint.facts.syntax.path_regex import literal_prefix, matches
from v2vlint.fixing.direct.label import SUFFIXES, labels
from v2vlint.fixing.direct.terms import Declined
from v2vlint.model.blocks import BlockTable
from v2vlint.model.errors import FactUnavailable, Unsupported
from v2vlint.model.finding import Mover
from v2vlint.samples.boot import sample_boot
from v2vlint.target import load

FOLDER = "/etc/selinux/targeted/contexts/files/file_contexts"
CONTEXTS = r"""
# by refpolicy, with what is odd in it
/.*	system_u:object_r:default_t:s0
/	-d	system_u:object_r:root_t:s0
/etc(/.*)?	system_u:object_r:etc_t:s0
/etc/shadow.*	--	system_u:object_r:shadow_t:s0
/etc/passwd[-+]?	--	system_u:object_r:passwd_file_t:s0
/etc/ssh/ssh_host.*_key(\.pub)?	--	system_u:object_r:sshd_key_t:s0
/usr/(.*/)?lib(/.*)?	system_u:object_r:lib_t:s0
/usr/(sbin|bin)/.*	--	system_u:object_r:bin_t:s0
/usr/s?bin/sshd	--	system_u:object_r:sshd_exec_t:s0
/usr/lib/.*\.so(\.[^/]*)*	--	system_u:object_r:shlib_t:s0
/var/[lr][ou][gn](/[0-9]{1,3})?	system_u:object_r:var_log_t:s0
/proc	-d	<<none>>
/etc/fstab\.REVOKE	--	system_u:object_r:etc_runtime_t:s0
/etc/hosts	--	system_u:object_r:net_conf_t:s0
/(home|export)/[^/]+	-d	system_u:object_r:user_home_dir_t:s0
/srv(/.*)?	-d	system_u:object_r:srv_t:s0
"""
POLICY: Files = {
    **sample_boot(),
    "/etc/selinux/config": "SELINUX=enforcing\nSELINUXTYPE=targeted\n",
    "/etc/selinux/targeted/policy/policy.33": "",
    "/usr/sbin/load_policy": "",
    "/usr/sbin/fixfiles": "",
    FOLDER: CONTEXTS,
    f"{FOLDER}.homedirs": "/home/[^/]+/\\.ssh(/.*)?\tunconfined_u:object_r:ssh_home_t:s0\n",
    f"{FOLDER}.local": "/etc/motd.*\tsystem_u:object_r:etc_runtime_t:s0\n",
    f"{FOLDER}.subs": "/data /srv\n",
    f"{FOLDER}.subs_dist": "/bin /usr/bin\n/lib /usr/lib\n/lib/systemd /usr/sbin\n",
}
PATHS = (
    "/", "/etc", "/etc/shadow", "/etc/shadow-", "/etc/passwd", "/etc/passwd+", "/etc/hosts", "/etc/hosts.allow", "/etc/motd",
    "/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_rsa_key.pub", "/etc/fstab.REVOKE", "/etc/fstabxREVOKE", "/usr/sbin/sshd", "/usr/bin/ls",
    "/bin/ls", "/lib/libc.so.6", "/lib/systemd/x", "/usr/lib/a/b.so", "/usr/x/lib", "/var/log", "/var/run/12", "/var/run/1234", "/proc",
    "/home/a", "/home/a/.ssh/authorized_keys", "/home/a/b", "/export/b", "/srv", "/opt", "/data", "/data/x", "/database", "/unknown/place",
)  # fmt: skip


def test_the_label_is_that_of_libselinux(tmp_path: Path) -> None:
    contexts = fact(FileContexts, POLICY)
    files = {suffix: str(POLICY[FOLDER + suffix]).encode() for suffix in SUFFIXES}
    try:
        with labels(tmp_path, files) as known:
            wanted = {(path, kind): known.of(path, mode) for path in PATHS for kind, mode in ((Kind.FILE, 0o100644), (Kind.DIR, 0o040755))}
    except Declined as reason:
        pytest.skip(str(reason))
    assert {(path, kind): contexts.label(path, kind) for path, kind in wanted} == wanted
    assert len(set(wanted.values())) > 12


def test_expressions_match_as_others_match_them() -> None:
    draw = random.Random(3)
    counts = ("", "", "*", "+", "?", "{2}", "{1,2}", "{2,}")
    atoms = ("a", "b", "/", ".", r"\.", "[ab]", "[^/]", "[a-c/]", "(a|b/)", "(a(/b)?)", "(?:ab|a)", "(/.*)")
    for _case in range(1500):
        pattern = "".join(draw.choice(atoms) + draw.choice(counts) for _atom in range(draw.randrange(6)))
        text = "".join(draw.choice("ab/.c") for _char in range(draw.randrange(8)))
        expected = re.fullmatch(pattern, text, re.DOTALL) is not None
        assert matches(pattern, text) is expected, (pattern, text)
        assert not expected or text.startswith(literal_prefix(pattern)), (pattern, text)


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        "a)",
        "[a",
        r"\d",
        "a**",
        "*",
        "a{",
        "a{9999}",
        "^a",
        "(?=a)",
        "[[:alpha:]]",
        "(" * 30 + ")" * 30,
        "a" * 2000,
        "a\\",
        "[\u0100-\U000fffff]",
    ],
)
def test_what_is_not_understood_is_said(pattern: str) -> None:
    with pytest.raises(Unsupported):
        matches(pattern, "a")


def test_a_hostile_expression_comes_to_an_end() -> None:
    assert not matches("(a*)*" * 3 + "b", "a" * 200) or pytest.fail("matched")
    with pytest.raises(Unsupported, match="too long"):
        matches("((a?){256}){256}" * 20 + "b", "a" * 250)


def test_labels_on_a_disk(tmp_path: Path) -> None:
    """ext4 without labels, but for those that were set; a file is looked at where links lead to."""
    top = tmp_path / "root"
    for path, content in {
        **POLICY,
        "/etc/passwd": "a:x:1:1::/home/a:/bin/sh\n",
        "/etc/shadow": "",
        "/etc/fstab": "",
        "/usr/lib/os-release": "ID=x\n",
    }.items():
        (top / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (top / path[1:]).write_text(str(content))
    image = ext(tmp_path / "fs", top, "-t", "ext4")
    for path, kind in (("/etc/passwd", "passwd_file_t"), ("/etc/fstab", "user_tmp_t")):
        run("debugfs", "-w", "-R", f"ea_set {path} security.selinux system_u:object_r:{kind}:s0", image)
    root = open_paths(image).roots[0]
    found = FactStore((root.fs, BlockTable(), root.os, load("kvm"), Mover.RAW)).get(SelinuxLabels)
    types = {one.where.path: (one.type, one.wanted) for one in found.files}
    assert types["/etc/passwd"] == ("passwd_file_t", "passwd_file_t")
    assert types["/etc/fstab"] == ("user_tmp_t", "etc_t")
    assert types["/etc/shadow"] == ("", "shadow_t")
    assert found.can_relabel


def test_a_filesystem_without_attributes_is_unknown() -> None:
    with pytest.raises(FactUnavailable, match="extended attributes"):
        fact(SelinuxLabels, POLICY)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"/etc/selinux/config": "SELINUX=permissive\n"}, "permissive"),
        ({FOLDER: None}, "no policy"),
        ({"/etc/selinux/config": ""}, "not configured"),
    ],
)
def test_nothing_is_looked_at_without_need(files: dict[str, str | None], reason: str) -> None:
    changed = {path: content for path, content in {**POLICY, **files}.items() if content is not None}
    found = fact(SelinuxLabels, changed)
    assert not found.files
    assert reason in found.reason
