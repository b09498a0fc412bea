"""One running QEMU and its channels: serial line, firmware log, QMP, captured packets, screen. It never outlives its ``with`` block."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from v2vlint import programs
from v2vlint.confine import Bounds, Grant, preparation, supervise
from v2vlint.files import left
from v2vlint.model.dataclass import dataclass
from v2vlint.proving.hardware import PROGRAMS
from v2vlint.proving.process import first_line, need, sandbox_options
from v2vlint.proving.qmp import Qmp
from v2vlint.proving.screen import MAX_PICTURE, Picture, parse_ppm

MAX_WRITTEN = 16 << 30
# Address space besides the guest's memory: libraries, stacks, the code that TCG translates.
OVERHEAD = 6 << 30
NOTHING = Grant()
_KVM = ("/dev/kvm",)
# Host files that QEMU and its user network also read: none of a guest's or a user's.
_DEVICES = ("/proc/self", "/sys/devices/system", "/proc/cpuinfo", "/etc/resolv.conf")
_CHUNK = 1 << 16
_QUIT_PATIENCE = 3.0
MAX_CAPTURE = 256 << 20


@dataclass(frozen=True, slots=True)
class Output:
    """The output since the last read."""

    serial: bytes = b""
    firmware: bytes = b""
    packets: bytes = b""


class QemuMachine:
    """QEMU for ``arch`` with ``options``, which describe everything except the channels, and ``memory`` MiB for the guest. Scratch files
    go to ``folder``. QEMU inherits ``descriptors`` and may read the files in ``grant``, write in ``folder``, and use KVM; with Landlock
    it can access no other file.

    Entering it starts QEMU; leaving it ends QEMU in any case.
    """

    def __init__(
        self,
        options: Sequence[str],
        memory: int,
        folder: Path,
        descriptors: Sequence[int] = (),
        grant: Grant = NOTHING,
        arch: str = "x86_64",
    ) -> None:
        program = need(*PROGRAMS[arch])
        self.folder, self._address_space = folder, (memory << 20) + OVERHEAD
        self._capture = folder / "packets.pcap"
        self._complaints = folder / "qemu.log"
        self._qmp_end, qmp = socket.socketpair()
        self._log_end, self._log = socket.socketpair()
        log = self._log.fileno() if arch == "x86_64" else None
        self.command = (program, *options, *self._channels(qmp.fileno(), log), *sandbox_options(program))
        self._theirs = (qmp, self._log)
        self._descriptors = tuple(descriptors)
        self._grant = grant + Grant(_DEVICES, (str(folder.resolve()), *_KVM))

    def _channels(self, qmp: int, log: int | None) -> tuple[str, ...]:
        """Firmware of a PC has a port for its log; AAVMF writes to the serial line."""
        # The debug port of SeaBIOS and OVMF (PcdDebugIoPort).
        port = ("-chardev", f"socket,id=firmware,fd={log}", "-device", "isa-debugcon,iobase=0x402,chardev=firmware")
        return (
            *(port if log is not None else ()),
            "-chardev", "stdio,id=serial0,signal=off", "-serial", "chardev:serial0",
            "-chardev", f"socket,id=qmp,fd={qmp}", "-mon", "chardev=qmp,mode=control",
            "-object", f"filter-dump,id=dump0,netdev=net0,file={self._capture}",
        )  # fmt: skip

    def __enter__(self) -> QemuMachine:
        bounds = Bounds(memory=self._address_space, file_size=MAX_WRITTEN)
        self._packets_read, self._selector = 0, selectors.DefaultSelector()
        with self._complaints.open("wb") as complaints, programs.starting(self.command[0]):
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                # A file: nobody reads while QEMU runs, and a full pipe would stop it.
                stderr=complaints,
                pass_fds=[*self._descriptors, *(end.fileno() for end in self._theirs)],
                start_new_session=True,
                # Not filtered: QEMU does that itself (process.SANDBOX).
                preexec_fn=preparation(os.path.realpath(self.command[0]), self._grant, bounds, filtered=False),
                cwd=self.folder,
                env=programs.environment(),
            )
        assert self.process.stdout
        self._serial = self.process.stdout
        try:
            self._connect()
        except BaseException:
            self._end()
            raise
        return self

    def _connect(self) -> None:
        # With copies of ours left, QEMU's end would not show as the end of the channels.
        for end in self._theirs:
            end.close()
        os.set_blocking(self._serial.fileno(), False)
        self._log_end.setblocking(False)
        self.qmp = Qmp(self._qmp_end)
        for channel in (self._serial, self._log_end, self._qmp_end):
            self._selector.register(channel, selectors.EVENT_READ)
        self.qmp.execute("qmp_capabilities", timeout=30)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None and self.alive:
                self.qmp.execute("quit", timeout=1)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(_QUIT_PATIENCE)
        finally:
            self._end()

    def _end(self) -> None:
        supervise.end(self.process)
        self._selector.close()
        for channel in (self._serial, self._log_end, self._qmp_end):
            channel.close()

    @property
    def alive(self) -> bool:
        """Whether QEMU still runs."""
        return self.process.poll() is None

    @property
    def complaint(self) -> str:
        """QEMU's own last words: the first error it printed, ignoring warnings."""
        text = written(self._complaints, _CHUNK).decode("utf-8", "replace")
        lines = [line for line in text.splitlines() if "warning:" not in line]
        return first_line("\n".join(lines)) or first_line(text)

    def wait(self, seconds: float) -> Output:
        """The guest's output within ``seconds``; returns early when there is some."""
        ready = {key.fileobj for key, _events in self._selector.select(seconds)}
        serial = self._read(self._serial.fileno()) if self._serial in ready else b""
        log = self._read(self._log_end.fileno()) if self._log_end in ready else b""
        if self._qmp_end in ready:
            self.qmp.receive()
            if self.qmp.closed:
                self._forget(self._qmp_end.fileno())
        return Output(serial, log)

    def _read(self, descriptor: int) -> bytes:
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._forget(descriptor)
        return data

    def _forget(self, descriptor: int) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(descriptor)

    def packets(self) -> bytes:
        """The new part of the capture file."""
        data = written(self._capture, 1 << 22, self._packets_read)
        self._packets_read += len(data)
        return data

    def captured(self) -> bytes:
        """The capture file, up to :data:`MAX_CAPTURE`; empty when there is none."""
        return written(self._capture, MAX_CAPTURE)

    def screen(self) -> Picture | None:
        """The present content of the display; None when it is unavailable."""
        path = self.folder / "screen.ppm"
        if self.qmp.execute("screendump", filename=str(path)) is None:
            return None
        picture = parse_ppm(written(path, MAX_PICTURE))
        with contextlib.suppress(OSError):
            path.unlink()
        return picture


def written(path: Path, limit: int, offset: int = 0) -> bytes:
    """Up to ``limit`` bytes of a file that QEMU has written; empty when there is none, or something else in its place."""
    stream = left.opened(path)
    if stream is None:
        return b""
    with stream:
        stream.seek(offset)
        return stream.read(limit)
