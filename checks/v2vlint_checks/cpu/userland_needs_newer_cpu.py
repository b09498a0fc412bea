"""Rule userland-needs-newer-cpu."""

from collections.abc import Iterator

from v2vlint.api import CpuNeeds, Example, Finding, NotApplicable, OsInfo, Rule, Severity, Stage, UserlandVerdict, sample_elf

_LD, _LIBC, _INIT = "/lib64/ld-linux-x86-64.so.2", "/lib64/libc.so.6", "/usr/lib/systemd/systemd"
_ARM_LIBC, _ARM_ELF = "/lib64/libc.so.6", b"\x7fELF\2\1\1" + bytes(9) + b"\3\0\xb7\0" + bytes(44)
_AL2023 = OsInfo("linux", "amzn", "rhel", "Amazon Linux", "2023", "aarch64")
_EL9 = OsInfo("linux", "rocky", "rhel", "Rocky Linux", "9.4", "x86_64")
_EL10 = OsInfo("linux", "rhel", "rhel", "Red Hat Enterprise Linux", "10.0", "x86_64")


class UserlandNeedsNewerCpu(Rule):
    """The guest's userland is built for a newer CPU than the target guarantees.

    ## What it does
    Reads the x86-64 level that ld.so, the C library and the first process require in their ELF notes, and compares it with the target's CPU
    level. Copies under `glibc-hwcaps` are chosen at run time and do not count. Without a note, the distribution's known level gives a
    warning; so it does on 64-bit ARM (Amazon Linux 2023 needs ARMv8.2-A), where programs state no level.

    ## Why it matters
    `Fatal glibc error: CPU does not support x86-64-v3`, then `Attempted to kill init`. Nothing in the guest repairs that: give the machine
    a newer CPU model (`host-model`, `x86-64-v3`, a higher EVC level), or use a distribution built for an older level.

    ## References
    - x86-64 psABI, "Micro-architecture levels"; virt-v2v requests level 2 for Red Hat's family 9: Red Hat bugs 2076013 and 2166619.
    """

    severity = Severity.ERROR
    stage = Stage.USERLAND
    since = "0.1"
    predicts = (r"CPU does not support x86-64-v[234]", r"CPU ISA level is lower than required", r"Attempted to kill init")
    examples = (
        Example({_LD: sample_elf(), _LIBC: sample_elf(3), _INIT: sample_elf(3)}, flags=(_LIBC,), severity=Severity.ERROR),
        Example({_LIBC: sample_elf()}, given=(_EL10,), flags=(_LIBC,), severity=Severity.WARNING, title="known of the distribution only"),
        Example({_LIBC: sample_elf(2), _INIT: sample_elf(1)}, given=(_EL9,), title="the target has level 2"),
        Example({_LIBC: sample_elf(1), "/usr/lib64/glibc-hwcaps/x86-64-v3/libc.so.6": sample_elf(3)}, title="chosen at run time"),
        Example({_LIBC: sample_elf()}, title="says nothing"),
        Example({_LIBC: sample_elf(3)}, target="azure", title="Azure guarantees level 3"),
        Example({_ARM_LIBC: _ARM_ELF}, target="kvm-aarch64", given=(_AL2023,), flags=(_ARM_LIBC,), severity=Severity.WARNING),
        Example({_ARM_LIBC: _ARM_ELF}, target="ec2-graviton", given=(_AL2023,), title="Graviton2 has it"),
    )

    def check(self, userland: UserlandVerdict, needs: CpuNeeds) -> Iterator[Finding]:
        if needs.machine not in ("x86_64", "aarch64", ""):
            raise NotApplicable(f"the userland is built for {needs.machine}")
        for cause in userland.binaries:
            raised = cause.severity is Severity.INFO
            effect = "virt-v2v requests such a CPU" if raised else "the first process dies and the kernel panics"
            yield self.finding(cause.where, cause.reason, effect, severity=cause.severity)
        for known in userland.distribution:
            yield self.finding(known.where, known.reason, "the first process may die", severity=known.severity)
