"""Every place of the product that starts a program or a process is known here, with what it is started on.

A tool that sees a guest's files is started by confine.tools. What is started elsewhere sees none, or is named in SECURITY.md.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import v2vlint

ROOT = Path(v2vlint.__file__).parents[2]
CONFINED = {
    "src/v2vlint/confine/tools.py": "the wrapper itself",
    "src/v2vlint/confine/supervise.py": "the child that it supervises",
    "src/v2vlint/confine/forks.py": "the server of readers, which sees no guest; a reader confines itself in isolate",
    "src/v2vlint/proving/machine.py": "QEMU: preparation() and its own filter of system calls",
}
SEE_NO_GUEST = {
    "src/v2vlint/accel.py": "QEMU on a boot sector of ours",
    "src/v2vlint/engine/doctor.py": "programs asked for their version",
    "src/v2vlint/programs.py": "import guestfs",
    "src/v2vlint/proving/process.py": "QEMU asked whether it has its sandbox",
    "src/v2vlint/files/ahead.py": "ssh and the like with a script of ours, on a machine that the operator named",
    "src/v2vlint/files/sftp.py": "ssh, which carries a disk's bytes and reads none",
    "src/v2vlint/source/doors/ansible.py": "ansible-inventory, which reads an inventory that the operator named",
    "src/v2vlint/source/doors/container.py": "podman or docker, which write an archive of a container that the operator named",
    "src/v2vlint/source/doors/machine.py": "a shell with a script of ours, on a machine that the operator named",
    "src/v2vlint/source/live.py": "virsh, read-only: it asks libvirt, and opens no image",
}
TOLD = {"src/v2vlint/fixing/appliance.py": "libguestfs, which starts an appliance"}
_STARTERS = {
    "subprocess": {"Popen", "run", "call", "check_call", "check_output", "getoutput", "getstatusoutput"},
    "os": {"system", "popen", "fork", "forkpty", "posix_spawn", "posix_spawnp"},
    "pty": {"spawn", "fork"},
    "asyncio": {"create_subprocess_exec", "create_subprocess_shell"},
    "multiprocessing": {"Process", "Pool", "get_context"},
    "concurrent.futures": {"ProcessPoolExecutor"},
}


def starts(text: str) -> Iterator[str]:
    """The calls in a module's ``text`` that start something, however the functions were imported."""
    tree = ast.parse(text)
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname or alias.name: alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    types = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Subscript)}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Attribute, ast.Name)) and id(node) not in types:
            head, _, rest = ast.unparse(node).partition(".")
            module, _, name = f"{names.get(head, head)}.{rest}".rstrip(".").rpartition(".")
            if name in _STARTERS.get(module, ()) or (module == "os" and name.startswith(("exec", "spawn"))):
                yield f"{module}.{name}"


@pytest.mark.parametrize(
    "text",
    [
        "import subprocess\nsubprocess.run(['qemu-img'])",
        "import subprocess as s\ns.Popen([])",
        "from subprocess import check_output as ask\nask([])",
        "import os\nos.execv('/bin/sh', [])",
        "from os import system\nsystem('x')",
        "import asyncio\nawait_ = asyncio.create_subprocess_exec",
        "from concurrent.futures import ProcessPoolExecutor\nProcessPoolExecutor()",
    ],
)
def test_a_start_is_found_however_it_is_written(text: str) -> None:
    assert list(starts(text))


def test_nothing_is_started_that_is_not_listed_here() -> None:
    found = {
        str(path.relative_to(ROOT))
        for folder in ("src", "checks", "pytest_plugin")
        for path in (ROOT / folder).rglob("*.py")
        if list(starts(path.read_text()))
    }
    assert found == set(CONFINED) | set(SEE_NO_GUEST) | set(TOLD)


def test_what_is_confined_says_so_in_its_text() -> None:
    words = {"src/v2vlint/confine/forks.py": "child(_COUNTER)", "src/v2vlint/confine/supervise.py": "os.fork"}
    for path in CONFINED:
        assert words.get(path, "preexec_fn=preparation(") in (ROOT / path).read_text(), path


def test_security_tells_of_what_is_not_confined() -> None:
    told = (ROOT / "SECURITY.md").read_text()
    for word in ("libguestfs", "prove", "qemu-nbd", "qemu-img"):
        assert word in told
