"""The other verbs: rules, explain, targets, baseline, doctor, and help."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from v2vlint import __version__
from v2vlint.cli.main import VERBS, verb_parser
from v2vlint.engine.packs import load_all
from v2vlint.engine.pages import NOTE, pages

DOCS = Path(__file__).parents[2] / "docs" / "rules"


def test_version(v2vlint: Run) -> None:
    assert v2vlint("--version").stdout == f"v2vlint {__version__}\n"


def test_help_names_every_verb(v2vlint: Run) -> None:
    done = v2vlint("--help")
    assert done.returncode == 0
    for name in VERBS:
        assert f"\n  {name} " in done.stdout
    assert "exit codes: 0 nothing at or above --fail-on" in done.stdout


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_has_help(v2vlint: Run, name: str) -> None:
    done = v2vlint(name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert str(verb_parser(name).description) in " ".join(done.stdout.split())


@pytest.mark.parametrize("name", VERBS)
def test_every_option_is_explained(name: str) -> None:
    for action in verb_parser(name)._actions:
        assert action.help, action.dest


def test_rules_are_listed(v2vlint: Run) -> None:
    done = v2vlint("rules")
    ids = {rule.id for rule in load_all()}
    assert done.returncode == 0
    assert all(f" {name} " in done.stdout for name in ids)
    assert f"{len(ids)} rules" in done.stdout


def test_rules_as_json(v2vlint: Run) -> None:
    (rule,) = json.loads(v2vlint("rules", "--select", "fstab-device-name", "--format", "json").stdout)
    assert rule == {
        "id": "fstab-device-name",
        "group": "storage",
        "title": "An fstab entry names a disk by the kernel's device name.",
        "severity": "error",
        "audience": "default",
        "fixable": True,
        "since": "0.1",
        "pack": "v2vlint",
    }


def test_rule_pages_are_written_and_stale_ones_removed(v2vlint: Run, tmp_path: Path) -> None:
    folder = tmp_path / "docs" / "rules"
    folder.mkdir(parents=True)
    (folder / "gone.md").write_text(f"{NOTE}\nold")
    (folder / "notes.md").write_text("mine")
    done = v2vlint("rules", "--write", "docs/rules")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert {path.name: path.read_text() for path in folder.iterdir()} == {**pages(load_all()), "notes.md": "mine"}
    (tmp_path / "README.md").write_text("mine")
    done = v2vlint("rules", "--write", ".")
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        2, "v2vlint: README.md is there, and was not made by 'v2vlint rules --write'",
    )  # fmt: skip
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["README.md"]
    assert v2vlint("rules", "--write", "/proc/rules").returncode == 2


def test_the_rule_pages_in_docs_are_up_to_date() -> None:
    written = {path.name: path.read_text("utf-8") for path in DOCS.glob("*.md")}
    made = pages(load_all())
    stale = sorted(name for name in written.keys() | made.keys() if written.get(name) != made.get(name))
    assert stale == [], "run 'v2vlint rules --write docs/rules'"


def test_a_rule_page_shows_rule_examples_and_fix() -> None:
    page = pages([rule for rule in load_all() if rule.id == "fstab-device-name"])["fstab-device-name.md"]
    for part in (
        "# fstab-device-name\n",
        "| severity | error |",
        "## Why it matters",
        "## Flagged",
        "```diff\n",
        "+UUID=",
        "## Not flagged",
    ):
        assert part in page


def test_explain_a_rule(v2vlint: Run) -> None:
    done = v2vlint("explain", "fstab-device-name")
    assert done.returncode == 0
    assert done.stdout.startswith("fstab-device-name  error  storage, has a fix\n")
    assert "\nWhy it matters\n" in done.stdout
    assert "For instance (kvm)\n  /etc/fstab:2:1\n    /dev/sda1 /boot" in done.stdout


def test_explain_an_unknown_rule(v2vlint: Run) -> None:
    done = v2vlint("explain", "fstab-devicename")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("v2vlint: unknown rule 'fstab-devicename'\n  hint: did you mean fstab-device-name")


def test_explain_an_error_that_a_rule_foresees(v2vlint: Run) -> None:
    done = v2vlint("explain", "--error", "virt-v2v: error: libguestfs error: augeas parse failure on /etc/fstab")
    assert done.returncode == 0
    assert done.stdout.startswith("rule fstab-malformed foresees this: ")
    assert "v2vlint check --select fstab-malformed IMAGE" in done.stdout


def test_explain_an_error_from_stdin_that_no_rule_foresees(v2vlint: Run) -> None:
    done = v2vlint(
        "explain", "--error", "-", text="[ 1.0]\nvirt-v2v: error: insufficient free space in the conversion server temporary directory\n"
    )
    assert done.returncode == 0
    assert done.stdout.startswith("no single rule foresees this message\n")
    assert "VIRT_V2V_TMPDIR" in done.stdout


def test_explain_an_error_nobody_knows(v2vlint: Run) -> None:
    done = v2vlint("explain", "--error", "the moon is full \x1b[31m")
    assert done.returncode == 4
    assert "this message is not known" in done.stdout


@pytest.mark.parametrize("arguments", [(), ("fstab-device-name", "--error", "x")])
def test_explain_wants_one_thing(v2vlint: Run, arguments: tuple[str, ...]) -> None:
    done = v2vlint("explain", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("v2vlint: give the id of a rule, or --error TEXT")


def test_targets_are_listed_with_the_users_own(v2vlint: Run, tmp_path: Path) -> None:
    (tmp_path / "v2vlint.toml").write_text('[targets.lab]\nextends = "vmware"\ntitle = "the lab"\n')
    done = v2vlint("targets")
    assert done.returncode == 0
    assert "ec2-nitro     Amazon EC2 (Nitro); disks nvme\n" in done.stdout
    assert done.stdout.endswith("lab           the lab; disks sd\n")


def test_one_target_is_shown(v2vlint: Run) -> None:
    done = v2vlint("targets", "hyperv-gen2")
    assert "  firmware    UEFI" in done.stdout
    assert "hv_storvsc+sd_mod" in done.stdout
    assert json.loads(v2vlint("targets", "hyperv-gen2", "--format", "json").stdout)[0]["firmware"] == ["uefi"]
    assert v2vlint("targets", "hyperv").returncode == 2


def test_agents_that_no_rule_knows_are_told(v2vlint: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('extends = "kvm"\nagents = ["quemu"]\n')
    assert "no rule knows the agents quemu" in v2vlint("targets", "mine.toml").stdout
    assert "no rule knows" not in v2vlint("targets", "kvm").stdout


def test_doctor_says_what_works_and_what_its_lack_costs(v2vlint: Run) -> None:
    done = v2vlint("doctor", "--format", "json")
    verdicts = {verdict["piece"]: verdict for verdict in json.loads(done.stdout)}
    assert done.returncode == 0
    assert verdicts["reader process"]["state"] == "ok"
    assert verdicts["dissect.ntfs"]["state"] == "ok"
    assert all(verdict["cost"] for verdict in verdicts.values() if verdict["state"] != "ok")


def test_doctor_misses_programs_that_are_not_there(v2vlint: Run, tmp_path: Path) -> None:
    done = v2vlint("doctor", env={"PATH": str(tmp_path)})
    assert done.returncode == 0
    assert "missing  qemu-img " in done.stdout
    assert "needed for domain:NAME" in done.stdout


def test_a_baseline_silences_what_is_known_and_nothing_else(v2vlint: Run, images: Path, tmp_path: Path) -> None:
    only, bad = ("--select", "fstab-device-name"), str(tmp_path / "fingerprint.qcow2")
    Path(bad).symlink_to(images / "bad.qcow2")
    done = v2vlint("baseline", *only, bad)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "v2vlint-baseline.json: 1 finding known\n"
    done = v2vlint(*only, "--baseline", "v2vlint-baseline.json", bad)
    assert done.returncode == 0
    assert "1 finding known from the baseline" in done.stdout
    (tmp_path / "v2vlint-baseline.json").write_text('{"v2vlint_baseline": 1, "findings": []}')
    assert v2vlint(*only, "--baseline", "v2vlint-baseline.json", bad).returncode == 1


def test_a_baseline_of_what_cannot_be_read_says_so(v2vlint: Run, tmp_path: Path) -> None:
    (tmp_path / "x.img").write_bytes(b"nothing" * 999)
    done = v2vlint("baseline", "x.img", "-o", "b.json")
    assert done.returncode == 3
    assert "x.img: not everything could be read" in done.stderr
    assert v2vlint("baseline", "x.img", "-o", "no/where.json").returncode == 2
    assert v2vlint("baseline").stderr.startswith("v2vlint: no image given")
