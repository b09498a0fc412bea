"""Rule manifest-mismatch."""

import dataclasses
from collections.abc import Iterator

from v2vlint.api import (
    Conversion,
    Definition,
    Example,
    Feature,
    Finding,
    Rule,
    Severity,
    Span,
    sample_ovf,
)


def _with(kind: str) -> Definition:
    wrong = Feature(kind, "a.vmdk", Span("guest.mf", 20, 40, 2))
    return dataclasses.replace(sample_ovf(""), features=(wrong,))


class ManifestMismatch(Rule):
    """The manifest of an OVF package does not match its files.

    ## What it does
    Verifies the descriptor's SHA-1, SHA-256 or SHA-512 checksum, and with `--verify-manifest` those of all files. It also finds files that
    are listed but missing, and lines that are not checksums.

    ## Why it matters
    A file was changed or damaged in transit. virt-v2v refuses the package when a checksum is wrong.

    ## References
    - DSP0243, section 5.1; virt-v2v `OVF.ml`, `input_ova.ml`
    """

    severity = Severity.WARNING
    kinds = frozenset({"linux", "windows", "other"})
    since = "0.1"
    predicts = (r"checksum of disk .* does not match manifest",)
    examples = (
        Example({}, given=(_with("manifest-mismatch"),), flags=("guest.mf:2",), severity=Severity.WARNING),
        Example({}, given=(_with("manifest-missing"),), flags=("guest.mf:2",), severity=Severity.INFO),
        Example({}, given=(_with("manifest-malformed"),), flags=("guest.mf:2",), severity=Severity.INFO),
        Example({}, given=(sample_ovf(""),)),
    )

    def check(self, definition: Definition, conversion: Conversion) -> Iterator[Finding]:
        definition.require()
        refuses = "virt-v2v refuses the package" if conversion.by_virt_v2v else "importers that verify it refuse the package"
        for one in definition.features:
            if one.kind == "manifest-mismatch":
                yield self.finding(one.where, f"{one.value} does not match its checksum", f"it was changed or damaged; {refuses}")
            elif one.kind == "manifest-missing":
                message = f"the manifest lists {one.value}, which is absent"
                yield self.finding(one.where, message, "a file is missing from the package, or has another name", severity=Severity.INFO)
            elif one.kind == "manifest-malformed":
                message, effect = f"not a valid manifest line: {one.value!r}", "the file it lists is not verified"
                yield self.finding(one.where, message, effect, severity=Severity.INFO)
