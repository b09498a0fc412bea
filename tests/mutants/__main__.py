"""``python -m tests.mutants``: mutate a seeded sample of each subject, and say which mutants no test noticed. Goes on where it stopped."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.work_item import MutationSpec, TestOutcome

from tests.mutants.contexts import Lines
from tests.mutants.sampling import MOST, sample

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("src", "checks", "pytest_plugin", "sample-guests", "tests", "docs", "pyproject.toml", "README.md")
LIMITS = f"prlimit --cpu=120 --as={4 << 30}"
"""A mutant may loop for ever, or allocate without end; the tests of a subject take far less of both."""
PATHS = ("src", "checks", "pytest_plugin", "sample-guests", ".")


@dataclass(frozen=True)
class Trial:
    """One mutant and the tests that have to notice it."""

    mutant: MutationSpec
    tests: tuple[str, ...]  # what pytest gets for the whole subject
    nearest: tuple[str, ...] = ()  # the tests that run the mutated line

    @property
    def key(self) -> str:
        """What identifies it as long as its module stays as it is."""
        found = self.mutant
        return (
            f"{found.module_path}:{found.start_pos[0]}:{found.start_pos[1]} {found.operator_name.removeprefix('core/')} {found.occurrence}"
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Try what is left to try; 1 when fewer than ``--least`` percent were noticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("subjects", nargs="*", help="names of subjects.toml, or modules (all)")
    parser.add_argument("--seed", type=int, default=1, help="which sample (1)")
    parser.add_argument("--most", type=int, default=MOST, help=f"how many a module at most: the first of the sample ({MOST})")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at a time (one a processor)")
    parser.add_argument("--least", type=float, default=90, help="percent that have to be noticed (90)")
    parser.add_argument("--state", type=Path, default=Path("build/mutants"), help="folder for outcomes and working copies")
    parser.add_argument("--again", action="store_true", help="try survivors once more")
    options = parser.parse_args(argv)
    os.chdir(ROOT)
    options.state.mkdir(parents=True, exist_ok=True)
    record = options.state / f"outcomes.{options.seed}.jsonl"
    known = _known(record, options.again)
    trials = list(_trials(options.subjects, options.seed, options.most))
    left = [trial for trial in trials if trial.key not in known]
    left = list(_nearest(left, options.state.resolve()))
    print(f"{len(trials)} mutants, {len(left)} to try", flush=True)
    with ProcessPoolExecutor(options.jobs, initializer=_copy, initargs=(options.state.resolve(),)) as pool, record.open("a") as file:
        for number, (key, outcome) in enumerate(pool.map(_try, left), 1):
            known[key] = outcome
            file.write(json.dumps({"key": key, **outcome}) + "\n")
            file.flush()
            print(f"{number}/{len(left)} {outcome['outcome']} {key}", flush=True)
    return _tell(trials, known, options.least)


def _known(record: Path, again: bool) -> dict[str, dict[str, str]]:
    lines = record.read_text().splitlines() if record.exists() else []
    known = {entry.pop("key"): entry for entry in map(json.loads, lines)}
    return {key: entry for key, entry in known.items() if not (again and entry["outcome"] == "survived")}


def _trials(names: Sequence[str], seed: int, most: int) -> Iterator[Trial]:
    subjects = tomllib.loads((Path(__file__).parent / "subjects.toml").read_text())["subject"]
    for subject in subjects:
        for module in sorted(found for glob in subject["modules"] for found in Path().glob(glob)):
            if not names or subject["name"] in names or any(name in (str(module), module.stem) for name in names):
                yield from (Trial(mutant, tuple(subject["tests"])) for mutant in sample(module, seed)[:most])


def _nearest(trials: Sequence[Trial], state: Path) -> Iterator[Trial]:
    """The same trials with the tests that run their lines, of one run of each subject's tests over the code as it is."""
    known: dict[tuple[str, ...], Lines] = {}
    for trial in trials:
        if trial.tests not in known:
            known[trial.tests] = Lines(state / f"lines.{len(known)}.sqlite")
            known[trial.tests].measure(trial.tests, ("src/v2vlint", "checks/v2vlint_checks"))
        found = known[trial.tests].tests_of(Path(trial.mutant.module_path), trial.mutant.start_pos[0], trial.mutant.end_pos[0])
        yield replace(trial, nearest=tuple(found))


def _copy(state: Path) -> None:
    """A copy of the tree for this process: mutants are written into files."""
    tree = state / f"tree.{os.getpid()}"
    for name in COPIED:
        place = ROOT / name
        (shutil.copytree if place.is_dir() else shutil.copy)(place, _made(tree) / name)
    os.chdir(tree)
    os.environ |= {"PYTHONPATH": os.pathsep.join(str(tree / name) for name in PATHS), "PYTEST_ADDOPTS": "-p no:cacheprovider"}


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _try(trial: Trial) -> tuple[str, dict[str, str]]:
    """The tests that run the line first, then the files they stand in: fixtures count for the first test that needs them.

    What runs at import is tried by the tests of the whole subject.
    """
    files = sorted({test.partition("::")[0] for test in trial.nearest}) or trial.tests
    whole = f"{LIMITS} {sys.executable} -m pytest -x -q -m 'not slow and not truth' {' '.join(files)}"
    listed = Path("nearest.txt")
    listed.write_text("\n".join(trial.nearest))
    commands = [f"{LIMITS} {sys.executable} -m tests.mutants.contexts {listed}"] if trial.nearest else []
    for command in [*commands, whole]:
        result = mutate_and_test([trial.mutant], command, timeout=600)
        noticed = {TestOutcome.KILLED: "noticed", TestOutcome.SURVIVED: "survived"}.get(result.test_outcome, "failed")
        if noticed != "survived":
            break
    return trial.key, {"outcome": noticed, "diff": result.diff or "" if noticed != "noticed" else ""}


def _tell(trials: Sequence[Trial], known: dict[str, dict[str, str]], least: float) -> int:
    """A line a module, then every survivor."""
    modules: dict[str, list[bool]] = {}
    for trial in trials:
        modules.setdefault(trial.mutant.module_path, []).append(known[trial.key]["outcome"] == "noticed")
    for module, noticed in modules.items():
        print(f"{sum(noticed):4} of {len(noticed):4}  {module}")
    for trial in trials:
        if known[trial.key]["outcome"] != "noticed":
            print(f"\n{known[trial.key]['outcome']}: {trial.key}\n{known[trial.key]['diff']}")
    everything = [one for noticed in modules.values() for one in noticed]
    share = 100 * sum(everything) / max(1, len(everything))
    print(f"{sum(everything)} of {len(everything)} noticed: {share:.0f} %")
    return share < least


if __name__ == "__main__":
    sys.exit(main())
