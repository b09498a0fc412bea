"""Measures ``v2vlint check`` or ``inspect`` against ``virt-inspector`` on the same images in the same run, and writes a Markdown table.

``bench/run.py [IMAGE…] [--verb check|inspect] [--repeat N] [--output FILE]``. Without images: a stock Debian guest from the cache and two
sample guests. Wall time, processor time and peak memory are those of the whole process with all its descendants, as accounted by the kernel
(wait4). The two programs run alternately, after one run each that is not counted; the table has medians. A program that does not end within
``--limit`` seconds is stopped with all its descendants, and not run again on that guest; the table says so. With ``--budget`` no guest is
begun after that many seconds.
"""

from __future__ import annotations

import argparse
import os
import platform
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from v2vlint.accel import acceleration

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "sample-guests"))

from guestbuild.debian import Spec, build  # noqa: E402
from guestbuild.samples import cached  # noqa: E402

NOTES = {
    "check": (
        "`v2vlint check` reads the kernels' modules and the initramfs, judges every rule and forecasts the boot; `virt-inspector` lists",
        "operating system, mount points and applications. Neither does the other's work.",
    ),
    "inspect": (
        "Both write the same XML document: `v2vlint inspect --format virt-inspector` and `virt-inspector --no-icon`. v2vlint has then also",
        "read what that form has no place for: kernels, drivers, initramfs, boot loader, network.",
    ),
}
DOCUMENTED = (6.0, 11.0)
"""Seconds that guestfs-performance(1) gives for a launch on a machine with KVM, and for a launch with an inspection."""
EMULATED = {"LIBGUESTFS_BACKEND": "direct", "LIBGUESTFS_BACKEND_SETTINGS": "force_tcg"}


@dataclass(frozen=True, slots=True)
class Usage:
    """The cost of one run: wall-clock seconds, processor seconds, and MiB at the peak."""

    wall: float
    cpu: float
    memory: float
    ended: bool = True


@dataclass(frozen=True, slots=True)
class Program:
    """A program to measure, and the exit codes that mean success."""

    name: str
    command: tuple[str, ...]
    good: frozenset[int]


def measure(program: Program, images: tuple[Path, ...], environment: Mapping[str, str], limit: float) -> Usage:
    """Run the program once on the disks of one guest, for ``limit`` seconds at most; RuntimeError with its last output when it fails."""
    words = [*program.command, *_arguments(program, images)]
    start = time.monotonic()
    # Its errors go to a file: a descendant that is left would hold a pipe open.
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        ended = _within(process.pid, limit)
        if not ended:
            os.killpg(process.pid, signal.SIGKILL)
        _pid, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip()[-500:]
    if ended and process.returncode not in program.good:
        raise RuntimeError(f"{' '.join(words)} exited {process.returncode}: {said}")
    return Usage(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, ended)


def _within(pid: int, limit: float) -> bool:
    """Whether the process exits within ``limit`` seconds; it stays to be waited for."""
    handle = os.pidfd_open(pid)
    try:
        return bool(select.select([handle], [], [], limit)[0])
    finally:
        os.close(handle)


def _arguments(program: Program, images: tuple[Path, ...]) -> list[str]:
    if program.name == "v2vlint":
        return ["+".join(map(str, images))]
    return [word for image in images for word in ("-a", str(image))]


def compare(
    images: tuple[Path, ...], programs: tuple[Program, ...], environment: Mapping[str, str], repeat: int, limit: float
) -> dict[str, Usage]:
    """The median usage of each program over ``repeat`` alternating runs, after one that does not count."""
    runs: dict[str, list[Usage]] = {program.name: [] for program in programs}
    for number in range(repeat + 1):
        for program in programs:
            if runs[program.name] and not runs[program.name][-1].ended:
                continue
            used = measure(program, images, environment, limit)
            print(f"{program.name} {images[0].name}: {used.wall:.1f} s{'' if used.ended else ', stopped'}", file=sys.stderr, flush=True)
            if number or not used.ended:
                runs[program.name].append(used)
    return {name: _median(used) for name, used in runs.items()}


def _median(runs: list[Usage]) -> Usage:
    wall, cpu, memory = (statistics.median(getattr(run, field) for run in runs) for field in ("wall", "cpu", "memory"))
    return Usage(wall, cpu, memory, all(run.ended for run in runs))


