"""Rule unit-assert-fails."""

from collections.abc import Iterator

from v2vlint.api import Content, Example, Finding, Link, MountsVerdict, Rule, Severity, Stage, sample_boot

_DROP_IN, _TARGET = "/etc/systemd/system/data.mount.d/a.conf", "/etc/systemd/system/basic.target.d/a.conf"
_GUEST: dict[str, Content] = {
    **sample_boot(),
    "/sbin/init": Link("/lib/systemd/systemd"),
    "/lib/systemd/systemd": "",
    "/usr/lib/systemd/system/basic.target": "[Unit]\nRequires=sysinit.target\n",
    "/etc/fstab": "tmpfs /data tmpfs defaults 0 0\n",
}
_GONE = "[Unit]\nAssertPathExists=/opt/agent\n"


class UnitAssertFails(Rule):
    """A unit that boot depends on asserts something that is not so.

    ## What it does
    Looks at `AssertPathExists=`, `AssertPathIsDirectory=`, `AssertPathIsSymbolicLink=`, `AssertDirectoryNotEmpty=`, `AssertFileNotEmpty=`,
    `AssertFileIsExecutable=` and `AssertKernelCommandLine=` of mounts, targets and services that systemd cannot start the guest without.
    What is below a mount point, `/run` or `/tmp` is not judged, nor are other assertions.

    ## Why it matters
    A condition that is not met skips the unit, an assertion fails it: `local-fs.target` fails with its mount, and the guest stops in
    emergency mode.

    ## References
    - systemd.unit(5), "Conditions and Asserts"; systemd `src/core/job.c`, JOB_ASSERT
    """

    severity = Severity.ERROR
    stage = Stage.MOUNTS
    since = "0.2"
    predicts = (r"Assertion failed (for|on job for) ",)
    examples = (
        Example({**_GUEST, _DROP_IN: _GONE}, flags=(f"{_DROP_IN}:2",), severity=Severity.ERROR),
        Example({**_GUEST, _TARGET: _GONE}, flags=(f"{_TARGET}:2",), severity=Severity.ERROR, title="no service starts"),
        Example({**_GUEST, _DROP_IN: _GONE.replace("Assert", "Condition")}, title="a condition skips the unit"),
        Example({**_GUEST, _DROP_IN: _GONE, "/opt/agent": "x"}),
        Example({**_GUEST, _DROP_IN: _GONE, "/etc/fstab": "tmpfs /data tmpfs nofail 0 0\n"}, title="boot goes on without it"),
        Example({**_GUEST, _DROP_IN: f"{_GONE}AssertPathExists=|/etc/fstab\nAssertPathExists=\n"}, title="an empty value resets"),
    )

    def check(self, mounts: MountsVerdict) -> Iterator[Finding]:
        for cause in mounts.asserts:
            yield self.finding(cause.where, cause.reason, cause.about, severity=cause.severity)
