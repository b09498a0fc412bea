"""What is given away: a wheel with everything in it, URLs of where it was built, a Debian package."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.fixture(scope="module")
def urls() -> ModuleType:
    """hatch_build.py, which is no part of any package."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("remote", "home"),
    [
        ("https://git.example.org/team/v2vlint.git", "https://git.example.org/team/v2vlint"),
        ("https://user:secret@git.example.org/team/v2vlint", "https://git.example.org/team/v2vlint"),
        ("git@git.example.org:team/v2vlint.git", "https://git.example.org/team/v2vlint"),
        ("/srv/git/v2vlint", ""),
        ("../v2vlint", ""),
    ],
)
def test_the_urls_are_those_of_the_remote(urls: ModuleType, tmp_path: Path, remote: str, home: str) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text(f'[core]\n\tbare = false\n[remote "origin"]\n\turl = {remote}\n\tfetch = x\n\tfetch = y\n')
    assert urls.from_remote(tmp_path) == home


def test_every_pin_is_within_its_bound() -> None:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    lines = (ROOT / "ci" / "constraints.txt").read_text("utf-8").splitlines()
    pins = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines if not line.startswith("#"))}
    for need in map(Requirement, PROJECT["dependencies"]):
        assert need.specifier.contains(pins[canonicalize_name(need.name)]), need


def test_only_a_junit_report_needs_the_library_of_junit() -> None:
    code = "import sys, v2vlint.cli.check, v2vlint.report.registry as r; r.renderer('sarif'); print({'junit_xml', 'six'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.slow
def test_the_wheel_has_schemas_manual_page_and_urls(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    environment = {"PATH": "/usr/bin:/bin", "V2VLINT_URL": "https://git.example.org/team/v2vlint/"}
    subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(next(name for name in names if name.endswith("/METADATA"))).decode()
    schemas = {f"v2vlint/schema/{path.name}" for path in (ROOT / "src/v2vlint/schema").glob("*.json")}
    assert len(schemas) >= 2
    assert schemas < set(names)
    assert any(name.endswith("share/man/man1/v2vlint.1") for name in names)
    assert "Project-URL: Issues, https://git.example.org/team/v2vlint/issues\n" in metadata


@pytest.mark.truth
@pytest.mark.skipif(not shutil.which("lintian") or not shutil.which("dh"), reason="debhelper or lintian is not installed")
def test_the_debian_package_builds_and_runs(tmp_path: Path) -> None:
    source = tmp_path / "v2vlint"
    shutil.copytree(ROOT, source, symlinks=True, ignore=shutil.ignore_patterns(".venv", "build", ".git", ".*_cache", "__pycache__"))
    subprocess.run(["dpkg-buildpackage", "-b", "-us", "-uc"], cwd=source, check=True, capture_output=True)
    (changes,), (package,) = tmp_path.glob("*.changes"), tmp_path.glob("v2vlint_*.deb")
    subprocess.run(["lintian", "--fail-on", "error", str(changes)], cwd=tmp_path, check=True)
    subprocess.run(["dpkg-deb", "--extract", str(package), str(tmp_path / "root")], check=True)
    site = next((tmp_path / "root/usr/lib/v2vlint/lib").glob("python3*/site-packages"))
    command = ["/usr/bin/python3", "-c", f"import sys; sys.path.insert(0, {str(site)!r}); import v2vlint.cli.main as m; sys.exit(m.main())"]
    told = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin"})
    assert told.stdout.startswith("v2vlint ")
    assert "dissect.ntfs" in (tmp_path / "root/usr/share/doc/v2vlint/README.Debian").read_text("utf-8")
