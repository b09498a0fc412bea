"""Rule virtual-tpm."""

from collections.abc import Iterator

from v2vlint.api import Definition, Example, Finding, Rule, Severity, Target, sample_domain, sample_vmx

_TPM = "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>\n"


class VirtualTpm(Rule):
    """The machine has a virtual TPM whose content does not travel.

    ## What it does
    Finds a TPM in the definition, on targets that do not carry it over.

    ## Why it matters
    Keys sealed to it are lost: BitLocker asks for its recovery key, a LUKS slot bound to it no longer opens, measured boot and attestation
    fail.

    ## References
    - Forklift `vmware.tpm.detected`; virt-v2v(1), "BitLocker"
    """

    severity = Severity.WARNING
    kinds = frozenset({"linux", "windows", "other"})
    since = "0.1"
    examples = (
        Example({}, given=(sample_domain(_TPM),), flags=("guest.xml:3",)),
        Example({}, given=(sample_vmx('vtpm.present = "TRUE"\n'),), flags=("guest.vmx:1",)),
        Example({}, given=(sample_vmx('vtpm.present = "FALSE"\n'),)),
    )

    def check(self, definition: Definition, target: Target) -> Iterator[Finding]:
        definition.require()
        if definition.tpm and not target.keeps_tpm:
            effect = "the new machine's TPM is empty: keep recovery keys at hand, and add a passphrase where only the TPM unlocks"
            yield self.finding(definition.at("tpm"), "the machine has a virtual TPM", effect)
