"""Measure fixing: a text-only fix against a bare libguestfs launch, the initramfs repair against the guest's own tool in virt-customize.

``bench/fix.py [--output FILE] [--skip-rebuild]``. Everything runs without KVM on the same machine, one after the other, on copies of real
Debian guests from the cache. The rebuild (``virt-customize --run-command 'update-initramfs -u'``) is run once: it takes minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "sample-guests"))

from guestbuild.debian import Spec, build  # noqa: E402
from guestbuild.samples import cached  # noqa: E402

EMULATED = {**os.environ, "LIBGUESTFS_BACKEND": "direct", "LIBGUESTFS_BACKEND_SETTINGS": "force_tcg"}


def timed(*words: str | Path, good: tuple[int, ...] = (0,)) -> float:
    """Seconds one command takes; RuntimeError when it fails."""
    start = time.monotonic()
    done = subprocess.run(list(map(str, words)), env=EMULATED, capture_output=True, text=True, check=False)
    if done.returncode not in good:
        raise RuntimeError(f"{words[0]} exited {done.returncode}: {done.stderr.strip()[-500:]}")
    return time.monotonic() - start


def fix(image: Path) -> tuple[float, str]:
    """Seconds of ``v2vlint --fix`` and its own split of them."""
    start = time.monotonic()
    words = [sys.executable, "-m", "v2vlint", "--fix", "--no-config", str(image)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    split = next((line for line in done.stdout.splitlines() if " fixed in " in line), "")
    if not split:
        raise RuntimeError(f"nothing was fixed: {done.stdout[-500:]}{done.stderr[-500:]}")
    return time.monotonic() - start, split.partition("(")[2].rstrip(")")


def rows(folder: Path, rebuild: bool) -> list[tuple[str, float, str]]:
    """What was measured: name, seconds, remark."""
    (text,) = (shutil.copy(image, folder / "text.qcow2") for image in cached("debian-vmware-desktop"))
    lean = Path(shutil.copy(build(Spec(modules="list")), folder / "lean.qcow2"))
    other = Path(shutil.copy(lean, folder / "other.qcow2"))
    timed("guestfish", "-a", text, "run")
    launch = timed("guestfish", "-a", text, "run")
    spent, split = fix(Path(text))
    found = [("bare libguestfs launch", launch, ""), ("v2vlint --fix, text only", spent, f"{spent / launch:.2f} × the launch: {split}")]
    spent, split = fix(lean)
    found.append(("v2vlint --fix, initramfs repair", spent, split))
    if rebuild:
        command = "printf 'virtio_blk\\nvirtio_pci\\n' >> /etc/initramfs-tools/modules; update-initramfs -u -k all"
        slow = timed("virt-customize", "-q", "-a", other, "--run-command", command)
        found.append(("virt-customize, update-initramfs", slow, f"{slow / spent:.1f} × the repair"))
    return found


def main() -> int:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=HERE / "fix.md")
    parser.add_argument("--skip-rebuild", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="v2vlint-bench-") as name:
        measured = rows(Path(name), not args.skip_rebuild)
    lines = [f"| {name} | {seconds:.1f} s | {remark} |" for name, seconds, remark in measured]
    version = json.dumps(subprocess.run(["guestfish", "--version"], capture_output=True, text=True, check=True).stdout.strip())
    head = [
        "# Fixing, measured",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} CPUs ({platform.machine()}), no KVM, {version[1:-1]}. Written by `bench/fix.py`.",
        "",
        "| what | wall time | |",
        "| --- | --- | --- |",
    ]
    args.output.write_text("\n".join([*head, *lines, ""]), "utf-8")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
