"""Three ways to try damaged input: whole images in confined children, texts in memory under every rule, containers beside qemu-img."""

from __future__ import annotations

import dataclasses
import os
import random
import re
import selectors
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.mutate import damage, damage_text, sum_up, tables
from tests.fuzz.seeds import containers
from v2vlint import target
from v2vlint.confine import Bounds, Grant, confine, lower, tools
from v2vlint.disk.checksums import crc32c
from v2vlint.disk.containers.formats import open_image
from v2vlint.engine import worker
from v2vlint.engine.examples import example_store
from v2vlint.engine.packs import LoadedRule
from v2vlint.engine.protocol import CheckAsk
from v2vlint.engine.run import run_rule
from v2vlint.guest.budget import spending
from v2vlint.model.errors import FactUnavailable, ImageError
from v2vlint.model.finding import Mover
from v2vlint.model.report import ImageReport, Report
from v2vlint.model.rule import Example
from v2vlint.model.source import DiskFile, GuestRef
from v2vlint.report.walk import exit_code

WALL = 120.0
MEMORY = 2 << 30
CPU = 90
MOST = 64 << 20
_BUGS = ("judging it failed", "inspecting it failed", "the forecast failed")


@dataclass
class Tally:
    """How the children ended: by exit code, the limits that stopped some, and what must not be."""

    exits: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    slowest: float = 0.0

    def count(self, how: str) -> None:
        self.exits[how] = self.exits.get(how, 0) + 1


def judge_in_child(paths: tuple[Path, ...], kind: str = "disks") -> tuple[str, float]:
    """``exit 0``, ``exit 1``, ``exit 3``, ``limit``, or anything else, which is wrong; with the seconds that it took.

    The child is forked from this warm process instead of started, and from there does what that of ``v2vlint check`` does.
    """
    reading, writing = os.pipe()
    started = time.monotonic()
    child = os.fork()
    if not child:
        os.close(reading)
        _child(paths, kind, writing)
    os.close(writing)
    said = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(reading, selectors.EVENT_READ)
        while selector.select(max(0.0, WALL - (time.monotonic() - started))):
            data = os.read(reading, 65536)
            if not data:
                break
            said += data
    os.close(reading)
    seconds = time.monotonic() - started
    if seconds >= WALL:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return f"hang after {seconds:.0f} s", seconds
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == -signal.SIGXCPU:
        return "limit", seconds
    return said.decode("utf-8", "replace") if status == 0 and said else f"died with {status}: {said[-500:]!r}", seconds


def _child(paths: tuple[Path, ...], kind: str, channel: int) -> None:
    import resource
    import traceback

    try:
        lower(resource.RLIMIT_AS, MEMORY)
        lower(resource.RLIMIT_CPU, CPU)
        confine(Grant(tuple({str(path.parent) for path in paths})))
        ask = CheckAsk(GuestRef(paths[0].name, kind, tuple(map(str, paths))), (target.load("kvm"),))
        said = _ended(worker.judge_guest(ask)[0].image)
    except MemoryError:
        said = "limit"
    except BaseException:
        said = f"traceback: {traceback.format_exc()[-2000:]}"
    os.write(channel, said.encode("utf-8", "replace"))
    os._exit(0)


def _ended(image: ImageReport) -> str:
    for problem in image.problems:
        if problem.reason.startswith(_BUGS):
            return f"bug: {problem.reason}"
    for _device, judged in image.judged():
        for result in judged.results:
            if result.crashed:
                return f"bug: {result.rule}: {result.reason}"
        for stage in judged.forecast.stages if judged.forecast else ():
            if stage.reason.startswith(_BUGS):
                return f"bug: {stage.reason}"
    return f"exit {exit_code(Report('', ('kvm',), Mover.RAW, (image,), ()))}"


def judge_texts(example: Example, rng: random.Random, rules: Sequence[LoadedRule]) -> str:
    """Every rule on an example's guest with one of its texts damaged; what crashed, or nothing."""
    texts = [path for path, content in example.files.items() if isinstance(content, str)]
    if not texts:
        return ""
    path = rng.choice(texts)
    files = {**example.files, path: damage_text(str(example.files[path]), rng)}
    store = example_store(dataclasses.replace(example, files=files))
    for loaded in rules:
        outcome = run_rule(loaded.rule, store)
        if outcome.crashed:
            return f"{loaded.id} on {path}: {outcome.reason}"
    return ""


