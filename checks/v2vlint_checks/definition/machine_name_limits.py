"""Rule machine-name-limits."""

import dataclasses
import re
from collections.abc import Iterator

from v2vlint.api import Definition, Example, Finding, NotApplicable, Rule, Severity, Target, sample_vmx

_ALLOWED = {
    "kubevirt": (r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", 63, "lower-case letters, digits and hyphens"),
    "gce": (r"[a-z]([-a-z0-9]*[a-z0-9])?", 63, "a lower-case letter, then letters, digits and hyphens"),
    "proxmox": (r"[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?", 255, "a DNS name"),
    "azure": (r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9_])?", 64, "letters, digits, hyphens, dots and underscores"),
    "ovirt": (r"[-A-Za-z0-9_.+]+", 255, "letters, digits and -_.+"),
}


class MachineNameLimits(Rule):
    """The target does not accept the name of the machine.

    ## What it does
    Compares the name in the definition with what KubeVirt, GCE, Proxmox VE, Azure and oVirt allow.

    ## Why it matters
    The import is refused, or the machine gets another name, which scripts and monitoring do not know.

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
        if target.name not in _ALLOWED:
            raise NotApplicable(f"no limits of names on {target.name} are known")
        pattern, longest, words = _ALLOWED[target.name]
        if definition.name and (len(definition.name) > longest or not re.fullmatch(pattern, definition.name)):
            message = f"the name {definition.name[:80]!r} is not one for {target.name}: at most {longest} characters, {words}"
            yield self.finding(definition.at("name"), message, "the import is refused, or the machine gets another name")
