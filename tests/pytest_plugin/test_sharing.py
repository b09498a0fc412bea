"""Workers share what they read; without a question nothing happens at all; the built wheel works with pytest 8 and 9."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from pytest_v2vlint.cache import SharedCache
from tests.pytest_plugin.guests import place, portable, vsphere

pytest_plugins = ("pytester",)
ROOT = Path(__file__).parents[2]

COUNT_CHILDREN = """
    import os
    from v2vlint import isolate

    real = isolate.run

    def counted(call, limits=isolate.DEFAULT_LIMITS):
        with open(os.environ["CHILDREN"], "a") as log:
            log.write(f"{call.entry}\\n")
        return real(call, limits)

    isolate.run = counted
"""


@pytest.mark.slow
@pytest.mark.xdist_group("pytest_plugin")
def test_two_workers_read_a_guest_once(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    place(pytester.path, "rocky.qcow2", vsphere())
    log = pytester.path / "children"
    monkeypatch.setenv("CHILDREN", str(log))
    pytester.makeconftest(COUNT_CHILDREN)
    pytester.makepyfile("def test_name(v2vlint_guest):\n    assert v2vlint_guest.os.hostname\n    assert len(v2vlint_guest.fstab) == 4")
    result = pytester.runpytest_subprocess("--v2vlint", "rocky.qcow2", "-n2", "--dist", "load")
    alone = pytester.runpytest_subprocess("--v2vlint", "rocky.qcow2")
    assert {**result.parseoutcomes(), "warnings": 0} == {**alone.parseoutcomes(), "warnings": 0}
    assert sorted(log.read_text().split()) == ["v2vlint.engine.questions:answer"] * 2 + ["v2vlint.engine.worker:check"] * 2


def test_an_answer_is_computed_once_and_an_exception_never_kept(tmp_path: Path) -> None:
    first, second = SharedCache(tmp_path / "a"), SharedCache(tmp_path / "a")
    with pytest.raises(ZeroDivisionError):
        first.get(["key"], lambda: 1 // 0)
    assert first.get(["key"], lambda: {"answer": 1}) == {"answer": 1}
    assert second.get(["key"], lambda: {"answer": 2}) == {"answer": 1}
    assert second.get(["other"], lambda: 3) == 3
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700


def test_installed_but_unused_it_changes_nothing(pytester: pytest.Pytester, tmp_path: Path) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_nothing_heavy():
            assert not [name for name in sys.modules if name.split(".")[0] in ("v2vlint", "v2vlint_checks", "dissect", "rich", "yaml")]
        """
    )
    place(pytester.path, "disk.qcow2", Path(__file__))
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'base'}"]
    done = subprocess.run(command, cwd=pytester.path, env=environment, capture_output=True, text=True, check=False)
    assert "1 passed" in done.stdout, done.stdout
    assert [path.name for path in temporary.iterdir()] == []


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "build", "-q", "--wheel", "--outdir", str(folder), str(ROOT)], check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.mark.slow
@pytest.mark.parametrize("version", ["8.0.0", "9.*"])
def test_the_wheel_with_this_pytest(wheel: Path, version: str, tmp_path: Path) -> None:
    """A venv with the wheel and that pytest; everything else comes from the environment of this run."""
    venv, project = tmp_path / "venv", tmp_path / "project"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    python = venv / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    if subprocess.run([*pip, f"pytest=={version}", "pytest-xdist"], capture_output=True, check=False).returncode:
        pytest.skip(f"pytest {version} cannot be had here")
    subprocess.run([*pip, "--no-deps", str(wheel)], check=True, capture_output=True)
    packages = next(venv.glob("lib/python*/site-packages"))
    (packages / "rest.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    project.mkdir()
    place(project, "rocky.qcow2", vsphere())
    place(project, "debian.qcow2", portable())
    (project / "test_guest.py").write_text(
        "import pytest, pytest_v2vlint\n"
        "@pytest.mark.v2vlint(image='debian.qcow2')\n"
        "def test_one(v2vlint_guest):\n"
        f"    assert pytest_v2vlint.__file__.startswith({str(venv)!r})\n"
        "    assert v2vlint_guest.initramfs.has('virtio_blk')\n"
        "    pytest_v2vlint.assert_portable(v2vlint_guest)\n"
    )
    command = [str(python), "-m", "pytest", "--v2vlint=rocky.qcow2", "--v2vlint-select=initramfs-without-storage-driver", "-v", "-n2"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert "3 passed" not in done.stdout
    assert "2 failed, 2 passed" in done.stdout, done.stdout + done.stderr
    assert f"pytest-{version.removesuffix('*')}" in done.stdout
