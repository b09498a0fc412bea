"""Debian's own systemd as an oracle: it boots in a container with the guest's fstab and units, and says which targets it reached.

In a container there is no udev, so a unit that waits for a device fails at once instead of after 90 seconds. The fstab generator ignores
devices in containers: it runs outside, in a mere chroot, and the container's one hands out what that wrote.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from guestbuild.debian import Spec, cache_dir, package_set
from tests.trees import locked, overlay
from v2vlint.model.rule import Link

MASKED = Link("/dev/null")
_GENERATORS = Path("usr/lib/systemd/system-generators")
_REPORT = """\
[Unit]
DefaultDependencies=no
After=emergency.target rescue.target multi-user.target
Conflicts=shutdown.target
[Service]
Type=oneshot
ExecStart=/bin/sh /report
StandardOutput=null
"""
_SCRIPT = """\
for round in 1 2 3 4 5 6 7 8 9 10 11 12; do
    sleep 0.3
    systemctl -q is-active emergency.target basic.target rescue.target && break
done
systemctl list-units --all --plain --no-legend --full > /result
systemctl exit 0 || kill -s RTMIN+4 1
"""
_HAND_OUT = "#!/bin/sh\ncp -a /made/normal/. $1/; cp -a /made/early/. $2/; cp -a /made/late/. $3/\n"


@dataclass(frozen=True)
class Cell:
    """One combination. A device that exists is mounted as tmpfs: a container has no others."""

    fstab: str
    files: Mapping[str, str | Link] = field(default_factory=dict)
    cmdline: str = ""


@functools.cache
def tree() -> Path:
    """Debian's files without kernels and documentation, unpacked once into the cache. An unpacking that was cut short is begun again."""
    archive = package_set(Spec())
    folder = cache_dir() / "nspawn" / archive.name.partition(".")[0]
    with locked(folder):
        if not folder.exists():
            partial = folder.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            left_out = [f"--exclude=./{path}" for path in ("usr/share/doc", "usr/share/locale", "boot/*", "usr/lib/modules", "dev/*")]
            subprocess.run(["tar", "-C", partial, *left_out, "-xf", archive], check=True)
            for name in ("systemd-gpt-auto-generator", "systemd-getty-generator"):
                (partial / _GENERATORS / name).unlink()
            partial.rename(folder)
    return folder


def reached(cell: Cell) -> str:
    """``up``, ``emergency``, ``nothing`` (neither services nor a shell), or ``frozen``: the default target cannot be started at all."""
    with overlay(tree()) as root:
        _lay_out(root, cell)
        _generate(root, cell)
        command: list[str | Path] = [
            "systemd-nspawn",
            "-q",
            "-b",
            "-D",
            root,
            "--register=no",
            "--keep-unit",
            "--console=pipe",
            *cell.cmdline.split(),
        ]
        subprocess.run(["timeout", "-k", "5", "90", *command], capture_output=True, stdin=subprocess.DEVNULL, check=False)
        result = root / "result"
        if not result.exists():
            return "frozen"
        units = {words[0]: words[2] for line in result.read_text().splitlines() if len(words := line.split()) > 3}
    if units.get("emergency.target") == "active":
        return "emergency"
    return "up" if "active" in (units.get("basic.target"), units.get("rescue.target")) else "nothing"


def _lay_out(root: Path, cell: Cell) -> None:
    report = "/etc/systemd/system/report.service"
    links = {f"/etc/systemd/system/{name}.target.wants/report.service": Link(report) for name in ("emergency", "rescue", "multi-user")}
    for path, content in {
        "/etc/fstab": cell.fstab,
        "/etc/machine-id": "",
        report: _REPORT,
        "/report": _SCRIPT,
        **links,
        **cell.files,
    }.items():
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        if isinstance(content, Link):
            place.symlink_to(content.target)
        else:
            place.write_text(content)


def _generate(root: Path, cell: Cell) -> None:
    for name in ("normal", "early", "late"):
        (root / "made" / name).mkdir(parents=True)
    environment = ["env", "-i", "SYSTEMD_IN_INITRD=0", f"SYSTEMD_PROC_CMDLINE={cell.cmdline}"]
    inside: list[str | Path] = ["unshare", "-m", "-p", "-f", f"--mount-proc={root / 'proc'}", "chroot", root, *environment]
    generator = _GENERATORS / "systemd-fstab-generator"
    subprocess.run([*inside, f"/{generator}", "/made/normal", "/made/early", "/made/late"], capture_output=True, check=False)
    (root / generator).unlink()
    (root / generator).write_text(_HAND_OUT)
    (root / generator).chmod(0o755)


def available() -> bool:
    """Whether containers can be started here: as root, with an overlay filesystem."""
    if not shutil.which("systemd-nspawn"):
        return False
    try:
        with overlay(tree()):
            return True
    except (subprocess.CalledProcessError, OSError):
        return False
