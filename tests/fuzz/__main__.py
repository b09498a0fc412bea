"""``python -m tests.fuzz``: many damaged images, for as long as one likes. What goes wrong is kept, with the seed that makes it again."""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.lanes import Tally, disagreements, judge_in_child
from tests.fuzz.mutate import damage
from tests.fuzz.seeds import Seed, seeds
from v2vlint.engine.protocol import Selection
from v2vlint.engine.worker import import_rules


def main(argv: Sequence[str] | None = None) -> int:
    """Damage and judge; 1 when anything ended as it must not."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="how many damaged images (1000)")
    parser.add_argument("--first", type=int, default=0, help="number of the first one: each is made from its number alone (0)")
    parser.add_argument("--containers", action="store_true", help="compare damaged containers with qemu-img instead")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after so long")
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"), help="folder for images that went wrong")
    options = parser.parse_args(argv)
    import_rules(Selection())
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="v2vlint-fuzz-", dir="/dev/shm") as name:
        folder = Path(name)
        if options.containers:
            return compare_all(folder, range(options.first, options.first + options.count))
        known = list(seeds(folder))
        print(f"{len(known)} seeds", flush=True)
        tally = Tally()
        for number in range(options.first, options.first + options.count):
            if time.monotonic() - started > options.seconds:
                break
            one(number, known, folder, tally, options.keep)
            if number % 100 == 99:
                print(f"{number + 1 - options.first} images, {time.monotonic() - started:.0f} s: {tally.exits}", flush=True)
    print(f"ended: {tally.exits}; {len(tally.wrong)} wrong; slowest {tally.slowest:.1f} s", flush=True)
    return 1 if tally.wrong else 0


def compare_all(folder: Path, numbers: Sequence[int]) -> int:
    """Damaged containers, read here and by qemu-img; 1 when any is read as another disk, or here alone."""
    wrong = 0
    for words in disagreements(folder, numbers):
        wrong += 1
        print(words, flush=True)
    print(f"ended: {len(numbers)} containers, {wrong} disagreements", flush=True)
    return 1 if wrong else 0


def one(number: int, known: Sequence[Seed], folder: Path, tally: Tally, keep: Path | None = None) -> None:
    """The damaged image ``number``, judged and counted."""
    rng = random.Random(number)
    seed = rng.choice(known)
    data = bytearray(seed.data)
    done = damage(data, seed.known, rng)
    image = folder / "damaged" / seed.name
    image.parent.mkdir(exist_ok=True)
    image.write_bytes(data)
    ended, seconds = judge_in_child((image, *seed.others))
    tally.slowest = max(tally.slowest, seconds)
    tally.count(ended if ended.startswith("exit ") or ended == "limit" else ended.split(":")[0])
    if ended not in ("exit 0", "exit 1", "exit 3", "limit"):
        words = f"{number} ({seed.name}: {done}): {ended}"
        tally.wrong.append(words)
        print(words, file=sys.stderr, flush=True)
        if keep:
            keep.mkdir(parents=True, exist_ok=True)
            shutil.move(image, keep / f"{number}.{seed.name}")
    image.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