@dataclass(frozen=True)
class Compared:
    """How two readers saw one container: ``ours`` and ``theirs`` are the virtual disk, or why there is none.

    ``allowed`` says why QEMU may refuse what is read here.
    """

    ours: bytes | str
    theirs: bytes | str
    allowed: str = ""

    @property
    def disagreement(self) -> str:
        """What differs, or nothing. That we refuse more than QEMU is no disagreement about content; that we accept more is one."""
        if isinstance(self.ours, str) or self.ours == self.theirs:
            return ""
        if isinstance(self.theirs, str):
            return "" if self.allowed else f"read here, refused by qemu-img: {self.theirs}"
        pairs = zip(self.ours, self.theirs, strict=False)
        at = next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(self.ours), len(self.theirs)))
        return f"different from byte {at} on ({len(self.ours)} and {len(self.theirs)} bytes)"


def compare(image: Path, kind: str) -> Compared:
    """Read ``image``, whose format is ``kind``, with both; qemu-img in its confinement."""
    allowed = _STRICTER[kind](image.read_bytes()) if kind in _STRICTER else ""
    return Compared(_ours(image, kind), _theirs(image, {"vhd": "vpc"}.get(kind, kind)), allowed)


def disagreements(folder: Path, numbers: Iterable[int]) -> Iterator[str]:
    """The damaged containers of ``numbers`` that are read here and by qemu-img as different disks, or here alone, with what was done."""
    rng = random.Random(1)
    plain = bytearray(3 << 20)
    for at in range(0, len(plain), 1 << 16):
        if rng.random() < 0.6:
            plain[at : at + (1 << 16)] = rng.randbytes(1 << 12) * 16
    (folder / "plain.raw").write_bytes(plain)
    made = containers(folder / "plain.raw", folder)
    for shape in made:
        read = compare(folder / f"seed.{shape}", shape.rpartition(".")[2])
        assert read.disagreement == ""
        assert bytes(read.ours)[: len(plain)] == plain  # type: ignore[arg-type]
    known = {shape: {"container": tables(data, shape)} for shape, data in made.items()}
    for number in numbers:
        rng = random.Random(number)
        shape = rng.choice(list(made))
        data, kind = bytearray(made[shape]), shape.rpartition(".")[2]
        done = damage(data, known[shape], rng)
        if rng.random() < 0.8:
            sum_up(data, kind)
        image = folder / f"damaged.{shape}"
        image.write_bytes(data)
        if found := compare(image, kind).disagreement:
            yield f"{number}: {shape}: {done}: {found}"


def _one_region_table(data: bytes) -> str:
    table = data[192 << 10 : 256 << 10]
    right = ~crc32c(0xFFFFFFFF, table[:4] + bytes(4) + table[8:]) & 0xFFFFFFFF == int.from_bytes(table[4:8], "little")
    return "" if right else "[MS-VHDX] keeps two region tables; QEMU looks at the first alone"


_IDS = "only QEMU needs the content ids of a disk without a parent"
_STRICTER: dict[str, Callable[[bytes], str]] = {
    "vhdx": _one_region_table,
    "vmdk": lambda data: "" if re.search(rb"CID=\s*[0-9a-fA-F].*parentCID=\s*[0-9a-fA-F]", data, re.DOTALL) else _IDS,
}


def _ours(image: Path, kind: str) -> bytes | str:
    try:
        with spending(CPU):
            stream = open_image(DiskFile(str(image), image.name, format=kind)).stream
            return stream.read_at(0, stream.size) if stream.size <= MOST else f"{stream.size} bytes"
    except (ImageError, FactUnavailable) as error:
        return str(error)


def _theirs(image: Path, kind: str) -> bytes | str:
    raw = image.with_suffix(".raw")
    command = ("qemu-img", "convert", "-f", kind, "-O", "raw", str(image), str(raw))
    try:
        done = tools.run(command, Grant((str(image),), (str(image.parent),)), Bounds(file_size=1 << 34), timeout=60)
        if done.status:
            return done.errors.strip() or f"exit status {done.status}"
        return raw.read_bytes() if raw.stat().st_size <= MOST else f"{raw.stat().st_size} bytes"
    except tools.Stopped as stopped:
        return stopped.reason
    finally:
        raw.unlink(missing_ok=True)
