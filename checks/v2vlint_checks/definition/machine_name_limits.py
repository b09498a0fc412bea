"""Rule machine-name-limits."""

import dataclasses
import re
from collections.abc import Iterator

from v2vlint.api import Definition, Example, Finding, NotApplicable, Rule, Severity, Target, sample_vmx


class MachineNameLimits(Rule):
    """The target does not accept the name of the machine.

    ## What it does
    Compares the name in the definition with what the target's profile allows (`limits.name`).

    ## Why it matters
    The import is refused, or the machine gets another name that scripts and monitoring do not know.

    ## References
    - Forklift `vmware.vm.name.invalid`; RFC 1123; Kubernetes, "Object names"
    """

    severity = Severity.WARNING
    kinds = frozenset({"linux", "windows", "other"})
    since = "0.1"
    examples = (
        Example({}, given=(sample_vmx('displayName = "Web server (old)"\n'),), target="kubevirt", flags=("guest.vmx:1",)),
        Example({}, given=(sample_vmx(f'displayName = "{"a" * 64}"\n'),), target="gce", flags=("guest.vmx:1",)),
        Example({}, given=(sample_vmx('displayName = "web-1"\n'),), target="kubevirt"),
        Example({}, given=(sample_vmx('displayName = "Web server (old)"\n'),), title="libvirt takes it"),
        Example({}, given=(dataclasses.replace(sample_vmx(""), name=""),), target="gce"),
    )

    def check(self, definition: Definition, target: Target) -> Iterator[Finding]:
        definition.require()
        allowed = target.limits.name
        if allowed is None:
            raise NotApplicable(f"no naming limits of {target.name} are known")
        if definition.name and (len(definition.name) > allowed.longest or not re.fullmatch(allowed.pattern, definition.name)):
            message = (
                f"the name {definition.name[:80]!r} is not valid on {target.name}: at most {allowed.longest} characters, {allowed.words}"
            )
            yield self.finding(definition.at("name"), message, "the import is refused, or the machine gets another name")
