"""Secrets of a guest are in no report: by their form, by what stands before them, by the file they are in; and what is none stays."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.report.reports import hostile
from v2vlint.model.codec import decode, encode
from v2vlint.model.fix import RegistrySet
from v2vlint.model.registry import sz
from v2vlint.model.report import ImageReport, Problem
from v2vlint.model.secrecy import MASK, hidden, hidden_diff, hidden_lines, without_secrets
from v2vlint.report.registry import FORMATS, renderer

KEY = (
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n"
    "QyNTUxOQAAACBm\n-----END OPENSSH PRIVATE KEY-----"
)
SECRETS = [
    ("root:{}:19700:0:99999:7:::", "$6$rounds=5000$saltsalt$abcdefghijklmnopqrstuvwxyz0123456789./"),
    ("root:{}:19700:0:99999:7:::", "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7"),
    ("root:{}:12345:0:99999:7:::", "ab1cdEFGhijkl"),
    ("+root:{}:12345:0:99999:7:::", "ab1cdEFGhijkl"),
    ("password_pbkdf2 root {}", "grub.pbkdf2.sha512.10000.ABCDEF0123.456789ABCDEF"),
    ("password --md5 {}", "$1$abc$defghijklmnop"),
    ("password {}", "plain-grub-legacy"),
    ("  wpa-psk {}", "my wifi key".replace(" ", "_")),
    ("psk={}", "0123456789abcdef"),
    ('psk="{}"', "my wifi key"),
    ("WPA_PSK='{}'", "my wifi key"),
    ("wep-key0={}", "abcde12345"),
    ("802-11-wireless-security.psk: {}", "abcde12345"),
    ("PrivateKey = {}", "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="),
    ("PresharedKey = {}", "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="),
    ("//srv/x /mnt cifs username=bob,password={},uid=1000 0 0", "hunter2"),
    ("//srv/x /mnt cifs username=bob,pass={} 0 0", "hun,ter2"),
    ("node.session.auth.password = {}", "hunter2"),
    ("linux /vmlinuz rd.iscsi.password={} ro", "hunter2"),
    ("http_proxy=http://bob:{}@proxy:3128/", "hunter2"),
    ("  password: {}", "hunter2"),
    ("  plain_text_passwd: '{}'", "hunter2"),
    ("  - root:{}", "hunter2hunter2"),
    ("    hashed_passwd: {}", "$5$abc$defghijklmnopqrstuvwxyz"),
    ("<AdministratorPassword><Value>{}</Value>", "cABhAHMAcwA="),
    ("  <Value>{}</Value>", "cABhAHMAcwA="),
    ("<Password>{}</Password>", "hunter2"),
    ("<graphics type='vnc' passwd='{}'/>", "hunter2"),
    ('<Property ovf:key="admin_password" ovf:value="{}"/>', "hunter2"),
    ('RemoteDisplay.vnc.password = "{}"', "hunter2"),
    ('"DefaultPassword"="{}"', "hunter2"),
    ("AdminPassword={}", "hunter2"),
    ("aws_secret_access_key = {}", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("key is {}", "AKIAIOSFODNN7EXAMPLE"),
    ("url {}", "ghp_abcdefghijklmnopqrstuvwxyz0123456789"),
    ("Authorization: Bearer {}", "abcdef.ghijkl"),
    ("jwt {}", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc"),
    ("api_key: {}", "abcdef"),
    ("token={}", "abcdef12345"),
]
HARMLESS = [
    "PasswordAuthentication yes", "passwd: files systemd", "passwd:         files sss", "root:x:0:0:root:/root:/bin/bash", "pass: no",
    "root:*:19700:0:99999:7:::", "root:!:19700:0:99999:7:::", "password-echo=no", "keyfile=/etc/keys/root.key", "rd.luks.key=/key",
    "cryptdevice UUID=1-2 /etc/key luks", "psk=", "password=", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI bob@host", "- 10.0.0.1:8080",
    "/dev/sda1 / ext4 defaults 0 1", "iface eth0 inet static", "token=$TOKEN", "https://example.org/a:b@c", "search: 10:20:30", "- eth0:1",
    "UUID=8a1c7f0e-2b34-4f5d-9c3e-1d2f3a4b5c6d / ext4 errors=remount-ro 0 1",
]  # fmt: skip


@pytest.mark.parametrize(("line", "secret"), SECRETS, ids=[line for line, _secret in SECRETS])
def test_a_secret_is_hidden_and_the_rest_stays(line: str, secret: str) -> None:
    text = line.format(secret)
    shown = hidden(text)
    assert secret not in shown
    assert MASK in shown
    assert shown.startswith(line.split("{")[0].rstrip("'\""))
    assert hidden(shown) == shown


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(text: str) -> None:
    assert hidden(text) == text


@given(st.text())
def test_hiding_twice_is_hiding_once(text: str) -> None:
    assert hidden(hidden(text)) == hidden(text)


@pytest.mark.parametrize(("first", "last"), [(0, 2), (0, 3), (0, 4), (1, 2), (1, 4), (2, 4)])
def test_a_private_key_is_hidden_whatever_lines_of_it_are_seen(first: int, last: int) -> None:
    lines = tuple(KEY.split("\n")[first:last])
    shown = "\n".join(hidden_lines("/etc/app/key.pem", lines))
    assert "b3BlbnNzaC1rZXk" not in shown
    assert "QyNTUxOQ" not in shown


def test_secret_files_are_hidden_whole() -> None:
    assert hidden_lines("/etc/ppp/chap-secrets", ("bob * hunter2 *",)) == (MASK,)
    path, rest = "/etc/ppp/chap-secrets", "--- /etc/fstab\n+++ /etc/fstab\n+x\n"
    diff = f"--- {path}\n+++ {path}\n@@ -1 +1 @@\n-bob * hunter2 *\n+bob * hunter3 *\n{rest}"
    assert "hunter" not in hidden_diff(diff)
    assert hidden_diff(diff).endswith(rest)


def _everywhere(secret: str) -> ImageReport:
    """A report that has ``secret`` in every text that comes from a guest, as it leaves the child."""
    (image,) = hostile(secret).images
    image = dataclasses.replace(image, name="disk.qcow2", paths=("disk.qcow2",))
    return decode(ImageReport, without_secrets(encode(image)))


# The hostile report has its text in the middle of others too, where what is known by its place at the start of a line is not.
ANYWHERE = [(line, secret) for line, secret in SECRETS if not line.startswith(("password", "  "))]


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_of_a_report_has_one(name: str) -> None:
    for line, secret in ANYWHERE:
        text = line.format(secret)
        report = dataclasses.replace(hostile(text), images=(_everywhere(text),))
        assert secret not in renderer(name)(report), line


def test_what_a_check_answers_has_none() -> None:
    """The whole way: the child's answer, for a guest whose fstab has a password beside a fault."""
    for line, secret in ANYWHERE:
        assert secret not in json.dumps(encode(_everywhere(line.format(secret))))


