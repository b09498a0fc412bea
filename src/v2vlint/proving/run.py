"""Proving: one boot of prepared disks on a target's hardware, from the command line to the verdict."""

from __future__ import annotations

import json
import os
import platform
import secrets
import shlex
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from v2vlint.accel import Acceleration, acceleration
from v2vlint.confine import Grant
from v2vlint.console.story import BootOutcome
from v2vlint.files.nodes import Nodes
from v2vlint.model.codec import decode, encode
from v2vlint.model.dataclass import dataclass
from v2vlint.model.finding import Stage
from v2vlint.model.proof import Proof, Via
from v2vlint.model.secrecy import without_secrets
from v2vlint.model.target import Firmware, Target
from v2vlint.proving.firmware import firmware_options
from v2vlint.proving.font import Font, vga_font
from v2vlint.proving.hardware import ProofMachine, basics, differences, disk_devices, network
from v2vlint.proving.images import ProofDisk, block_options
from v2vlint.proving.machine import QemuMachine
from v2vlint.proving.pristine import file_states
from v2vlint.proving.screen import to_png
from v2vlint.proving.watch import Progress, Watch

TIMEOUT_KVM = 300.0
TIMEOUT_TCG = 600.0
_QUIET = frozenset({"quiet", "rhgb", "splash", "splash=silent", "systemd.show_status=0", "systemd.show_status=false"})


@dataclass(frozen=True, slots=True)
class DirectKernel:
    """A kernel to boot without firmware and loader: files on the host, and the command line of the guest's default entry."""

    kernel: Path
    initrds: tuple[Path, ...]
    command_line: str
    entry: str = ""

    def visible_line(self, arch: str) -> str:
        """The command line with the serial port as console, and without arguments that silence the boot."""
        kept = [word for word in self.command_line.split() if word not in _QUIET]
        # The last console becomes /dev/console (Documentation/admin-guide/serial-console.rst).
        return " ".join([*kept, "console=tty0", f"console={'ttyAMA0' if arch == 'aarch64' else 'ttyS0'},115200"])


@dataclass(frozen=True, slots=True)
class Options:
    """How to boot. ``timeout`` in seconds and ``memory`` in MiB are None for the defaults; ``mac`` is None for a new address.

    ``boot_disk`` is the 0-based disk that the firmware starts from.
    """

    target: Target
    firmware: Firmware
    boot_disk: int = 0
    kernel: DirectKernel | None = None
    timeout: float | None = None
    memory: int | None = None
    mac: str | None = None
    fonts: tuple[Font, ...] = ()
    artifacts: Path | None = None


def prove(disks: Sequence[ProofDisk], options: Options, progress: Progress | None = None) -> Proof:
    """Boot copy-on-write and watch. ImageError when QEMU cannot run it, UsageError when a program is not installed."""
    fast = _acceleration(options.target.arch)
    board = ProofMachine(
        options.target,
        options.firmware,
        fast.kvm,
        options.mac or _new_mac(),
        options.memory or options.target.ram_mib,
        2 if fast.kvm else 1,
    )
    files = tuple(dict.fromkeys(path for disk in disks for path in disk.files))
    # The proof states that the images are unchanged: QEMU is not trusted with that.
    before = file_states(files)
    timeout = options.timeout or (TIMEOUT_KVM if fast.kvm else TIMEOUT_TCG)
    with tempfile.TemporaryDirectory(prefix="v2vlint-prove-") as name:
        folder = Path(name)
        with Nodes() as nodes:
            command = tuple(_command(board, disks, options, folder, nodes))
            kernel = (str(options.kernel.kernel), *map(str, options.kernel.initrds)) if options.kernel else ()
            machine = QemuMachine(command, board.memory, folder, nodes.descriptors, nodes.grant + Grant(kernel), options.target.arch)
            with machine:
                watch = Watch(machine, (vga_font(), *options.fonts), timeout, progress)
                verdict = _fair(watch.run(), board)
        if options.artifacts:
            _keep(options.artifacts, machine, watch)
    after = file_states(files)
    notes = [*differences(board)]
    if options.boot_disk:
        notes.append(f"the firmware starts from disk {options.boot_disk + 1}, which holds the boot loader")
    if not fast.kvm:
        notes.append(f"no KVM here: {fast.reason}")
    if not all(state.whole for state in before):
        notes.append("the images are large: their hash covers samples, and the times of last change the rest")
    proof = replace(_proof(board, options, watch, verdict, machine), unchanged=before == after, notes=tuple(notes), acceleration=fast.word)
    shown = without_secrets(encode(proof))
    if options.artifacts:
        _keep_file(options.artifacts / "proof.json", json.dumps(shown, indent=1) + "\n")
    return decode(Proof, shown)


