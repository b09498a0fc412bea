"""Rule another-system-starts."""

from collections.abc import Iterator

from v2vlint.api import EntryVerdict, Example, Finding, Rule, Severity, Stage, sample_other_system

_HOST = {"/etc/hostname": "web\n"}


class AnotherSystemStarts(Rule):
    """The guest has several operating systems, and another one starts by default.

    ## What it does
    For guests with several systems: follows the firmware's choice (boot code of the first disk that has any, the active partition, the
    fallback loader) to the boot loader, and its default entry to a system.

    ## Why it matters
    The boot forecast for this system holds only if it is chosen in a menu, where there is one. A Linux whose boot loader is never
    started cannot be chosen at all.

    ## References
    - `grub-install`(8), `os-prober`; UEFI specification, section 3.5.1.1
    """

    severity = Severity.INFO
    stage = Stage.ENTRY
    kinds = frozenset({"linux", "windows"})
    since = "0.1"
    examples = (
        Example(
            dict(_HOST),
            given=sample_other_system("disk1p1", "Windows 10 Pro 10.0.19045"),
            flags=("disk1p1",),
            severity=Severity.INFO,
            title="a Linux without boot code beside a Windows",
        ),
        Example(dict(_HOST), title="one system"),
    )

    def check(self, entry: EntryVerdict) -> Iterator[Finding]:
        for cause in entry.another:
            yield self.finding(cause.where, cause.reason, "this one starts only when chosen from a menu, if there is one")
