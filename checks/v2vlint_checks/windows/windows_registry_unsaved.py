"""Rule windows-registry-unsaved."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Hive, Registry, Rule, Severity, WholeFile, sample_unsaved_hive

_SYSTEM = "/Windows/System32/config/SYSTEM"
_TEXT = "[ControlSet001\\Control]\n"


class WindowsRegistryUnsaved(Rule):
    """The last changes to the registry are only in its log files.

    ## What it does
    Compares the two sequence numbers in the header of the SYSTEM and SOFTWARE hives. If the log files belong to the hive, v2vlint reads
    the changes from them, as Windows will at its next boot, and its findings are up to date.

    ## Why it matters
    Windows writes the log into the hive at its next boot. Other tools read an older state, and those that write to the hive (converters
    that inject drivers) lose these changes or mix old and new. The guest was not shut down cleanly: it was running, or had crashed.

    ## References
    - The format of hives and their logs: github.com/msuhanov/regf
    """

    severity = Severity.WARNING
    since = "0.1"
    kinds = frozenset({"windows"})
    examples = (
        Example({_SYSTEM: sample_unsaved_hive(_TEXT)}, flags=(_SYSTEM,), severity=Severity.WARNING),
        Example({_SYSTEM: Hive(_TEXT)}),
    )

    def check(self, registry: Registry) -> Iterator[Finding]:
        for hive in registry.unsaved:
            stale = "" if hive.replayed else "findings about the registry may be outdated, and "
            effect = f"{stale}edits from outside may be lost or mix old and new; shut the guest down cleanly"
            yield self.finding(WholeFile(hive.path), f"{hive.path} was not written out: its last changes are in its log files", effect)
