"""Rule secure-boot-on."""

from collections.abc import Iterator

from v2vlint.api import Definition, Example, Finding, Rule, Severity, Target, sample_vmx


class SecureBootOn(Rule):
    """The machine boots with Secure Boot.

    ## What it does
    Reads the setting from VMX files, OVF envelopes and libvirt domains.

    ## Why it matters
    The keys are in the firmware's variables, which rarely travel. With the vendor's usual keys a signed guest still boots. With custom
    keys, or with modules signed by a custom key, it does not boot until they are enrolled again.

    ## References
    - Forklift `hyperv.secure_boot.detected`, `openstack.secure_boot.detected`
    """

    severity = Severity.INFO
    kinds = frozenset({"linux", "windows", "other"})
    since = "0.1"
    examples = (
        Example({}, given=(sample_vmx('firmware = "efi"\nuefi.secureBoot.enabled = "TRUE"\n'),), flags=("guest.vmx:2",)),
        Example({}, given=(sample_vmx('firmware = "efi"\nuefi.secureBoot.enabled = "FALSE"\n'),)),
    )

    def check(self, definition: Definition, target: Target) -> Iterator[Finding]:
        definition.require()
        if definition.secure_boot and not target.keeps_nvram:
            effect = f"enable it on {target.name} too; keys that were enrolled by hand stay behind"
            yield self.finding(definition.at("secure_boot"), "the machine boots with Secure Boot", effect)
