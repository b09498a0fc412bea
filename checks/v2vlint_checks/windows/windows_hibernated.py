"""Rule windows-hibernated."""

from collections.abc import Iterator

from v2vlint.api import Conversion, Example, Finding, Hive, Mover, Rule, Severity, WindowsKernelVerdict

_SYSTEM = {"/Windows/System32/config/SYSTEM": Hive("[ControlSet001\\Control]\n")}


class WindowsHibernated(Rule):
    """Windows is hibernated: it will resume on other hardware.

    ## What it does
    Reads the first bytes of `hiberfil.sys`. They are zero, or marked as consumed, once the saved system has been resumed.

    ## Why it matters
    The memory image contains the drivers of the old hardware: resuming fails. The disks are older than the image assumes, so nothing may be
    written to them before; virt-v2v refuses such a guest. "Shut down" with fast startup leaves the same state.

    ## References
    - virt-v2v(1), "Windows Hibernation or Fast Startup"; Forklift does not support hibernated machines.
    - ntfs-3g refuses to write to the volume: ntfs-3g(8), "Windows hibernation and fast restarting"
    """

    severity = Severity.WARNING
    since = "0.1"
    kinds = frozenset({"windows"})
    predicts = (r"(?i)Windows (is )?hibernat", r"(?i)unsafe state", r"(?i)fast restart(ing)?", r"(?i)Windows Hibernation")
    examples = (
        Example({**_SYSTEM, "/hiberfil.sys": b"HIBR\x00\x00\x00\x00"}, flags=("/hiberfil.sys",), severity=Severity.WARNING),
        Example({**_SYSTEM, "/hiberfil.sys": b"hibr\x00"}, mover=Mover.VIRT_V2V, flags=("/hiberfil.sys",)),
        Example({**_SYSTEM, "/hiberfil.sys": bytes(64)}, title="resumed and wiped"),
        Example({**_SYSTEM, "/hiberfil.sys": b"wake"}, title="resumed"),
        Example(dict(_SYSTEM)),
    )

    def check(self, kernel: WindowsKernelVerdict, conversion: Conversion) -> Iterator[Finding]:
        for cause in kernel.resumed:
            resumes = "it tries to resume with drivers for the old hardware"
            effect = "virt-v2v refuses to convert it" if conversion.by_virt_v2v else resumes
            message, advice = f"{cause.where} holds a hibernated system", "start it once more and shut it down fully (shutdown /s /t 0)"
            yield self.finding(cause.where, message, f"{effect}; {advice}", severity=cause.severity)