def _fair(verdict: BootOutcome, board: ProofMachine) -> BootOutcome:
    """``verdict``, but undecided where the firmware had no chance: it is QEMU's, not that of the target."""
    if verdict.came_up is not False or verdict.stage is not Stage.FIRMWARE or board.firmware_sees_disks:
        return verdict
    reason = f"QEMU's UEFI firmware has no driver for {board.hardware.disk.partition(',')[0]}; --via kernel starts the guest without it"
    return replace(verdict, came_up=None, reason=reason, stage=None)


def _acceleration(arch: str) -> Acceleration:
    """KVM runs guests for the host's own processors only."""
    host = platform.machine()
    return acceleration() if arch == host else Acceleration(False, f"this host has {host} processors")


def _command(board: ProofMachine, disks: Sequence[ProofDisk], options: Options, folder: Path, nodes: Nodes) -> Iterator[str]:
    yield from basics(board)
    yield from firmware_options(board.firmware, board.target.arch, folder)
    yield from block_options(disks, folder, nodes)
    # The card before the disks: it gets the first slot that is free.
    yield from network(board)
    yield from disk_devices(board, [f"disk{index}" for index in range(len(disks))], options.boot_disk)
    if options.kernel:
        yield from ("-kernel", str(options.kernel.kernel), "-append", options.kernel.visible_line(board.target.arch))
        if options.kernel.initrds:
            yield from ("-initrd", str(_joined(options.kernel.initrds, folder)))


def _joined(initrds: Sequence[Path], folder: Path) -> Path:
    """Join the files: the kernel accepts concatenated archives, each starting at a multiple of four bytes."""
    if len(initrds) == 1:
        return initrds[0]
    joined = folder / "initrd"
    with joined.open("wb") as stream:
        for initrd in initrds:
            stream.write(initrd.read_bytes())
            # Zero bytes may lie between archives (Documentation/driver-api/early-userspace/buffer-format.rst).
            stream.write(bytes(-stream.tell() % 4))
    return joined


def _new_mac() -> str:
    # QEMU's own prefix.
    return "52:54:00:" + ":".join(f"{byte:02x}" for byte in secrets.token_bytes(3))


def _proof(board: ProofMachine, options: Options, watch: Watch, verdict: BootOutcome, machine: QemuMachine) -> Proof:
    via: Via = "kernel" if options.kernel else "firmware"
    milestones = watch.story.milestones(verdict, via)
    traffic = watch.capture.traffic.summary
    milestones = tuple(replace(m, evidence=m.evidence or traffic) if m.name == "network" else m for m in milestones)
    return Proof(
        target=options.target.name,
        via=via,
        firmware=board.firmware,
        acceleration="",
        cpu=board.cpu_level,
        came_up=verdict.came_up,
        reason=verdict.reason,
        stage=verdict.stage,
        milestones=milestones,
        evidence=verdict.evidence,
        seconds=round(watch.seconds, 1),
        command=machine.command,
    )


def _keep_file(path: Path, content: str | bytes | bytearray) -> None:
    """Write a file that may contain guest content, readable by the user only."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        # The file may have been there before, with another mode.
        os.fchmod(stream.fileno(), 0o600)
        stream.write(content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content)


def _keep(artifacts: Path, machine: QemuMachine, watch: Watch) -> None:
    artifacts.mkdir(parents=True, exist_ok=True)
    _keep_file(artifacts / "serial.log", watch.serial.data)
    _keep_file(artifacts / "firmware.log", watch.firmware.data)
    _keep_file(artifacts / "qemu.txt", shlex.join(machine.command) + "\n")
    if packets := machine.captured():
        _keep_file(artifacts / "packets.pcap", packets)
    if watch.picture:
        _keep_file(artifacts / "screen.png", to_png(watch.picture))