def report(results: Mapping[str, Mapping[str, Usage]], verb: str, repeat: int, kvm: bool) -> Iterator[str]:
    """The lines of the Markdown page."""
    yield f"# v2vlint {verb} against virt-inspector\n"
    appliance = "virt-inspector uses KVM" if kvm else "no usable KVM: virt-inspector's appliance is emulated"
    yield f"{datetime.now(UTC):%Y-%m-%d}, {_machine()}, {appliance}.  "
    yield f"Load average at the end: {os.getloadavg()[1]:.1f}; above the number of cores, wall times are inflated on both sides.  "
    yield f"{_version('v2vlint')}; {_version('virt-inspector')}; Python {platform.python_version()}.  "
    yield f"Medians of {repeat} alternating runs of the whole process, after one that does not count. Written by `make bench`.\n"
    yield "| guest | program | wall s | CPU s | peak MiB | wall, times faster |"
    yield "|---|---|---:|---:|---:|---:|"
    for guest, usages in results.items():
        slowest = max(usage.wall for usage in usages.values())
        for name, used in usages.items():
            wall = f"{used.wall:.2f}" if used.ended else f"stopped after {used.wall:.0f}"
            least = "" if all(usage.ended for usage in usages.values()) else "at least "
            yield f"| {guest} | {name} | {wall} | {used.cpu:.2f} | {used.memory:.0f} | {least}{slowest / used.wall:.1f} |"
    yield ""
    yield from NOTES[verb]
    if verb == "inspect" and not kvm:
        slowest = max(usages["v2vlint"].wall for usages in results.values())
        start, both = DOCUMENTED
        yield f"\nWith KVM, which is not here, guestfs-performance(1) expects the appliance's start to take up to {start:.0f} s, and"
        yield f"start and inspection together up to {both:.0f} s. The slowest run of v2vlint above is {both / slowest:.1f} times"
        yield f"faster than both, {start / slowest:.1f} times faster than the start alone."


def _machine() -> str:
    processor = platform.machine()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    return f"{processor}, {os.cpu_count()} cores, {memory} GiB, Linux {platform.release()}"


def _version(program: str) -> str:
    words = [sys.executable, "-m", "v2vlint", "--version"] if program == "v2vlint" else [program, "--version"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def _guests(images: list[str]) -> dict[str, tuple[Path, ...]]:
    if images:
        return {Path(image.split("+")[0]).name: tuple(map(Path, image.split("+"))) for image in images}
    stock, logical = Spec(), Spec(lvm=True)
    found = {f"Debian 12, {spec.name}": (build(spec, verbose=True),) for spec in (stock, logical)}
    return {**found, **{f"sample guest {name}": cached(name) for name in ("two-disks", "windows-10-vmware")}}


def _programs(verb: str) -> tuple[Program, ...]:
    tool = (sys.executable, "-m", "v2vlint")
    if verb == "inspect":
        own = Program("v2vlint", (*tool, "inspect", "--no-config", "--format", "virt-inspector"), frozenset({0}))
        return own, Program("virt-inspector", ("virt-inspector", "--no-icon"), frozenset({0}))
    # Without the cache, which would answer all runs but the first one.
    own = Program("v2vlint", (*tool, "check", "--no-cache", "--no-config"), frozenset({0, 1}))
    return own, Program("virt-inspector", ("virt-inspector",), frozenset({0}))


def main() -> int:
    """Measure and print, or write, the page."""
    parser = argparse.ArgumentParser(description="Measure v2vlint against virt-inspector.")
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="guests to measure on, disks joined by +")
    parser.add_argument("--verb", choices=tuple(NOTES), default="check", help="what v2vlint does (check)")
    parser.add_argument("--repeat", type=int, default=3, help="runs that count (3)")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds after which a program is stopped (300)")
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds after which no further guest is begun")
    parser.add_argument("--output", type=Path, help="file to write (stdout)")
    options = parser.parse_args()
    if shutil.which("virt-inspector") is None:
        sys.stderr.write("virt-inspector is not installed (see packages.apt)\n")
        return 1
    started, programs = time.monotonic(), _programs(options.verb)
    # Not libguestfs-test-tool: where /dev/kvm is there and does not work, it waits for ten minutes.
    kvm = acceleration().kvm
    environment = {} if kvm else EMULATED
    results: dict[str, dict[str, Usage]] = {}
    for name, disks in _guests(options.images).items():
        if time.monotonic() - started < options.budget:
            results[name] = compare(disks, programs, environment, options.repeat, options.limit)
    text = "\n".join(report(results, options.verb, options.repeat, kvm)) + "\n"
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
