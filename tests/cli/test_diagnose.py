"""``v2vlint diagnose`` as a user meets it: a log alone, a log with its image, exit codes, JSON, hostile text."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema

from tests.cli.conftest import Run
from tests.schemas import FOLDER

SCHEMA = jsonschema.Draft202012Validator(json.loads((FOLDER / "diagnosis-1.json").read_text("utf-8")))
LOG = """\
[    0.000000] Linux version 6.1.0-18-amd64
[   15.008291] EXT4-fs (vda1): mounted filesystem with ordered data mode.
Welcome to Debian GNU/Linux 12 (bookworm)!
[ TIME ] Timed out waiting for device dev-sda.device - /dev/sda.
[DEPEND] Dependency failed for srv.mount - /srv.
You are in emergency mode. After logging in, type "journalctl -xb"
"""


def test_a_log_and_its_image(v2vlint: Run, images: Path, tmp_path: Path) -> None:
    (tmp_path / "console.log").write_text(LOG)
    done = v2vlint("diagnose", "console.log", str(images / "bad.qcow2"), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert "did not come up at the mounts stage: /dev/sda never appeared" in " ".join(done.stdout.split())
    assert "line 4: [ TIME ] Timed out waiting for device" in done.stdout
    assert "error fstab-device-name  /etc/fstab:2:1" in done.stdout
    assert "+UUID=" in done.stdout
    data = json.loads(v2vlint("diagnose", "console.log", str(images / "bad.qcow2"), "--format", "json", cwd=tmp_path).stdout)
    SCHEMA.validate(data)
    assert data["image"]["findings"][0]["rule"] == "fstab-device-name"
    assert data["image"]["forecast"]["will_boot"] is False


def test_json_and_exit_codes(v2vlint: Run, tmp_path: Path) -> None:
    (tmp_path / "up.log").write_text(LOG.split("[ TIME ]", maxsplit=1)[0] + "guest login: ")
    (tmp_path / "cut.log").write_text(LOG.split("Welcome", maxsplit=1)[0])
    (tmp_path / "other.log").write_text("Dear diary\n")
    (tmp_path / "failed.log").write_text(LOG)
    codes = {name: v2vlint("diagnose", str(tmp_path / f"{name}.log")).returncode for name in ("up", "cut", "other", "failed", "absent")}
    assert codes == {"up": 0, "cut": 3, "other": 4, "failed": 1, "absent": 3}
    data = json.loads(v2vlint("diagnose", str(tmp_path / "failed.log"), "--format", "json").stdout)
    assert (data["stage"], data["decisive"]["line"], data["decisive"]["name"]) == ("mounts", 4, "systemd/device-timeout")
    assert "fstab-device-name" in data["decisive"]["rules"]
    assert data["decisive"]["severity"] == "error"
    SCHEMA.validate(data)
    assert v2vlint("diagnose", "-", "-").returncode == 2


def test_a_log_on_stdin_is_escaped(v2vlint: Run, tmp_path: Path) -> None:
    (tmp_path / "evil.log").write_bytes(b"::error::x\nALERT!  \xe2\x80\xae\x9b31m##vso[x] does not exist.  Dropping to a shell!\n")
    done = v2vlint("diagnose", str(tmp_path / "evil.log"))
    assert done.returncode == 1
    assert not any(char in done.stdout for char in ("\x1b", "\x9b", "\u202e"))
    assert "##vso[" not in done.stdout
