"""No verb writes what a CI runner takes for a command, on either stream, whatever the guest, its files and its image are called."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import MakeImage, Run
from v2vlint.report.escape import Family, without_commands
from v2vlint.report.registry import FORMATS

# GitHub's runner: ActionCommand.TryParseV2 trims the start of a line, TryParse looks anywhere. Azure's agent looks for ##vso[ anywhere,
# and formats lines that start with ##[. TeamCity: https://www.jetbrains.com/help/teamcity/service-messages.html
_COMMANDS = (re.compile(r"^\s*::[\w-]+( .*)?::", re.M), re.compile(r"##\["), re.compile(r"##vso\["), re.compile(r"##teamcity\["))
EVIL = "##vso[task.setvariable variable=PATH]x ##[add-mask]y ##teamcity[message]"
FILES = {
    "/etc/fstab": f"# {EVIL}\n::set-env name=PATH::/tmp\n  ::error file=a::owned\n/dev/sda1 / ext4 {EVIL.replace(' ', ',')} 0 1\n",
    "/etc/os-release": f'ID=debian\nVERSION_ID=12\nPRETTY_NAME="{EVIL} ::error::x"\n',
    "/etc/hostname": f"{EVIL}\n",
    "/etc/network/interfaces": f"auto eth0\niface eth0 inet static\n  address 10.0.0.1\n  # {EVIL}\n::warning ::x\n",
    "/etc/resolv.conf": f"nameserver 127.0.0.1\nsearch {EVIL}\n",
}


def commands(text: str) -> list[str]:
    return [line for line in text.splitlines() if any(command.search(line) for command in _COMMANDS)]


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory, make_image: MakeImage) -> Path:
    folder = tmp_path_factory.mktemp("evil")
    make_image(folder / "plain.img", FILES)
    (folder / "plain.img").rename(folder / "##vso[task.x]##[y]z.img")
    (folder / "broken##[group]x.qcow2").write_bytes(b"QFI\xfb" + bytes(200))
    return folder


@pytest.mark.parametrize(
    "arguments",
    [
        ("check",),
        ("check", "--format", "json"),
        ("check", "--format", "junit"),
        ("check", "--format", "markdown"),
        ("check", "-q"),
        ("fix", "--diff", "--unsafe-fixes"),
        ("inspect",),
        ("inspect", "--format", "json"),
        ("inspect", "--format", "yaml"),
        ("inspect", "--format", "virt-inspector"),
        ("define",),
        ("baseline", "-o", "known.json"),
        ("prove", "--timeout", "1"),
    ],
    ids=" ".join,
)
def test_no_verb_writes_a_command(v2vlint: Run, evil: Path, arguments: tuple[str, ...]) -> None:
    done = v2vlint(*arguments, "##vso[task.x]##[y]z.img", cwd=evil)
    assert commands(done.stdout) == []
    assert commands(done.stderr) == []
    assert done.stdout + done.stderr


@pytest.mark.parametrize("image", ["broken##[group]x.qcow2", "missing##vso[x]"])
def test_no_error_is_one(v2vlint: Run, evil: Path, image: str) -> None:
    done = v2vlint("fix", "--diff", image, cwd=evil)
    assert commands(done.stdout + done.stderr) == []
    assert done.returncode in (3, 4)


def test_documents_say_the_same(v2vlint: Run, evil: Path) -> None:
    image = "##vso[task.x]##[y]z.img"
    as_json = json.loads(v2vlint("inspect", "--format", "json", image, cwd=evil).stdout)
    as_yaml = yaml.safe_load(v2vlint("inspect", "--format", "yaml", image, cwd=evil).stdout)
    assert as_json["machines"][0]["name"] == as_yaml["machines"][0]["name"] == image
    assert EVIL in json.dumps(as_json)
    assert EVIL in json.dumps(as_yaml)
    report = json.loads(v2vlint("check", "--format", "json", image, cwd=evil).stdout)
    assert EVIL.split()[0] in json.dumps(report)


@pytest.mark.parametrize(
    ("family", "read"),
    [("json", json.loads), ("xml", lambda text: "".join(ET.fromstring(f"<a>{text}</a>").itertext())), ("raw", str)],
)
def test_a_spelling_reads_as_what_it_stands_for(family: Family, read: object) -> None:
    assert callable(read)
    text = "##[a] ##vso[b] ## c #[ ##teamcity[x]"
    written = json.dumps(text) if family == "json" else text
    assert read(without_commands(written, family)) == text


def test_what_is_no_command_stays() -> None:
    for text in ("::1 localhost", "a ::error::b", "## heading", "#[cfg]", "C::D::e", "fe80::1%eth0"):
        assert without_commands(text) == text


def test_every_format_has_a_family() -> None:
    from v2vlint.cli.output import family

    assert {name: family(name) for name in FORMATS} == {
        **{
            "text": "text",
            "markdown": "text",
            "csv": "text",
            "github": "raw",
            "json": "json",
            "sarif": "json",
            "gitlab": "json",
            "jsonl": "json",
            "junit": "xml",
            "html": "xml",
            "estate": "xml",
        }
    }
