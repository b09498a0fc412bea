"""A stand-in for a reader that was taken over tries what it must not: each attempt is denied by the kernel.

One child makes all attempts of a test; what it answers is the number of the error by attempt, 0 for what went through.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.confine.needs import needs_landlock, needs_seccomp
from v2vlint.confine import Grant, capabilities
from v2vlint.isolate import Answer, Call, Outcome, run

EVAL = "builtins:eval"
NOTHING = Grant()
EPERM, EACCES, ENOSYS = 1, 13, 38
_STAND_IN = """
import ctypes, os, resource, socket, struct, subprocess, threading
libc = ctypes.CDLL(None, use_errno=True)

def call(name, *arguments):
    ctypes.set_errno(0)
    if getattr(libc, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)

def attempt(statement):
    try:
        exec(statement)
    except OSError as error:
        return error.errno
    return 0

found = {statement: attempt(statement) for statement in statements}
"""


def evaluate(expression: str, grant: Grant = NOTHING) -> Outcome:
    return run(Call(EVAL, expression, grant))


def attempts(statements: Iterable[str], *, read: tuple[Path, ...] = (), write: tuple[Path, ...] = ()) -> dict[str, int]:
    grant = Grant(tuple(map(str, read)), tuple(map(str, write)))
    space = f"(lambda space: (exec({_STAND_IN!r}, space), space['found'])[1])({{'statements': {list(statements)!r}}})"
    outcome = evaluate(space, grant)
    assert isinstance(outcome, Answer), outcome
    return dict(outcome.value)


@needs_landlock
def test_files_of_the_host_are_not_read() -> None:
    files = (
        "/etc/shadow",
        "/etc/passwd",
        "/proc/self/environ",
        f"/proc/{os.getpid()}/environ",
        "/sys/kernel/notes",
        "/etc/hosts",
    )
    folders = ("/", "/etc", "/root", "/proc", "/tmp")
    tried = [f"open({path!r}, 'rb').read(1)" for path in files] + [f"os.listdir({path!r})" for path in folders]
    assert set(attempts(tried).values()) == {EACCES}


@needs_landlock
def test_what_is_granted_is_read_and_nothing_beside_it(tmp_path: Path) -> None:
    given, other = tmp_path / "given", tmp_path / "other"
    given.write_text("guest")
    other.write_text("host")
    assert attempts([f"open({str(given)!r}).read()", f"open({str(other)!r}).read()"], read=(given,)) == {
        f"open({str(given)!r}).read()": 0,
        f"open({str(other)!r}).read()": EACCES,
    }


@needs_landlock
def test_a_link_in_a_granted_folder_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/shadow")
    assert set(attempts([f"open({str(tmp_path / 'link')!r}).read()"], read=(tmp_path,)).values()) == {EACCES}


@needs_seccomp
def test_nothing_is_written_not_even_where_reading_is_granted(tmp_path: Path) -> None:
    note = tmp_path / "note"
    note.write_text("as it was")
    opened = [f"open({str(note)!r}, {mode!r})" for mode in ("w", "a", "r+")] + [
        f"open({str(tmp_path / 'new')!r}, {mode!r})" for mode in "wx"
    ]
    changes = [
        "os.unlink(p)", "os.rename(p, p + '2')", "os.truncate(p, 0)", "os.chmod(p, 0o777)", "os.mkdir(p + '3')",
        "os.symlink('/etc', p + '4')",
        "os.link(p, p + '5')", "os.mkfifo(p + '6')", "os.chown(p, 0, 0)", "os.utime(p)", "os.setxattr(p, 'user.a', b'b')",
        "os.open(os.path.dirname(p), os.O_TMPFILE | os.O_RDWR)", "os.truncate(os.open(p, os.O_RDONLY), 0)",
    ]  # fmt: skip
    changes = [f"p = {str(note)!r}; {change}" for change in changes]
    denied = attempts([*opened, *changes], read=(tmp_path,))
    assert {statement for statement, code in denied.items() if code not in (EACCES, EPERM)} == set()
    assert [path.name for path in tmp_path.iterdir()] == ["note"]
    assert note.read_text() == "as it was"


@needs_landlock
def test_without_a_filter_landlock_alone_keeps_it_from_writing(tmp_path: Path) -> None:
    given, other = tmp_path / "given", tmp_path / "other"
    given.touch()
    other.write_text("as it was")
    tried = [
        f"open({str(other)!r}, 'w')",
        f"open({str(tmp_path / 'new')!r}, 'w')",
        f"os.unlink({str(other)!r})",
        f"os.mkdir({str(tmp_path / 'n')!r})",
    ]
    assert set(attempts(tried, write=(given,)).values()) == {EACCES}
    assert attempts([f"open({str(given)!r}, 'r+').write('copy')"], write=(given,)) == {f"open({str(given)!r}, 'r+').write('copy')": 0}
    assert (given.read_text(), other.read_text()) == ("copy", "as it was")


@needs_seccomp
def test_no_socket_is_opened() -> None:
    families = ("AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET", "AF_VSOCK")
    tried = [f"socket.socket(socket.{family}, socket.SOCK_{kind})" for family in families for kind in ("STREAM", "DGRAM", "RAW")]
    assert set(attempts([*tried, "socket.socketpair()"]).values()) == {EPERM}


@needs_seccomp
def test_no_program_and_no_process_is_started_but_threads_are() -> None:
    tried = [
        "os.fork()", "os.execv('/bin/true', ['true'])", "os.posix_spawn('/bin/true', ['true'], {})", "os.system('true') and call('fork')",
        "subprocess.Popen(['sleep', '63.5'], start_new_session=True)", "call('vfork')", "call('clone', 0, 0, 0x10000, 0)",
    ]  # fmt: skip
    assert set(attempts(tried).values()) <= {EPERM, 22}
    assert evaluate("__import__('threading').Thread(target=len, args=('',)).start()") == Answer(None)


@needs_seccomp
def test_what_a_reader_never_needs_is_denied() -> None:
    tried = [
        "call('ptrace', 16, 1, 0, 0)", "call('unshare', 0x10000000)", "call('setns', 0, 0)", "call('mount', 0, 0, 0, 0, 0)",
        "os.chroot('/')",
        "call('process_vm_readv', 1, 0, 0, 0, 0, 0)", "call('memfd_create', b'x', 0)", "call('personality', 0)", "os.setuid(0)",
        "os.setsid()",
        "call('prctl', 4, 1, 0, 0, 0)", "os.kill(1, 0)", f"os.kill({os.getpid()}, 0)", "os.killpg(0, 0)", "os.setpriority(0, 0, 5)",
        "__import__('fcntl').ioctl(2, 0x5412, b'x')", "__import__('fcntl').fcntl(2, 8, 1)",
    ]  # fmt: skip
    assert {statement for statement, code in attempts(tried).items() if code != EPERM} == set()


@needs_seccomp
def test_calls_too_new_to_be_known_do_not_exist_and_its_signals_are_its_own() -> None:
    tgkill = 234 if os.uname().machine == "x86_64" else 131
    tried = ["call('syscall', 9999)", f"call('syscall', {tgkill}, {os.getpid()}, {os.getpid()}, 0)"]
    assert list(attempts(tried).values()) == [ENOSYS, EPERM]


def test_limits_cannot_be_raised_again() -> None:
    lift = "(lambda r, k: r.setrlimit(k, (r.getrlimit(k)[1] + 1,) * 2))(__import__('resource'), __import__('resource').RLIMIT_{name})"
    for name in ("CORE", "FSIZE", "AS", "CPU", "NOFILE"):
        assert not isinstance(evaluate(lift.format(name=name)), Answer), name


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities to lose")
def test_root_keeps_no_powers_but_reading() -> None:
    read = """(lambda c, s: (lambda h, d: (c.CDLL(None).capget(h, d), s.unpack('=6I', d.raw))[1])(
        c.create_string_buffer(s.pack('=Ii', 0x20080522, 0)), c.create_string_buffer(24)))(__import__('ctypes'), __import__('struct'))"""
    assert evaluate(read) == Answer([capabilities.READING, capabilities.READING, 0, 0, 0, 0])


def test_python_finds_its_modules_when_confined() -> None:
    modules = ("dissect.ntfs", "sqlite3", "bz2", "lzma", "zstandard", "lz4.block", "ssl", "xml.sax", "encodings.cp1252")
    assert evaluate(f"[__import__(name).__name__ for name in {modules!r}][0]") == Answer("dissect")
    assert evaluate("__import__('time').localtime().tm_year > 2000") == Answer(True)
