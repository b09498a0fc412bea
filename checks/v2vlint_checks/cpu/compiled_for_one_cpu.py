"""Rule compiled-for-one-cpu."""

from collections.abc import Iterator

from v2vlint.api import CompileFlags, Example, Finding, Rule, Severity, Target, Token, arm_level

_CONF = "/etc/portage/make.conf"
_LEVELS = {
    "x86-64-v4": 4, "skylake-avx512": 4, "cascadelake": 4, "cooperlake": 4, "cannonlake": 4, "icelake-client": 4, "icelake-server": 4,
    "rocketlake": 4, "tigerlake": 4, "sapphirerapids": 4, "emeraldrapids": 4, "graniterapids": 4, "znver4": 4, "znver5": 4,
    "x86-64-v3": 3, "haswell": 3, "core-avx2": 3, "broadwell": 3, "skylake": 3, "alderlake": 3, "raptorlake": 3, "meteorlake": 3,
    "arrowlake": 3, "bdver4": 3, "znver1": 3, "znver2": 3, "znver3": 3,
    "x86-64-v2": 2, "nehalem": 2, "corei7": 2, "westmere": 2, "sandybridge": 2, "corei7-avx": 2, "ivybridge": 2, "core-avx-i": 2,
    "silvermont": 2, "goldmont": 2, "tremont": 2, "bdver1": 2, "bdver2": 2, "bdver3": 2, "btver2": 2,
}  # fmt: skip


class CompiledForOneCpu(Rule):
    """The guest's packages are compiled for the CPU they were built on.

    ## What it does
    Reads Portage's make.conf: `-march=native` and `target-cpu=native` always, a named CPU when its x86-64 or ARM level is above the
    target's.

    ## Why it matters
    Any program, including the first process, may use instructions that the new virtual CPU lacks and die with `illegal instruction`. Set
    `-march=x86-64-v2` and rebuild (`emerge -e @world`) before the move, or pass the host's CPU through.

    ## References
    - GCC manual, "x86 Options"
    """

    severity = Severity.WARNING
    since = "0.1"
    predicts = (r"trap invalid opcode", r"[Ii]llegal instruction")
    examples = (
        Example(
            {_CONF: 'COMMON_FLAGS="-O2 -pipe -march=native"\nCFLAGS="${COMMON_FLAGS}"\n'}, flags=(f"{_CONF}:1",), severity=Severity.WARNING
        ),
        Example({_CONF: 'CFLAGS="-O2 -march=znver4"\nRUSTFLAGS="-C target-cpu=native"\n'}, flags=(f"{_CONF}:1", f"{_CONF}:2")),
        Example({_CONF: 'CFLAGS="-march=x86-64-v2 -mtune=native"\n#CFLAGS="-march=native"\n'}),
        Example({_CONF: 'CFLAGS="-march=haswell"\n'}, target="azure", title="Azure guarantees level 3"),
        Example({_CONF: 'CFLAGS="-O2 -mcpu=neoverse-n1"\n'}, target="kvm-aarch64", flags=(f"{_CONF}:1",), title="any 64-bit ARM"),
        Example({_CONF: 'CFLAGS="-march=armv8.1-a -mtune=neoverse-v2"\n'}, target="gce-arm64", title="Compute Engine has ARMv8.2-A"),
    )

    def check(self, flags: CompileFlags, target: Target) -> Iterator[Finding]:
        for token in flags.march:
            if token in flags.native or _exceeds(token, target):
                message = f"packages are compiled with {token}"
                yield self.finding(token.where, message, "programs may die with an illegal instruction on the target")


def _exceeds(token: Token, target: Target) -> bool:
    """Whether the named CPU has more features than every CPU of the target."""
    name, _, cpu = token.value.partition("=")
    if "tune" in name:  # tuning chooses among instructions that every CPU has
        return False
    return arm_level(cpu) > target.arm_level if target.arch == "aarch64" else _LEVELS.get(cpu, 0) > target.cpu_level
