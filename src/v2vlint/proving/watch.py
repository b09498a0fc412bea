"""Watch a machine until its outcome is certain, or time is up."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import field

from v2vlint.console import signatures
from v2vlint.console.story import BootOutcome, Story
from v2vlint.console.terminal import Terminal
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError
from v2vlint.proving.font import Font
from v2vlint.proving.machine import QemuMachine
from v2vlint.proving.packets import Capture
from v2vlint.proving.screen import Picture, read_text

MAX_LOG = 16 << 20
MAX_RESETS = 3
_TICK = 0.25
_LAST_WORDS = 2.0
_NETWORK_PATIENCE = 20.0
_LEASE_PATIENCE = 60.0
# Of 20 drawn guests in emulation the slowest had its lease 0.17 of the time to its login after that.
_SHARE_OF_BOOT = 0.3
_PACKETS_EVERY = 1.0
_SCREEN_EVERY = 2.0
_SILENCE = 3.0
_PROMPT = 1.0

Progress = Callable[[str, float], None]


@dataclass(slots=True)
class ConsoleLog:
    """The first 16 MiB of a stream, and its lines."""

    data: bytearray = field(default_factory=bytearray)
    terminal: Terminal = field(default_factory=Terminal)

    def take(self, data: bytes, story: Story, seconds: float) -> None:
        """Store ``data`` and pass its lines to the story."""
        self.data += data[: max(0, MAX_LOG - len(self.data))]
        for line in self.terminal.feed(data):
            story.hear(line, seconds)


class Watch:
    """One boot being watched. ``fonts`` are those its screen may use; ``progress`` receives the furthest milestone at every tick."""

    def __init__(self, machine: QemuMachine, fonts: tuple[Font, ...], timeout: float, progress: Progress | None = None) -> None:
        self.machine, self.fonts, self.timeout, self.progress = machine, fonts, timeout, progress
        self.story, self.serial, self.firmware, self.capture = Story(), ConsoleLog(), ConsoleLog(), Capture()
        self.picture: Picture | None = None
        self.resets = 0
        self.powered_off = False
        self._start = time.monotonic()
        self._spoke = self._packets_at = self._screen_at = 0.0

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def run(self) -> BootOutcome:
        """The verdict. ImageError when QEMU itself fails."""
        while (verdict := self._verdict()) is None:
            self._listen()
            self._look_at_packets()
            self._look_at_screen()
            if self.progress:
                self.progress(self.story.furthest, self.seconds)
        self._look_at_packets(force=True)
        self.picture = self.machine.screen() or self.picture
        return verdict

    def _listen(self) -> None:
        output = self.machine.wait(_TICK)
        now = self.seconds
        self.serial.take(output.serial, self.story, now)
        self.firmware.take(output.firmware, self.story, now)
        if output.serial:
            self._spoke = now
        # A prompt has no line end: it counts once nothing follows it.
        elif self.serial.terminal.partial and now - self._spoke > _PROMPT:
            self.story.hear(self.serial.terminal.partial, now)
        for event in self.machine.qmp.take_events():
            self._note(event["event"], event.get("data", {}))

    def _note(self, event: str, data: Mapping[str, object]) -> None:
        if event == "BLOCK_IO_ERROR" and data.get("nospace"):
            raise ImageError(
                f"no space for the guest's writes in {self.machine.folder.parent}", hint="set TMPDIR to a folder with more space"
            )
        self.resets += event == "RESET" and bool(data.get("guest"))
        self.powered_off = self.powered_off or (event == "SHUTDOWN" and bool(data.get("guest")))

    def _look_at_packets(self, force: bool = False) -> None:
        if force or self.seconds - self._packets_at > _PACKETS_EVERY:
            self._packets_at = self.seconds
            self.capture.feed(self.machine.packets())
            if network := self.capture.traffic.network:
                self.story.witness(signatures.NETWORK, network, self.seconds)

    def _look_at_screen(self) -> None:
        """Read the screen while the serial line is silent, because the guest may have no serial console."""
        now = self.seconds
        if now - self._spoke < _SILENCE or now - self._screen_at < _SCREEN_EVERY:
            return
        picture = self.machine.screen()
        self._screen_at = self.seconds
        if picture is None or picture == self.picture:
            return
        self.picture = picture
        for line in read_text(picture, self.fonts):
            self.story.hear(line, now)

    @property
    def _patience(self) -> float:
        """Seconds after the login within which the network comes up: more for a guest that has asked for an address, or that was slow."""
        least = _LEASE_PATIENCE if self.capture.traffic.discovers else _NETWORK_PATIENCE
        return max(least, (self.story.login or 0.0) * _SHARE_OF_BOOT)

    def _verdict(self) -> BootOutcome | None:
        now, story = self.seconds, self.story
        if story.login is not None and (signatures.NETWORK in story.seen or now > min(story.login + self._patience, self.timeout)):
            return BootOutcome(True, "the guest reached its login prompt", None, (story.seen[signatures.LOGIN].text,))
        if story.login is None and story.end is not None and now - story.end > _LAST_WORDS:
            return story.failure()
        if self.resets >= MAX_RESETS:
            return self._restarting()
        if not self.machine.alive:
            return self._dead()
        return self._too_long() if now > self.timeout else None

    def _restarting(self) -> BootOutcome:
        if self.story.explained:
            return self.story.failure()
        return BootOutcome(False, f"the guest keeps restarting, {self._after()}", None)

    def _dead(self) -> BootOutcome:
        # What QEMU wrote before it ended is still in the channels.
        self._listen()
        if self.story.end is not None:
            return self.story.failure()
        if self.powered_off:
            return BootOutcome(False, f"the guest powered itself off, {self._after()}", None)
        raise ImageError(f"QEMU failed: {self.machine.complaint or 'without a message'}", hint=_hint(self.machine.complaint))

    def _after(self) -> str:
        return f"after {self.story.furthest}" if self.story.furthest else "before anything was seen"

    def _too_long(self) -> BootOutcome:
        evidence = tuple(line for line in self._last_lines() if line)
        reason = f"no login and no known failure within {self.timeout:g} s; last seen: {self.story.furthest or 'nothing'}"
        if self.story.explained:
            reason += f"; {self.story.failure().reason}"
        return BootOutcome(None, reason, None, evidence)

    def _last_lines(self) -> tuple[str, ...]:
        tail = Terminal()
        lines = [*tail.feed(bytes(self.serial.data[-8192:])), tail.partial]
        screen = read_text(self.picture, self.fonts) if self.picture else ()
        return tuple(dict.fromkeys([*lines[-3:], *screen[-3:]]))


def _hint(complaint: str) -> str:
    return "shut the guest down first" if "lock" in complaint else ""
