"""Rule lvm-on-system-disk."""

from collections.abc import Iterator

from v2vlint.api import Audience, BlockDevice, Device, Example, Finding, NotApplicable, RootStack, Rule, Severity, Target

_LV = BlockDevice("vg/root", "lv", 8 << 30, 0)


class LvmOnSystemDisk(Rule):
    """The root filesystem is on LVM, and the target asks for plain partitions.

    ## What it does
    Looks under the root filesystem where the target's profile says `admission.lvm = false`.

    ## Why it matters
    A disk of a broken machine is attached to another one for repair. With LVM, two machines made from one image have volume groups of the
    same name, and the second cannot be activated.

    ## References
    - Azure, "Information for community supported and non-endorsed distributions": "use standard partitions rather than LVM"
    """

    severity = Severity.INFO
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example({"/etc/hostname": "a\n"}, given=(RootStack("xfs", _LV, (_LV,)),), target="azure", flags=("vg/root",)),
        Example({"/etc/hostname": "a\n"}, given=(RootStack("xfs", _LV, (_LV,)),), title="KVM does not mind"),
        Example({"/etc/hostname": "a\n"}, given=(RootStack("xfs"),), target="azure"),
    )

    def check(self, stack: RootStack, target: Target) -> Iterator[Finding]:
        if target.admission.lvm:
            raise NotApplicable(f"{target.name} takes images on LVM")
        for volume in stack.of_kind("lv"):
            effect = "the disk of a broken machine cannot be repaired in another one of the same image"
            yield self.finding(Device(volume.name), "the root filesystem is on LVM", effect)
