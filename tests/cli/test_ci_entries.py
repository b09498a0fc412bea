"""The GitHub Action, the GitLab template and the pre-commit hooks, run as far as they run without those services."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import yaml

from guestbuild.samples import cached

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def load(name: str) -> Any:
    """One of the repository's YAML files."""
    return yaml.safe_load((ROOT / name).read_text("utf-8"))


@pytest.fixture
def runner(tmp_path: Path) -> Path:
    """A runner's folders, with v2vlint installed where the action puts it."""
    for folder in ("temp/v2vlint", "work"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "temp/v2vlint/bin").symlink_to(BIN)
    return tmp_path


def action(runner: Path, inputs: dict[str, str], *steps: str) -> subprocess.CompletedProcess[str]:
    """Run steps of the composite as GitHub's runner does: bash -eo pipefail, expressions resolved into the environment."""
    definition = load("action.yml")
    values = {name: str(entry.get("default", "")) for name, entry in definition["inputs"].items()} | inputs
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment |= {
        "RUNNER_TEMP": str(runner / "temp"),
        "GITHUB_OUTPUT": str(runner / "output"),
        "GITHUB_STEP_SUMMARY": str(runner / "summary"),
    }
    done = None
    for step in definition["runs"]["steps"]:
        if step["name"] not in steps:
            continue
        assert "${{" not in step["run"], "an expression in a script is an injection"
        given = {name: _resolve(text, values) for name, text in step["env"].items()}
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        done = subprocess.run(command, cwd=runner / "work", env=environment | given, capture_output=True, text=True, check=False)
    assert done is not None
    return done


def _resolve(text: str, values: dict[str, str]) -> str:
    if text.startswith("${{ steps.python."):
        return sys.executable
    if text.startswith("${{ github.action_path }}"):
        return text.replace("${{ github.action_path }}", str(ROOT))
    match = re.fullmatch(r"\$\{\{ inputs\.([\w-]+)(?: \|\| github\.action_path)? \}\}", text)
    assert match, text
    return values[match[1]] or (str(ROOT) if "action_path" in text else "")


@pytest.mark.slow
@pytest.mark.parametrize(("sample", "code"), [("debian-portable", 0), ("rhel9-vsphere", 1)])
def test_the_action_checks(runner: Path, sample: str, code: int) -> None:
    image = runner / "work" / "my image.qcow2"
    image.symlink_to(cached(sample)[0])
    inputs = {"images": "my image.qcow2\n", "target": "kvm\nvmware\n", "reports": "sarif=out.sarif\njunit=out.xml\n", "fail-on": "error"}
    done = action(runner, inputs, "Check images")
    assert done.returncode == code, done.stdout + done.stderr
    assert (runner / "output").read_text() == f"exit-code={code}\n"
    assert (runner / "summary").read_text("utf-8").startswith("# v2vlint: ")
    assert done.stdout.startswith("::stop-commands::")
    assert ("\n::error file=my image.qcow2/boot/initramfs" in done.stdout) == bool(code)
    assert json.loads((runner / "work" / "out.sarif").read_text())["runs"][0]["invocations"][0]["exitCode"] == code
    assert ET.parse(runner / "work" / "out.xml").getroot().tag == "testsuites"


def test_inputs_are_no_shell(runner: Path) -> None:
    hostile = '$(touch owned); `touch owned` "; touch owned #\n--version'
    done = action(runner, {"images": hostile, "target": "kvm' ; touch owned"}, "Check images")
    assert done.returncode == 2, done.stdout
    assert not (runner / "work" / "owned").exists()


def test_the_action_installs_its_own_source(runner: Path, tmp_path: Path) -> None:
    python, install = load("action.yml")["runs"]["steps"][:2]
    assert re.fullmatch(r"actions/setup-python@[0-9a-f]{40}", python["uses"]), "a tag can be moved"
    assert install["env"]["V2VLINT_PACKAGE"] == "${{ inputs.package || github.action_path }}"
    assert (ROOT / install["env"]["V2VLINT_PINS"].removeprefix("${{ github.action_path }}/")).is_file()
    syntax = subprocess.run(["bash", "-n", "-c", install["run"]], capture_output=True, check=False)
    assert syntax.returncode == 0


