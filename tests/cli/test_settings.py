"""Configuration, policy and packs through the real command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from v2vlint.model.errors import UsageError
from v2vlint.run.texts import memory, split

ONLY = 'select = ["fstab-device-name"]\n'


def configured(folder: Path, text: str) -> None:
    """Write the configuration of ``folder``."""
    (folder / "v2vlint.toml").write_text(ONLY + text)


def test_a_configuration_is_found_upwards_and_flags_win(v2vlint: Run, images: Path, tmp_path: Path) -> None:
    configured(tmp_path, 'target = "vmware"\n')
    inner = tmp_path / "deep" / "er"
    inner.mkdir(parents=True)
    bad = str(images / "bad.qcow2")
    assert v2vlint(bad, cwd=inner).returncode == 0
    assert v2vlint("--target", "kvm", bad, cwd=inner).returncode == 1
    assert v2vlint("--no-config", "--select", "fstab-device-name", bad, cwd=inner).returncode == 1


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("jobs = x", "v2vlint: {}: not valid TOML: Invalid value (at line 2, column 8)"),
        ("job = 1", "v2vlint: v2vlint.toml: unknown key 'job'"),
        ("[severity]\nfstab-devise = 'info'", "v2vlint: unknown rule 'fstab-devise'"),
        ("[[exceptions]]\nid = 'fstab-devise'\nreason = 'x'", "v2vlint: unknown rule 'fstab-devise'"),
        ("target = 'kwm'", "v2vlint: unknown target 'kwm'"),
        ("target = 'lab'\n[targets.lab]\nextends = 'kvm'\ntitel = 'x'", "v2vlint: target v2vlint.toml: targets.lab: unknown key 'titel'"),
        ("format = 'pdf'", "v2vlint: unknown report format 'pdf'"),
        ("memory-limit = 'big'", "v2vlint: not a size: 'big'"),
        ("baseline = 'none.json'", "v2vlint: {}/none.json: no such file or directory"),
    ],
)
def test_a_wrong_configuration_is_one_line(v2vlint: Run, images: Path, tmp_path: Path, text: str, complaint: str) -> None:
    configured(tmp_path, text)
    done = v2vlint(str(images / "bad.qcow2"))
    expected = complaint.replace("{}/", f"{tmp_path}/").replace("{}", f"{tmp_path}/v2vlint.toml")
    assert (done.returncode, done.stdout, done.stderr.splitlines()[0]) == (2, "", expected)
    assert len(done.stderr.splitlines()) <= 2


def test_severity_exception_and_recipe_reach_the_report(v2vlint: Run, images: Path, tmp_path: Path) -> None:
    configured(
        tmp_path,
        'severity.fstab-device-name = "info"\n[[images]]\nmatch = "bad*"\nrecipe = "packer/bad.pkr.hcl"\n'
        '[[exceptions]]\nid = "fstab-device-name"\nimage = "good*"\nreason = "x"\nexpires = 2999-01-01\n',
    )
    done = v2vlint("--format", "json", "bad.qcow2", "--config", str(tmp_path / "v2vlint.toml"), cwd=images)
    assert done.returncode == 0
    image = json.loads(done.stdout)["images"][0]
    assert image["recipe"] == "packer/bad.pkr.hcl"
    assert image["roots"][0]["targets"][0]["results"][0]["findings"][0]["severity"] == "info"


def test_an_expired_exception_is_a_finding_with_its_place(v2vlint: Run, images: Path, tmp_path: Path) -> None:
    configured(tmp_path, '[[exceptions]]\nid = "fstab-device-name"\nreason = "until spring"\nexpires = 2020-03-01\n')
    done = v2vlint(str(images / "bad.qcow2"))
    assert done.returncode == 1
    assert "warning  exception-expired  v2vlint.toml: exceptions #1" in done.stdout
    assert "expired on 2020-03-01" in done.stdout


def test_a_users_own_target(v2vlint: Run, images: Path, tmp_path: Path) -> None:
    configured(tmp_path, 'target = "lab"\n[targets.lab]\nextends = "vmware"\ntitle = "the lab"\n')
    assert v2vlint(str(images / "bad.qcow2")).returncode == 0
    (tmp_path / "other.toml").write_text('extends = "kvm"\ntitle = "other"\n')
    assert v2vlint("--target", "other.toml", str(images / "bad.qcow2")).returncode == 1


def test_printed_settings_give_the_same_settings(v2vlint: Run, tmp_path: Path) -> None:
    (tmp_path / "known.json").write_text('{"v2vlint_baseline": 1, "findings": []}')
    configured(
        tmp_path,
        'target = ["kvm", "lab"]\nprofile = "strict"\nmemory-limit = "1536MiB"\nbaseline = "known.json"\nreport = ["json=o.json"]\n'
        '[severity]\nfstab-device-name = "info"\n[[exceptions]]\nid = "xorg-*"\nreason = "a \\"quoted\\" \\u00e9"\nexpires = 2030-01-02\n'
        '[[images]]\nmatch = "*"\nrecipe = "r"\n'
        '[targets.lab]\nextends = "kvm"\ntitle = "lab"\nnics = [{ name = "x", any_of = [["e1000"], ["igb"]] }]\n',
    )
    first = v2vlint("check", "--print-config", "-j", "4", "--fail-on", "info")
    assert first.returncode == 0
    again = tmp_path / "again"
    again.mkdir()
    (again / "v2vlint.toml").write_text(first.stdout)
    (again / "known.json").write_text('{"v2vlint_baseline": 1, "findings": []}')
    second = v2vlint("check", "--print-config", cwd=again)
    assert first.stdout.splitlines()[0] == f"# from {tmp_path}/v2vlint.toml"
    assert second.stdout.splitlines()[1:] == first.stdout.splitlines()[1:]
    assert "jobs = 4" in second.stdout


def test_a_third_party_pack_is_found_and_its_crash_is_told(v2vlint: Run, images: Path, tmp_path: Path) -> None:
    pack(tmp_path, "raise ZeroDivisionError('oops')")
    done = v2vlint("--select", "acme-rule", str(images / "good.qcow2"), env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 3
    assert "rule acme-rule failed: ZeroDivisionError: oops" in done.stdout


def test_a_pack_that_cannot_be_loaded_is_named(v2vlint: Run, images: Path, tmp_path: Path) -> None:
    pack(tmp_path, "pass")
    (tmp_path / "acme_pack.py").write_text("import nothing_like_this\n")
    done = v2vlint(str(images / "good.qcow2"), env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 2
    assert done.stderr.startswith("v2vlint: rule pack 'acme' (acme_pack) cannot be loaded: No module named 'nothing_like_this'")


def pack(folder: Path, body: str) -> None:
    """Install a rule pack with one rule whose check does ``body``."""
    info = folder / "acme_pack-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-pack\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[v2vlint.rules]\nacme = acme_pack\n")
    (folder / "acme_pack.py").write_text(
        '"""A pack."""\nimport time\nfrom v2vlint.api import GuestFS, Rule\n\n\nclass AcmeRule(Rule):\n    """Acme."""\n\n'
        f"    def check(self, fs: GuestFS):\n        {body}\n        yield from ()\n"
    )


@pytest.mark.parametrize(
    ("text", "size"),
    [("512M", 512 << 20), ("2GiB", 2 << 30), ("1.5 g", 3 << 29), ("268435456", 268435456), ("1TB", 1 << 40), ("300000KiB", 300000 << 10)],
)
def test_sizes(text: str, size: int) -> None:
    assert memory(text) == size


@pytest.mark.parametrize("text", ["", "x", "-1", "1 2", "1Q", "64M"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError):
        memory(text)


def test_lists_may_be_repeated_and_comma_separated() -> None:
    assert split(["a, b", "c,,"]) == ("a", "b", "c")
    assert split(None) == ()


def test_fix_follows_the_decisions_that_check_follows(v2vlint: Run, images: Path, tmp_path: Path) -> None:
    bad = str(images / "bad.qcow2")
    shown = v2vlint("fix", "--diff", "--unsafe-fixes", "--no-config", "--select", "fstab-device-name", bad).stdout
    title = next(line for line in shown.splitlines() if line.startswith("would ")).removeprefix("would ").partition("  ")[0]
    configured(tmp_path, '[[exceptions]]\nid = "fstab-device-name"\nreason = "it is meant"\n')
    excepted = v2vlint("fix", "--diff", "--unsafe-fixes", bad)
    assert excepted.stdout.splitlines() == [
        f"{bad}: nothing to fix",
        f"not fixed: {title}  [fstab-device-name]  left alone: excepted, it is meant",
    ]
    assert (excepted.returncode, v2vlint(bad).returncode) == (0, 0)
    configured(tmp_path, 'baseline = "known.json"\n')
    assert v2vlint("baseline", "--no-config", "--select", "fstab-device-name", bad, "-o", "known.json").returncode == 0
    known = v2vlint("fix", "--diff", "--unsafe-fixes", bad)
    assert known.stdout.splitlines() == [f"{bad}: nothing to fix", "left alone: 1 finding of the baseline"]
    assert (known.returncode, v2vlint(bad).returncode) == (0, 0)