def test_a_value_of_the_registry_is_known_by_its_name() -> None:
    edit = RegistrySet("/SOFTWARE", "Microsoft\\Winlogon", "DefaultPassword", sz("hunter2"), sz("hunter1"))
    shown = decode(RegistrySet, without_secrets(encode(edit)))
    assert (str(shown.value), str(shown.expect)) == (f'"{MASK}"', f'"{MASK}"')
    other = RegistrySet("/SOFTWARE", "Microsoft\\Winlogon", "Shell", sz("explorer.exe"), None)
    assert decode(RegistrySet, without_secrets(encode(other))) == other


@pytest.mark.parametrize("name", ["a/bypass-vm.vmdk", "secret.qcow2", "password.vmx"])
def test_the_name_of_a_file_before_a_problem_is_no_secret(name: str) -> None:
    reasons = (f"{name}: a link that leads nowhere", f"{name}: token=hunter22", "psk: hunter22")
    image = dataclasses.replace(_EMPTY, name=name, paths=(name,), problems=tuple(Problem(name, reason) for reason in reasons))
    said = decode(ImageReport, without_secrets(encode(image))).problems
    assert [one.reason for one in said] == [reasons[0], f"{name}: token={MASK}", f"psk: {MASK}"]
    # Only of the operator's own files.
    other = dataclasses.replace(image, name="web", paths=("web.qcow2",))
    assert decode(ImageReport, without_secrets(encode(other))).problems[0].reason != reasons[0]


_EMPTY = ImageReport("", (), "", 0, (), ())