@pytest.mark.slow
def test_the_install_step_gives_a_working_command(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "temp").mkdir()
    done = action(tmp_path, {"images": ""}, "Install v2vlint")
    if done.returncode and "No matching distribution" in done.stderr:
        pytest.skip("the dependencies cannot be had here")
    assert done.returncode == 0, done.stderr
    version = subprocess.run([str(tmp_path / "temp/v2vlint/bin/v2vlint"), "--version"], capture_output=True, text=True, check=False)
    assert version.stdout.startswith("v2vlint ")


@pytest.mark.slow
@pytest.mark.parametrize(("sample", "code"), [("debian-portable", 0), ("rhel9-vsphere", 1)])
def test_the_gitlab_job(tmp_path: Path, sample: str, code: int) -> None:
    job = load("ci/gitlab.yml")[".v2vlint"]
    path = {"PATH": f"{BIN}:{os.environ['PATH']}"}
    variables = {"V2VLINT_IMAGES": str(cached(sample)[0]), "V2VLINT_OPTIONS": "--target kvm --target azure"}
    assert set(variables) < set(job["variables"])
    command = ["sh", "-e", "-c", "\n".join([*job["before_script"], *job["script"]])]
    environment = {**os.environ, **path, **job["variables"], **variables}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    wanted = {job["artifacts"]["reports"]["codequality"], job["artifacts"]["reports"]["junit"], *job["artifacts"]["paths"]}
    assert {path.name for path in tmp_path.iterdir()} == wanted
    issues = json.loads((tmp_path / "gl-code-quality.json").read_text())
    assert bool([issue for issue in issues if issue["severity"] == "blocker"]) == bool(code)


@pytest.mark.slow
def test_the_hooks(tmp_path: Path) -> None:
    hooks = {hook["id"]: hook for hook in load(".pre-commit-hooks.yaml")}
    assert list(hooks) == ["v2vlint", "v2vlint-config"]
    pattern = re.compile(hooks["v2vlint"]["files"])
    names = ("a.qcow2", "b/c.vmdk", "d.vhd", "d.vhdx", "e.ova")
    assert all(pattern.search(name) for name in names)
    assert not any(pattern.search(name) for name in ("qcow2", "a.qcow2.md", "a.img.txt", "avmdk"))
    words = shlex.split(hooks["v2vlint"]["entry"])
    done = subprocess.run(
        [str(BIN / words[0]), *words[1:], str(cached("rhel9-vsphere")[0])], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "initramfs-without-storage-driver" in done.stdout
    words = shlex.split(hooks["v2vlint-config"]["entry"])
    (tmp_path / "v2vlint.toml").write_text('taget = "kvm"\n')
    done = subprocess.run([str(BIN / words[0]), *words[1:]], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "unknown key 'taget'" in done.stderr
    for mistake in ('ignore = ["xorg-bus-idd"]', 'select = ["no-such-rule"]', '[severity]\nno-such-rule = "info"'):
        (tmp_path / "v2vlint.toml").write_text(f"{mistake}\n")
        done = subprocess.run([str(BIN / words[0]), *words[1:]], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, "unknown rule" in done.stderr) == (2, True), mistake


@pytest.mark.parametrize(("package", "said"), [("v2vlint", "is no path and no URL"), ("", "no v2vlint in this image")])
def test_the_gitlab_job_installs_no_name_from_an_index(tmp_path: Path, package: str, said: str) -> None:
    script = "\n".join(load("ci/gitlab.yml")[".v2vlint"]["before_script"])
    environment = {"PATH": "/usr/bin:/bin", "V2VLINT_PACKAGE": package}
    done = subprocess.run(["sh", "-e", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in done.stderr


def test_the_release_is_published_without_a_token() -> None:
    jobs = load(".github/workflows/release.yml")["jobs"]
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    used = [step["uses"] for job in jobs.values() for step in job["steps"] if "uses" in step]
    assert not [name for name in used if not name.startswith("actions/") and not re.search(r"@[0-9a-f]{40}", name)]
    assert "password" not in json.dumps(jobs)
