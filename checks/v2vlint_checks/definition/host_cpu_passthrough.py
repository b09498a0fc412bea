"""Rule host-cpu-passthrough."""

from collections.abc import Iterator

from v2vlint.api import Definition, Example, Finding, Rule, Severity, sample_domain


class HostCpuPassthrough(Rule):
    """The machine has the processor of its host.

    ## What it does
    Finds `host-passthrough`, `maximum` and `host-model` in a libvirt domain.

    ## Why it matters
    Software that was installed or built there may use instructions that another host lacks. The CPU rules report what the guest's own
    files show of that.

    ## References
    - libvirt, "CPU model and topology"; Forklift `ovirt.cpu.custom_model.detected`
    """

    severity = Severity.INFO
    kinds = frozenset({"linux", "windows", "other"})
    since = "0.1"
    examples = (
        Example({}, given=(sample_domain("", "<cpu mode='host-passthrough'/>\n"),), flags=("guest.xml:2",), severity=Severity.INFO),
        Example({}, given=(sample_domain("", "<cpu mode='custom'><model>Nehalem</model></cpu>\n"),)),
        Example({}, given=(sample_domain(""),)),
    )

    def check(self, definition: Definition) -> Iterator[Finding]:
        definition.require()
        if definition.cpu_mode in ("host-passthrough", "maximum", "host-model"):
            message = f"the machine has the processor of its host ({definition.cpu_mode})"
            effect = "programs built there may need instructions that the target's processor lacks"
            yield self.finding(definition.at("cpu_mode"), message, effect)
