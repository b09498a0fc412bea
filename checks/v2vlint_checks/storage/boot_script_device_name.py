"""Rule boot-script-device-name."""

from collections.abc import Iterator

from v2vlint.api import (
    BlockTable,
    DeviceMention,
    DeviceMentions,
    Example,
    Finding,
    NameFate,
    NameKind,
    Rule,
    Severity,
    Target,
    kernel_fate,
    name_kind,
)

_EFFECTS = {
    "script": "the command fails at boot, or acts on another disk",
    "unit": "the service fails, or acts on another disk",
    "cron": "the job fails, or acts on another disk",
    "smartd": "smartd fails to start, or watches nothing",
    "hdparm": "the settings are not applied",
    "kdump": "a crash dump has nowhere to go",
}


class BootScriptDeviceName(Rule):
    """A script, unit, cron job or daemon configuration names a disk by a name that will change.

    ## What it does
    Looks for `/dev/sda`, `/dev/disk/by-path/…` and the like in rc.local, local init scripts, systemd units and drop-ins in /etc, cron
    tables, smartd.conf, hdparm.conf, DRBD resources, autofs maps, kdump.conf and similar files. Comments and patterns do not count.

    ## Why it matters
    Nothing renames them: the command no longer acts on its disk, or acts on another one.

    ## References
    - virt-v2v edits fstab, crypttab and the boot loader only: `convert/convert_linux.ml`, `remap_block_devices`.
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example(
            {"/etc/rc.local": "#!/bin/sh\n# blockdev --setra 64 /dev/sdz\nblockdev --setra 4096 /dev/sda  # not /dev/sdb\nexit 0\n"},
            flags=("/etc/rc.local:3",),
            severity=Severity.WARNING,
        ),
        Example(
            {
                "/etc/smartd.conf": "/dev/sda -a -o on\n",
                "/etc/systemd/system/swapon.service": "[Service]\nExecStart=/sbin/swapon /dev/disk/by-id/ata-X-part2\n",
            },
            flags=("/etc/systemd/system/swapon.service:2", "/etc/smartd.conf:1"),
        ),
        Example({"/etc/rc.local": "fstrim /\nls /dev/sd*\nfor d in /dev/sda /dev/sdb; do :; done\n"}, target="kvm-scsi"),
        Example(
            {
                "/etc/smartd.conf": "#/dev/sda -a\nDEVICESCAN -d removable\n",
                "/etc/cron.d/x": "@reboot root ls /dev/sd[a-z] /dev/disk/by-uuid/77 /dev/null\n",
                "/etc/systemd/system/data.mount": "[Mount]\nWhat=/dev/disk/by-uuid/77\n",
            }
        ),
    )

    def check(self, mentions: DeviceMentions, blocks: BlockTable, target: Target) -> Iterator[Finding]:
        for mention in mentions.mentions:
            if mention.how == "path" and mention.key != "What" and _changes(mention, target, blocks):
                severity = Severity.INFO if mention.kind in ("smartd", "hdparm") else Severity.WARNING
                message = f"{mention.name} is named in a {_noun(mention)}, and its name will change"
                effect = _EFFECTS.get(mention.kind, "it is not found, or is another disk")
                yield self.finding(mention.name.where, message, effect, severity=severity)


def _changes(mention: DeviceMention, target: Target, blocks: BlockTable) -> bool:
    gone = kernel_fate(mention.device, target, blocks) is NameFate.GONE
    return gone or name_kind(mention.device) is NameKind.HARDWARE


def _noun(mention: DeviceMention) -> str:
    return {"script": "boot script", "unit": "systemd unit", "cron": "cron job", "udev": "udev rule"}.get(
        mention.kind, f"{mention.kind} setting"
    )
