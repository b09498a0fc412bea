"""Rule locally-built-modules."""

from collections.abc import Iterator

from v2vlint.api import BootChoices, Dkms, Example, Finding, Rule, Severity, WholeFile, sample_boot

_MODULE = "/lib/modules/6.1.0-13-amd64/updates/dkms/nvidia.ko.xz"


class LocallyBuiltModules(Rule):
    """Kernel modules built on the machine itself are installed.

    ## What it does
    Finds modules that DKMS built for the default kernel.

    ## Why it matters
    They are not signed by the distribution: if the target enables Secure Boot, the kernel refuses them. Drivers for hardware that stays
    behind (vendor GPUs, RAID cards, guest additions) are best removed before the move.

    ## References
    - dkms(8); module signing, `Documentation/admin-guide/module-signing.rst`
    """

    severity = Severity.INFO
    since = "0.1"
    examples = (
        Example({**sample_boot(), _MODULE: b"\xfd7zXZ"}, flags=(_MODULE,), severity=Severity.INFO),
        Example({**sample_boot(), _MODULE.replace("6.1.0-13", "5.10.0-1"): b"\xfd7zXZ"}, title="for another kernel"),
        Example({**sample_boot(), "/var/lib/dkms/mok.key": "x"}),
    )

    def check(self, dkms: Dkms, choices: BootChoices) -> Iterator[Finding]:
        version = choices.default.version if choices.default else ""
        found = [module for module in dkms.modules if module.version == version]
        if found:
            names = ", ".join(dict.fromkeys(module.name for module in found[:4]))
            message = f"kernel {version} has modules that were built on this machine ({names})"
            effect = "the kernel refuses them where Secure Boot is on and their key is not enrolled"
            yield self.finding(WholeFile(found[0].path), message, effect, related=tuple(WholeFile(m.path) for m in found[1:5]))
