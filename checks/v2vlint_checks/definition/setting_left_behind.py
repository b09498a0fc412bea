"""Rule setting-left-behind."""

from collections.abc import Iterator

from v2vlint.api import Definition, Example, Finding, Rule, Severity, sample_domain, sample_ovf, sample_vmx

_WARN = {
    "cpu-affinity": ("virtual processors are pinned to the host's", "the pinning does not travel"),
    "numa-affinity": ("memory is bound to NUMA nodes of the host", "the binding does not travel"),
    "nic-filter": ("a network filter guards a card", "the card is open on the target"),
    "watchdog": ("the machine has a watchdog", "a hung guest is no longer restarted"),
    "shared-folder": ("a folder of the host is shared into the guest", "it does not exist on the target"),
    "shared-memory": ("the machine shares memory with its host", "software that uses it stops working"),
    "memory-encryption": ("the machine's memory is encrypted", "it is not encrypted on the target, and attestation fails"),
    "qemu-arguments": ("QEMU is started with custom arguments", "they do not travel"),
    "direct-kernel": ("the host boots a kernel directly", "the target boots through the boot loader on the disks"),
    "smartcard": ("the machine has a smart card reader", "it does not travel"),
}
_TELL = {
    "configuration": ("one of several configurations was read", "--configuration NAME chooses another"),
    "further-system": ("the package holds another machine", "only the first was read"),
    "numa-topology": ("the machine has a NUMA topology", "it is not taken over"),
    "cpu-hotplug": ("processors can be added while it runs", "the setting is not taken over"),
    "memory-hotplug": ("memory can be added while it runs", "the setting is not taken over"),
    "cpu-shares": ("processor time is weighted by shares", "the shares are not taken over"),
    "nic-qos": ("a card's bandwidth is limited", "the limit is not taken over"),
    "iothreads": ("disks have I/O threads", "the setting is not taken over"),
    "huge-pages": ("its memory is in huge pages", "the setting is not taken over"),
    "boot-menu": ("the firmware shows a boot menu", "the setting is not taken over"),
    "disk-serials": ("disks show their serial numbers", "names under /dev/disk/by-id change"),
    "change-tracking": ("changed blocks are tracked", "the next backup is a full one"),
    "usb-controller": ("the machine has a USB controller", "devices on it do not travel"),
    "usb-redirection": ("USB devices are redirected into it", "they do not travel"),
    "sound": ("the machine has a sound card", "it is not taken over"),
    "parallel-port": ("the machine has a parallel port", "devices on it, such as a dongle, do not travel"),
    "spice": ("its display is SPICE", "the target has another display"),
    "3d-acceleration": ("its display has 3D acceleration", "the target renders in software"),
}


class SettingLeftBehind(Rule):
    """A setting of the machine does not travel.

    ## What it does
    Finds pinning, NUMA binding, hot-plug, shares, limits, filters, watchdogs, shared folders, custom QEMU arguments and devices that no
    converter carries over. `docs/definitions.md` lists them all.

    ## Why it matters
    The guest still boots. Whatever the setting was for has to be set up again on the target.

    ## References
    - Forklift's policies on affinity, hot-plug, NUMA, watchdogs, shares and the boot menu
    """

    severity = Severity.WARNING
    kinds = frozenset({"linux", "windows", "other"})
    since = "0.1"
    examples = (
        Example(
            {},
            given=(
                sample_domain(
                    "<watchdog model='i6300esb' action='reset'/>\n", "<numatune><memory mode='strict' nodeset='1'/></numatune>\n"
                ),
            ),
            flags=("guest.xml:4", "guest.xml:2"),
            severity=Severity.WARNING,
        ),
        Example({}, given=(sample_vmx('vcpu.hotadd = "TRUE"\n'),), flags=("guest.vmx:1",), severity=Severity.INFO),
        Example(
            {},
            given=(sample_ovf('<vmw:Config vmw:key="memoryHotAddEnabled" vmw:value="true"/>\n'),),
            flags=("guest.ovf:6",),
            severity=Severity.INFO,
        ),
        Example({}, given=(sample_vmx('vcpu.hotadd = "FALSE"\nsched.cpu.affinity = "all"\nnumvcpus = "2"\n'),)),
        Example({}, given=(sample_domain("<memballoon model='virtio'/>\n<serial type='pty'/>\n"),)),
    )

    def check(self, definition: Definition) -> Iterator[Finding]:
        definition.require()
        for one in definition.features:
            severity = Severity.WARNING if one.kind in _WARN else Severity.INFO
            words = _WARN.get(one.kind) or _TELL.get(one.kind)
            if words:
                value = f" ({one.value})" if one.value and one.value.lower() != "true" else ""
                yield self.finding(one.where, f"{words[0]}{value}", words[1], severity=severity)
