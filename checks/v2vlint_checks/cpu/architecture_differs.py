"""Rule architecture-differs."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, FirmwareVerdict, OsInfo, Rule, Severity, Stage

_ARM = OsInfo("linux", "debian", "debian", "Debian GNU/Linux", "12", "aarch64")


class ArchitectureDiffers(Rule):
    """The guest is built for processors of another architecture.

    ## What it does
    Compares the architecture of the guest's programs with that of the target's processors. 32-bit x86 guests run on x86_64.

    ## Why it matters
    The firmware finds no loader that it could run, and no program of the guest would run either.

    ## References
    - `arch` in the target profile, `<type arch=…>` in a libvirt domain
    """

    severity = Severity.ERROR
    stage = Stage.FIRMWARE
    since = "0.1"
    kinds = frozenset({"linux", "windows"})
    examples = (
        Example({"/etc/hostname": "x"}, given=(_ARM,), flags=("disk1 operating system",), severity=Severity.ERROR),
        Example(
            {"/etc/hostname": "x"},
            target="kvm-aarch64",
            flags=("disk1 operating system",),
            severity=Severity.ERROR,
            title="the target has 64-bit ARM processors",
        ),
        Example({"/etc/hostname": "x"}, given=(_ARM,), target="gce-arm64"),
        Example({"/etc/hostname": "x"}),
    )

    def check(self, verdict: FirmwareVerdict) -> Iterator[Finding]:
        for cause in verdict.architecture:
            yield self.finding(cause.where, cause.reason, "the guest does not start", severity=cause.severity)
