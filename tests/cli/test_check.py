"""``v2vlint check`` as a user meets it: verdicts, exit codes, reports, and every way to use it wrongly."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import BAD_FSTAB, ROOT_UUID, MakeImage, Run

ONLY = ("--select", "fstab-device-name")


def test_a_guest_with_nothing_wrong_passes(v2vlint: Run, images: Path) -> None:
    done = v2vlint("check", *ONLY, str(images / "good.qcow2"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 image · 0 errors, 0 not checked · 1 passed, 0 not applicable" in done.stdout


def test_check_is_the_default_verb_and_findings_are_on_stdout(v2vlint: Run, images: Path) -> None:
    done = v2vlint(*ONLY, "bad.qcow2", cwd=images)
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert "  error    fstab-device-name  /etc/fstab:2:1" in lines
    assert "           -   2 │ /dev/sda /srv ext4 errors=remount-ro 0 1" in lines
    assert f"           +   2 │ UUID={ROOT_UUID} /srv ext4 errors=remount-ro 0 1" in lines


def test_findings_below_the_threshold_do_not_fail(v2vlint: Run, images: Path, tmp_path: Path) -> None:
    (tmp_path / "v2vlint.toml").write_text('[severity]\nfstab-device-name = "warning"\n')
    arguments = (*ONLY, str(images / "bad.qcow2"))
    assert v2vlint(*arguments).returncode == 0
    assert v2vlint(*arguments, "--fail-on", "info").returncode == 1


def test_several_guests_come_in_the_order_given(v2vlint: Run, images: Path) -> None:
    (images / "also.qcow2").write_bytes((images / "bad.qcow2").read_bytes())
    done = v2vlint("-j", "2", "-q", *ONLY, "bad.qcow2", "good.qcow2", "also.qcow2", "bad.qcow2", cwd=images)
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["bad.qcow2", "also.qcow2"]
    assert "3 images" in v2vlint(*ONLY, "-j", "3", "bad.qcow2", "good.qcow2", "also.qcow2", cwd=images).stdout
    (images / "also.qcow2").unlink()


def test_a_folder_is_all_its_images(v2vlint: Run, images: Path) -> None:
    assert "2 images · 1 error" in v2vlint(*ONLY, str(images)).stdout


def test_several_targets_share_one_reading(v2vlint: Run, images: Path) -> None:
    done = v2vlint(*ONLY, "--target", "kvm,vmware", "-t", "azure", "--format", "json", str(images / "bad.qcow2"))
    targets = json.loads(done.stdout)["images"][0]["roots"][0]["targets"]
    status = {target["target"]: target["results"][0]["status"] for target in targets}
    assert status == {"kvm": "fail", "vmware": "pass", "azure": "pass"}


@pytest.mark.parametrize(
    ("name", "content", "code", "words"),
    [
        ("empty.qcow2", b"", 3, "empty"),
        ("noise.img", b"this is not a disk image\n" * 400, 3, "noise.img"),
        ("cut.qcow2", b"QFI\xfb\0\0\0\3" + b"\0" * 20, 3, "cut.qcow2"),
    ],
)
def test_what_is_no_image_is_said_and_exits_with_3(v2vlint: Run, tmp_path: Path, name: str, content: bytes, code: int, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    done = v2vlint(name)
    assert done.returncode == code
    assert words in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert "not checked" in done.stdout


def test_a_truncated_image_is_noticed(v2vlint: Run, images: Path, tmp_path: Path) -> None:
    whole = (images / "bad.qcow2").read_bytes()
    (tmp_path / "half.qcow2").write_bytes(whole[: len(whole) // 2])
    done = v2vlint(*ONLY, "half.qcow2")
    assert done.returncode in (1, 3)
    assert "not checked" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_missing_backing_file_is_named(v2vlint: Run, images: Path, tmp_path: Path) -> None:
    shutil.copy(images / "good.qcow2", tmp_path / "base.qcow2")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", "top.qcow2"], cwd=tmp_path, check=True)
    assert v2vlint(*ONLY, "top.qcow2").returncode == 0
    (tmp_path / "base.qcow2").unlink()
    done = v2vlint(*ONLY, "top.qcow2")
    assert done.returncode == 3
    assert "base.qcow2" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "gone.qcow2"), ("check", "/dev/null"), ("inspect", "gone.vmx"), ("fix", "gone.qcow2"), ("fix", "--diff", "gone.ova"),
        ("fix", "-o", "new.raw", "gone.qcow2"), ("define", "gone.xml"), ("undo", "gone.qcow2"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_the_guests_problem(v2vlint: Run, arguments: tuple[str, ...]) -> None:
    done = v2vlint(*arguments)
    assert done.returncode == 3
    assert arguments[-1] in done.stdout + done.stderr
    assert ("not a file" if arguments[-1] == "/dev/null" else "no such file") in done.stdout + done.stderr


def test_a_path_that_is_not_there_leaves_the_others_alone(v2vlint: Run, images: Path) -> None:
    done = v2vlint(*ONLY, "gone.qcow2", "good.qcow2", "--format", "json", cwd=images)
    gone, good = json.loads(done.stdout)["images"]
    assert done.returncode == 3
    assert gone["problems"][0]["reason"].endswith("no such file or directory")
    assert good["roots"]


@pytest.mark.parametrize(
    ("arguments", "complaint", "hint"),
    [
        (("check",), "v2vlint: no image given", "see 'v2vlint check --help'"),
        (("--nonsense", "x"), "v2vlint: unrecognized arguments: --nonsense", "see 'v2vlint check --help'"),
        (("--unsafe", "x"), "v2vlint: unrecognized arguments: --unsafe", "did you mean --unsafe-fixes? see 'v2vlint check --help'"),
        (("--targte=kvm", "x"), "v2vlint: unrecognized arguments: --targte=kvm", "did you mean --target? see 'v2vlint check --help'"),
        (
            ("--select", "fstab-devise-name", "IMAGE"),
            "v2vlint: unknown rule or group 'fstab-devise-name'",
            "did you mean fstab-device-name",
        ),
        (("--ignore", "zzz*", "IMAGE"), "v2vlint: unknown rule or group 'zzz*'", "'v2vlint rules' lists them"),
        (("--target", "kwm", "IMAGE"), "v2vlint: unknown target 'kwm'", "did you mean kvm? one of any, azure,"),
        (("--target", "kvm,kvm", "IMAGE"), "v2vlint: target 'kvm' is given twice", ""),
        (("--target", "mine.toml", "IMAGE"), "v2vlint: mine.toml: no such file or directory", ""),
        (("--profile", "lax", "IMAGE"), "v2vlint: unknown profile 'lax'", "one of minimal, default, template, strict"),
        (("--mover", "cart", "IMAGE"), "v2vlint: argument --mover: invalid choice: 'cart'", "--help"),
        (("--memory-limit", "lots", "IMAGE"), "v2vlint: not a size: 'lots'", "512MiB"),
        (("--memory-limit", "1M", "IMAGE"), "v2vlint: a memory limit of 1M is too small", "128MiB"),
        (("-j", "0", "IMAGE"), "v2vlint: argument -j/--jobs: not a positive whole number: '0'", "--help"),
        (("--report", "json", "IMAGE"), "v2vlint: --report json: write it as FORMAT=FILE", ""),
        (("--report", "jsn=x", "IMAGE"), "v2vlint: unknown report format 'jsn'", "one of text, csv"),
        (("--report", "json=nowhere/x.json", "IMAGE"), "v2vlint: --report json=nowhere/x.json: no such folder: nowhere", ""),
        (("--key-file", "nokey", "IMAGE"), "v2vlint: key file nokey: no such file or directory", ""),
        (("--baseline", "none.json", "IMAGE"), "v2vlint: none.json: no such file or directory", "create it with 'v2vlint baseline'"),
        (("--config", "none.toml", "IMAGE"), "v2vlint: none.toml: no such file or directory", ""),
    ],
)
def test_wrong_use_is_one_line_and_a_hint(v2vlint: Run, images: Path, arguments: tuple[str, ...], complaint: str, hint: str) -> None:
    done = v2vlint(*(str(images / "good.qcow2") if argument == "IMAGE" else argument for argument in arguments))
    first, *rest = done.stderr.splitlines()
    assert done.returncode == 2
    assert done.stdout == ""
    assert first.startswith(complaint)
    assert len(rest) <= 1
    assert hint in "".join(rest)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("empty",), "v2vlint: empty: a folder without disk images"),
        (("*.qcow2",), "v2vlint: *.qcow2: no file matches"),
        (("--select", "storage", "--ignore", "storage", "IMAGE"), "v2vlint: no rule is left to run"),
    ],
)
def test_what_fits_nothing_exits_with_4(v2vlint: Run, images: Path, tmp_path: Path, arguments: tuple[str, ...], complaint: str) -> None:
    (tmp_path / "empty").mkdir()
    done = v2vlint(*(str(images / "good.qcow2") if argument == "IMAGE" else argument for argument in arguments))
    assert (done.returncode, done.stdout, done.stderr.splitlines()[0]) == (4, "", complaint)


def test_no_argument_at_all_is_help_and_exit_2(v2vlint: Run) -> None:
    done = v2vlint()
    assert done.returncode == 2
    assert done.stderr.startswith("usage: v2vlint [check] IMAGE… [options]")


def test_a_file_that_may_not_be_read_is_said(v2vlint: Run, images: Path, tmp_path: Path) -> None:
    copy = shutil.copy(images / "good.qcow2", tmp_path / "closed.qcow2")
    Path(copy).chmod(0)
    if os.access(copy, os.R_OK):
        pytest.skip("root may read everything")
    done = v2vlint("closed.qcow2")
    assert done.returncode == 3
    assert "permission denied" in done.stdout


def test_limits_reach_the_reader(v2vlint: Run, images: Path) -> None:
    done = v2vlint("--memory-limit", "128M", *ONLY, str(images / "bad.qcow2"))
    assert done.returncode in (1, 3)
    assert "Traceback" not in done.stdout + done.stderr
    done = v2vlint("--time-limit", "1", "--no-config", *ONLY, str(images / "bad.qcow2"))
    assert done.returncode in (1, 3)


def test_several_reports_in_one_run(v2vlint: Run, images: Path, tmp_path: Path) -> None:
    done = v2vlint(*ONLY, "--report", "json=a.json", "--report", "text=b.txt", str(images / "bad.qcow2"))
    assert done.returncode == 1
    assert json.loads((tmp_path / "a.json").read_text())["exit_code"] == 1
    assert (tmp_path / "b.txt").read_text().splitlines()[0].startswith("── ")
    assert "fstab-device-name" in done.stdout


def test_quiet_is_a_line_per_finding(v2vlint: Run, images: Path) -> None:
    done = v2vlint("-q", *ONLY, "bad.qcow2", cwd=images)
    assert done.stdout.startswith("bad.qcow2: error fstab-device-name /etc/fstab:2:1: /srv is mounted from /dev/sda")
    assert done.stdout.count("\n") == 1


def test_a_reader_that_goes_away_is_no_error(images: Path, tmp_path: Path) -> None:
    command = f"{sys.executable} -m v2vlint check --select fstab-device-name {images}/bad.qcow2 --report json=r.json"
    script = f"{command} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr) == ("1\n", "")
    assert json.loads((tmp_path / "r.json").read_text())["summary"]["errors"] == 1


def test_an_ascii_terminal_gets_ascii(v2vlint: Run, images: Path) -> None:
    done = v2vlint(*ONLY, str(images / "bad.qcow2"), env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 1
    assert done.stdout.isascii()
    assert "-> " in done.stdout


def test_a_narrow_terminal_gets_narrow_lines(v2vlint: Run, images: Path) -> None:
    done = v2vlint(*ONLY, "bad.qcow2", env={"COLUMNS": "46"}, cwd=images)
    prose = [line for line in done.stdout.splitlines() if "│" not in line and "fstab-device-name" not in line]
    assert max(map(len, prose)) <= 46


def test_hostile_guest_text_cannot_touch_the_terminal(v2vlint: Run, make_image: MakeImage, tmp_path: Path) -> None:
    evil = "/mnt/\x1b[31m\x07\x9b2J\u202eevil\udcff[red]\x00::error::x"
    fstab = BAD_FSTAB + f"/dev/sdb1 {evil} ext4 defaults 0 2\n"
    make_image(
        tmp_path / "evil.qcow2",
        {"/etc/fstab": fstab, "/etc/hostname": "\x1b]0;owned\x07\n", "/etc/os-release": 'ID=debian\nNAME="\x1b[2J"\n'},
    )
    for shape in ("text", "json"):
        done = v2vlint("--format", shape, "evil.qcow2", cwd=tmp_path)
        assert done.returncode == 1
        assert not {char for char in done.stdout if not char.isprintable() and char != "\n"}
        assert "[red]" in done.stdout
        assert "::error::x" in done.stdout


def test_a_hostile_image_name_cannot_touch_the_terminal(v2vlint: Run, images: Path, tmp_path: Path) -> None:
    name = "\x1b[31m\n::error::x.qcow2"
    shutil.copy(images / "bad.qcow2", tmp_path / name)
    done = v2vlint(*ONLY, name)
    assert done.returncode == 1
    assert "\x1b" not in done.stdout
    assert "── \\x1b[31m\\n::error::x.qcow2 " in done.stdout
    assert "\x1b" not in v2vlint(f"{name}.gone").stderr


def test_a_guest_forecast_to_stop_fails_even_where_no_rule_says_why(v2vlint: Run, images: Path) -> None:
    """The image has no boot loader at all."""
    ignored = v2vlint("--ignore", "no-boot-loader", "good.qcow2", cwd=images)
    assert ignored.returncode == 1
    assert "error    forecast" in ignored.stdout
    assert "forecast" not in v2vlint("--ignore", "no-boot-loader,forecast", "-q", "good.qcow2", cwd=images).stdout
    assert "The boot is forecast to stop" in v2vlint("explain", "forecast").stdout


def test_a_runner_finds_no_command_in_the_text(v2vlint: Run, make_image: MakeImage, tmp_path: Path) -> None:
    make_image(tmp_path / "evil.qcow2", {"/etc/fstab": "# x\n/dev/sda /srv ext4 x##[add-mask]a,y##vso[task.setvariable]b 0 1\n"})
    found = [line for line in v2vlint(*ONLY, "evil.qcow2").stdout.splitlines() if "add-mask" in line]
    assert found
    assert all(r"#\x23[add-mask]a,y#\x23vso[task" in line and "##" not in line for line in found)


@pytest.mark.parametrize(
    "text", ["# all\r\n\r\ngood.qcow2\r\n  bad.qcow2  \r\n./good.qcow2\r\n", "good.qcow2\0bad.qcow2\0", "\ufeffgood.qcow2\nbad.qcow2"]
)
def test_a_list_on_stdin_is_read_however_it_is_written(v2vlint: Run, images: Path, text: str) -> None:
    done = v2vlint("check", *ONLY, "-", "gone.qcow2", "--format", "json", cwd=images, text=text)
    assert done.returncode == 1
    assert [image["name"] for image in json.loads(done.stdout)["images"]] == ["good.qcow2", "bad.qcow2", "gone.qcow2"]
