"""Rule machine-suspended."""

from collections.abc import Iterator

from v2vlint.api import Definition, Example, Finding, Rule, Severity, sample_vmx


class MachineSuspended(Rule):
    """The machine is suspended, not shut down.

    ## What it does
    Finds the file with the machine's memory that a VMX file refers to.

    ## Why it matters
    The memory does not travel. For the guest the move is a power failure: filesystems are not clean, and unwritten data is lost.

    ## References
    - VMware, `checkpoint.vmState`
    """

    severity = Severity.WARNING
    kinds = frozenset({"linux", "windows", "other"})
    since = "0.1"
    examples = (
        Example({}, given=(sample_vmx('checkpoint.vmState = "web-1a2b.vmss"\n'),), flags=("guest.vmx:1",)),
        Example({}, given=(sample_vmx('checkpoint.vmState = ""\n'),)),
    )

    def check(self, definition: Definition) -> Iterator[Finding]:
        definition.require()
        for one in definition.features:
            if one.kind == "suspended":
                effect = "its memory does not come along: resume it and shut it down before the move"
                yield self.finding(one.where, f"the machine is suspended (its memory is in {one.value})", effect)
