"""v2vlint predicts what will break when a virtual machine moves to other virtual hardware.

The command line and the pytest plugin use these functions as well. Guest bytes are read by child processes under limits. Errors are
those of :mod:`v2vlint.model.errors`: UsageError for wrong arguments and configuration, ImageError for a guest that cannot be read.
"""

from __future__ import annotations

from v2vlint.model.version import __version__ as __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from typing import Unpack

    from v2vlint.defining import ProposedMachine
    from v2vlint.inspecting.library import OpenGuest
    from v2vlint.isolate import Limits
    from v2vlint.model.diagnosis import Diagnosis
    from v2vlint.model.machine import Machine
    from v2vlint.model.proof import Proof, Via
    from v2vlint.model.report import Forecast, Report
    from v2vlint.run.fixing import FixReport
    from v2vlint.run.library import Image, Wishes


def check(*images: Image, **wishes: Unpack[Wishes]) -> Report:
    """Predict what will break and whether the guest will boot: ``v2vlint.check("disk.qcow2", target="azure")``.

    Each of ``images`` is what the command line accepts as an argument: an image, ``"a+b"``, a folder, an OVA, ``domain:NAME``,
    ``tree:DIR``. A sequence holds the disks of one guest. Parts of a guest that cannot be read are problems in its report, not errors.
    ``wishes`` are configuration keys (:class:`v2vlint.run.library.Wishes`). No configuration file is read unless ``config`` names one or
    a folder to search from.
    """
    from v2vlint.run import library

    return library.check(images, wishes)


def fix(
    *images: Image,
    diff: bool = False,
    output: str | os.PathLike[str] | None = None,
    unsafe_fixes: bool = False,
    rebuild_initramfs: bool = False,
    keep_names: bool = False,
    mac: Mapping[str, str] | None = None,
    virtio_win: str | os.PathLike[str] = "",
    writer: str = "auto",
    **wishes: Unpack[Wishes],
) -> FixReport:
    """Apply safe repairs to each guest in place, as a transaction: ``v2vlint.fix("disk.qcow2").outcomes``.

    ``diff`` changes nothing and returns what would be done; ``output`` writes a fixed copy and leaves the source alone. The other options
    are those of ``v2vlint fix``; ``mac`` maps interface names to MAC addresses. ImageError when a guest cannot be read or written; guests
    fixed before it stay fixed.
    """
    from v2vlint.run import library

    wish = library.fix_wish(
        diff=diff,
        output=output,
        unsafe=unsafe_fixes,
        rebuild=rebuild_initramfs,
        names=(keep_names, mac or {}),
        virtio_win=virtio_win,
        writer=writer,
    )
    return library.fix(images, wish, wishes)


def inspect(*images: Image, applications: bool = True, **wishes: Unpack[Wishes]) -> tuple[Machine, ...]:
    """Describe each guest: ``v2vlint.inspect("disk.qcow2")[0].booted``.

    ``images`` are those of :func:`check`. Parts of a guest that cannot be read are problems of its machine. ``applications=False`` skips
    the list of installed software, which takes longest.
    """
    from v2vlint.run import library

    return library.inspect(images, applications, wishes)


def forecast(image: Image, **wishes: Unpack[Wishes]) -> Forecast:
    """Predict the boot of one guest on one target, stage by stage: ``v2vlint.forecast("disk.qcow2", target="kvm").will_boot``.

    ImageError when nothing can be forecast.
    """
    from v2vlint.run import library

    return library.forecast(image, wishes)


def prove(image: Image, *, via: Via = "firmware", timeout: float | None = None, **wishes: Unpack[Wishes]) -> Proof:
    """Boot one guest copy-on-write on one target's hardware under QEMU: ``v2vlint.prove("disk.qcow2", target="kvm").came_up``.

    ``timeout`` is in seconds. UsageError when QEMU is not installed, ImageError when the guest cannot be booted.
    """
    from v2vlint.run import library

    return library.prove(image, via, timeout, wishes)


def diagnose(log: str | os.PathLike[str], image: Image | None = None, **wishes: Unpack[Wishes]) -> Diagnosis:
    """Say what a console log tells about a boot: ``v2vlint.diagnose("console.log").reason``.

    With the ``image`` of the guest, the result also names what in it is the cause, and ``wishes`` are those of :func:`check`, for one
    target. ImageError when the log cannot be read, UsageError when it is a picture or longer than 1 GiB.
    """
    from v2vlint.run import library

    return library.diagnose(log, image, wishes)


def define(image: Image, **wishes: Unpack[Wishes]) -> ProposedMachine:
    """Propose the machine that a guest needs on a KVM target: ``v2vlint.define("disk.qcow2").xml`` is its libvirt domain."""
    from v2vlint.run import library

    return library.define(image, wishes)


def open(
    *images: str | os.PathLike[str],
    keys: Sequence[bytes | str] = (),
    limits: Limits | None = None,
    connect: str = "",
    root: str = "",
) -> OpenGuest:
    """Open a guest: ``v2vlint.open("disk.qcow2").machine`` describes it, ``.service("sshd").is_enabled`` and the like ask single things.

    ``images`` are the disks of one guest in order, its machine definition, or ``domain:NAME`` on the libvirt at ``connect``. ``keys`` are
    passphrases to try on encrypted disks. The bytes are read by a child process under ``limits``. ``root`` is the device of the operating
    system meant, where there are several.
    """
    from v2vlint.inspecting.library import open_guest

    return open_guest(images, keys, limits, connect, root)
