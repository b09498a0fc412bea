"""Rule machine-too-large."""

from collections.abc import Iterator

from v2vlint.api import Definition, Example, Finding, NotApplicable, Rule, Severity, Target, sample_vmx


class MachineTooLarge(Rule):
    """The machine has more processors or memory than the target allows.

    ## What it does
    Compares the definition with `limits.cpus` and `limits.memory_gib` of the target's profile.

    ## Why it matters
    The import is refused, or the machine does not start until it is made smaller, which its software has to cope with.

    ## References
    - Microsoft, "Plan for Hyper-V scalability in Windows Server"; VMware, configuration maximums
    """

    severity = Severity.WARNING
    kinds = frozenset({"linux", "windows", "other"})
    since = "0.1"
    examples = (
        Example({}, given=(sample_vmx('memsize = "4096"\nnumvcpus = "96"\n'),), target="hyperv-gen1", flags=("guest.vmx:2",)),
        Example({}, given=(sample_vmx('memsize = "2097152"\nnumvcpus = "64"\n'),), target="hyperv-gen1", flags=("guest.vmx:1",)),
        Example({}, given=(sample_vmx('memsize = "1048576"\nnumvcpus = "64"\n'),), target="hyperv-gen1", title="just as much as it gives"),
        Example({}, given=(sample_vmx('memsize = "4096"\nnumvcpus = "96"\n'),), target="hyperv-gen2"),
        Example({}, given=(sample_vmx('memsize = "4096"\nnumvcpus = "96"\n'),), title="KVM's limits are those of the host"),
    )

    def check(self, definition: Definition, target: Target) -> Iterator[Finding]:
        definition.require()
        cpus, memory = target.limits.cpus, target.limits.memory_gib
        if not (cpus or memory):
            raise NotApplicable(f"no processor or memory limits of {target.name} are known")
        effect = "the import is refused, or the machine does not start until it is made smaller"
        if cpus and definition.cpus > cpus:
            message = f"the machine has {definition.cpus} processors, and {target.title} allows at most {cpus}"
            yield self.finding(definition.at("cpus"), message, effect)
        if memory and definition.memory_mib > memory << 10:
            message = f"the machine has {definition.memory_mib >> 10} GiB of memory, and {target.title} allows at most {memory}"
            yield self.finding(definition.at("memory_mib"), message, effect)
