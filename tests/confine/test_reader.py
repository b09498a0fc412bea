"""A stand-in for a reader that was taken over tries what it must not: each attempt is denied by the kernel."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.confine.needs import needs_landlock, needs_seccomp
from v2vlint.confine import Grant, capabilities
from v2vlint.isolate import Answer, Call, Outcome, run

EVAL = "builtins:eval"
# The number of the error that a C function left, by ctypes: for calls that Python has no word for.
_LIBC = (
    "(lambda c: (lambda l: (c.set_errno(0), getattr(l, {name!r})({args}), c.get_errno())[2])(c.CDLL(None, use_errno=True)))"
    "(__import__('ctypes'))"
)
EPERM, EACCES, ENOSYS = 1, 13, 38


def attempt(expression: str, *, read: tuple[str, ...] = (), write: tuple[str, ...] = ()) -> Outcome:
    return run(Call(EVAL, expression, Grant(read, write)))


def errno_of(expression: str, *, read: tuple[str, ...] = (), write: tuple[str, ...] = ()) -> int:
    """The errno of the OSError that ``expression`` raises in the child; 0 when it goes through."""
    code = f"def probe():\n try:\n  {expression}\n except OSError as error:\n  return error.errno\n return 0"
    outcome = attempt(f"(lambda space: (exec({code!r}, space), space['probe']())[1])({{}})", read=read, write=write)
    assert isinstance(outcome, Answer), outcome
    return int(outcome.value)


@needs_landlock
@pytest.mark.parametrize(
    "path", ["/etc/shadow", "/etc/passwd", "/proc/self/environ", f"/proc/{os.getpid()}/environ", "/sys/kernel/notes", "/"]
)
def test_files_of_the_host_are_not_read(path: str) -> None:
    assert errno_of(f"import os; os.listdir({path!r}) if os.path.isdir({path!r}) else open({path!r}, 'rb').read()") == EACCES


@needs_landlock
def test_what_is_granted_is_read_and_nothing_beside_it(tmp_path: Path) -> None:
    given, other = tmp_path / "given", tmp_path / "other"
    given.write_text("guest")
    other.write_text("host")
    assert attempt(f"open({str(given)!r}).read()", read=(str(given),)) == Answer("guest")
    assert errno_of(f"open({str(other)!r}).read()", read=(str(given),)) == EACCES


@needs_landlock
def test_a_link_in_a_granted_folder_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/shadow")
    assert errno_of(f"open({str(tmp_path / 'link')!r}).read()", read=(str(tmp_path),)) == EACCES


@pytest.mark.parametrize("mode", ["w", "a", "r+", "x"])
def test_nothing_is_written_not_even_where_reading_is_granted(tmp_path: Path, mode: str) -> None:
    note = tmp_path / "note"
    if mode != "x":
        note.write_text("as it was")
    assert errno_of(f"open({str(note)!r}, {mode!r}).write('x')", read=(str(tmp_path),)) in (EACCES, EPERM)
    assert not note.exists() if mode == "x" else note.read_text() == "as it was"


@needs_seccomp
@pytest.mark.parametrize(
    "change",
    ["os.unlink(p)", "os.rename(p, p + '2')", "os.truncate(p, 0)", "os.chmod(p, 0o777)", "os.mkdir(p + '3')", "os.symlink('/etc', p + '4')",
     "os.link(p, p + '5')", "os.mkfifo(p + '6')", "os.chown(p, 0, 0)", "os.utime(p)", "os.setxattr(p, 'user.a', b'b')"],
)  # fmt: skip
def test_nothing_is_changed_otherwise(tmp_path: Path, change: str) -> None:
    note = tmp_path / "note"
    note.write_text("as it was")
    assert errno_of(f"import os; p = {str(note)!r}; {change}", read=(str(tmp_path),)) in (EACCES, EPERM)
    assert [path.name for path in tmp_path.iterdir()] == ["note"]
    assert note.read_text() == "as it was"


@needs_landlock
def test_writing_is_granted_for_one_file_and_not_beside_it(tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.touch()
    assert attempt(f"open({str(given)!r}, 'r+').write('copy')", write=(str(given),)) == Answer(4)
    assert errno_of(f"open({str(tmp_path / 'other')!r}, 'w')", write=(str(given),)) == EACCES
    assert given.read_text() == "copy"


@needs_seccomp
@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_VSOCK"])
def test_no_socket_is_opened(family: str) -> None:
    assert errno_of(f"import socket; socket.socket(socket.{family}, socket.SOCK_STREAM if 'VSOCK' not in {family!r} else 1)") == EPERM


@needs_seccomp
@pytest.mark.parametrize("start", ["os.fork()", "os.execv('/bin/true', ['true'])", "os.posix_spawn('/bin/true', ['true'], {})"])
def test_no_program_and_no_process_is_started(start: str) -> None:
    assert errno_of(f"import os; {start}") == EPERM


@needs_seccomp
def test_no_thread_is_started() -> None:
    outcome = attempt("__import__('threading').Thread(target=print).start()")
    assert "can't start new thread" in str(outcome)


@needs_seccomp
@pytest.mark.parametrize(
    ("name", "args"),
    [("ptrace", "16, 1, 0, 0"), ("unshare", "0x10000000"), ("setns", "0, 0"), ("mount", "0, 0, 0, 0, 0"), ("chroot", "b'/'"),
     ("process_vm_readv", "1, 0, 0, 0, 0, 0"), ("memfd_create", "b'x', 0"), ("personality", "0"), ("setuid", "0"),
     ("prctl", "4, 1, 0, 0, 0")],
)  # fmt: skip
def test_what_a_reader_never_needs_is_denied(name: str, args: str) -> None:
    assert attempt(_LIBC.format(name=name, args=args)) == Answer(EPERM)


@needs_seccomp
def test_calls_too_new_to_be_known_do_not_exist() -> None:
    assert attempt(_LIBC.format(name="syscall", args="9999")) == Answer(ENOSYS)


@needs_seccomp
def test_signals_reach_nobody() -> None:
    for target in (os.getpid(), 1):
        assert errno_of(f"import os; os.kill({target}, 0)") == EPERM
    assert attempt(
        _LIBC.format(name="syscall", args=f"{234 if os.uname().machine == 'x86_64' else 131}, {os.getpid()}, {os.getpid()}, 0")
    ) == Answer(EPERM)


def test_limits_cannot_be_raised_again() -> None:
    lift = "(lambda r, k: r.setrlimit(k, (r.getrlimit(k)[1] + 1,) * 2))(__import__('resource'), __import__('resource').{name})"
    for name in ("RLIMIT_CORE", "RLIMIT_FSIZE", "RLIMIT_NPROC", "RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_NOFILE"):
        assert not isinstance(attempt(lift.format(name=name)), Answer), name


def test_it_is_not_dumped_and_gains_nothing() -> None:
    status = attempt("(lambda c: [c.prctl(3, 0, 0, 0, 0), c.prctl(39, 0, 0, 0, 0)])(__import__('ctypes').CDLL(None))")
    assert status in (Answer([0, 1]), Answer([-1, -1]))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities to lose")
def test_root_keeps_no_powers_but_reading() -> None:
    read = """(lambda c, s: (lambda h, d: (c.CDLL(None).capget(h, d), s.unpack('=6I', d.raw))[1])(
        c.create_string_buffer(s.pack('=Ii', 0x20080522, 0)), c.create_string_buffer(24)))(__import__('ctypes'), __import__('struct'))"""
    assert attempt(read) == Answer([capabilities.READING, capabilities.READING, 0, 0, 0, 0])


@needs_seccomp
def test_a_grandchild_that_leaves_the_group_cannot_be_made() -> None:
    assert errno_of("import subprocess; subprocess.Popen(['sleep', '63.5'], start_new_session=True)") == EPERM


def test_python_finds_its_modules_when_confined() -> None:
    assert attempt("__import__('dissect.ntfs').ntfs.__name__") == Answer("dissect.ntfs")
    modules = ("sqlite3", "bz2", "lzma", "zstandard", "lz4.block", "ssl", "xml.sax")
    assert attempt(f"[__import__(n).__name__ for n in {modules!r}][0]") == Answer("sqlite3")
    assert attempt("__import__('time').localtime().tm_year > 2000") == Answer(True)
    assert sys.version_info >= (3, 11)
