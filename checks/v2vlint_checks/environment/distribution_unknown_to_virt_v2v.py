"""Rule distribution-unknown-to-virt-v2v."""

from collections.abc import Iterator

from v2vlint.api import (
    Conversion,
    Example,
    Finding,
    Mover,
    NotApplicable,
    OsInfo,
    Refusals,
    Rule,
    Severity,
)

_AMAZON = OsInfo("linux", "amzn", "rhel", "Amazon Linux", "2", "x86_64")
_ALMA = OsInfo("linux", "almalinux", "rhel", "AlmaLinux", "9.4", "x86_64")
_ARCH = OsInfo("linux", "arch", "arch", "Arch Linux", "", "x86_64")


class DistributionUnknownToVirtV2v(Rule):
    """virt-v2v does not convert this distribution.

    ## What it does
    With virt-v2v as the mover: compares the distribution, as libguestfs reads it from os-release and older release files, with virt-v2v's
    list. AlmaLinux passes because of its `/etc/redhat-release`; Amazon Linux, Arch, Alpine, Gentoo and openEuler do not.

    ## Why it matters
    `virt-v2v is unable to convert this guest type`. Copy the disks unchanged, after repairing the findings for a raw copy.

    ## References
    - virt-v2v `convert/convert.ml`, `convert`; libguestfs `daemon/inspect_fs_unix.ml`, `distro_of_os_release_id`
    """

    severity = Severity.ERROR
    since = "0.1"
    predicts = (r"virt-v2v is unable to convert this guest type",)
    examples = (
        Example(
            {"/etc/system-release": "Amazon Linux release 2\n"},
            given=(_AMAZON,),
            mover=Mover.VIRT_V2V,
            flags=("/etc/os-release",),
            severity=Severity.ERROR,
        ),
        Example({"/etc/hostname": "x\n"}, given=(_ARCH,), mover=Mover.VIRT_V2V, flags=("/etc/os-release",)),
        Example({"/etc/redhat-release": "AlmaLinux release 9.4 (Seafoam Ocelot)\n"}, given=(_ALMA,), mover=Mover.VIRT_V2V),
        Example({"/etc/hostname": "x\n"}, given=(_AMAZON,), title="a raw copy asks nobody"),
    )

    def check(self, refusals: Refusals, conversion: Conversion) -> Iterator[Finding]:
        if not conversion.by_virt_v2v:
            raise NotApplicable("virt-v2v is not the mover")
        for refusal in refusals.of("distribution"):
            yield self.finding(refusal.where, refusal.reason, "virt-v2v stops with an error and converts nothing")
