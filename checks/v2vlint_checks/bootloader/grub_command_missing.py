"""Rule grub-command-missing."""

from collections.abc import Iterator

from v2vlint.api import BlockDevice, BlockTable, EntryVerdict, Example, Finding, OsInfo, Rule, Severity, Stage, sample_chain

_CFG = "/boot/efi/EFI/centos/grub.cfg"
_ENTRY = "menuentry 'CentOS' {{\n\t{0} /vmlinuz-3.10.0-1160 root=UUID=1 ro\n\tinitrd{1} /i.img\n}}\n"
_LISTED = {"/boot/grub/i386-pc/linux.mod": "", "/boot/grub/i386-pc/command.lst": "*linux: linux\n*initrd: linux\n"}
_GUEST: dict[str, str | bytes] = {"/boot/efi/EFI/centos/grubx64.efi": b"MZ GRUB", "/boot/efi/EFI/BOOT/BOOTX64.EFI": b"MZ GRUB"}
_ESP = BlockDevice("disk1p1", "partition", 1 << 29, 0, 1, "vfat", "AB-CD", part_type="c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
_UEFI = BlockTable((BlockDevice("disk1", "disk", 2 << 30, 0, details=(("pt", "gpt"),)), _ESP), chains=(sample_chain("none"),))
_BIOS = BlockTable((BlockDevice("disk1", "disk", 2 << 30, 0, details=(("pt", "dos"),)),), chains=(sample_chain(),))
_OS = OsInfo("linux", "centos", "rhel", "CentOS Linux", "7.9", "x86_64")


class GrubCommandMissing(Rule):
    """The default entry uses a command that this GRUB does not have.

    ## What it does
    Determines which modules are built into the GRUB that starts and which it can load from the `$prefix` folder, and compares them with
    the commands of the default entry.

    ## Why it matters
    `linux16` is for BIOS: GRUB for UEFI, shipped as one signed file (Red Hat, Debian, Ubuntu), has it neither built in nor in a module
    folder; where it can be loaded, the kernel hangs, as it begins with routines of a BIOS. `linuxefi` is a distribution patch for UEFI.
    GRUB prints `error: can't find command` and loads nothing. Such a menu is left behind when a guest's firmware was changed, or when the
    menu was generated for the other one, as virt-v2v does (issue 160). Regenerate it with the guest's own grub-mkconfig while it runs
    with this firmware, or replace the command with `linux`.

    ## References
    - GRUB: `grub-core/script/execute.c`, `grub_script_execute_cmdline`; Red Hat's module list is in `grub2.spec`.
    - libguestfs/virt-v2v issue 160
    """

    severity = Severity.ERROR
    stage = Stage.ENTRY
    since = "0.1"
    predicts = (
        r"can't find command .?(?:linux|initrd|multiboot|chainloader)(?:16|efi|2)?", r"[Uu]nknown command .?(?:linux|initrd)(?:16|efi)?",
    )  # fmt: skip
    examples = (
        Example({**_GUEST, _CFG: _ENTRY.format("linux16", "16")}, given=(_UEFI, _OS), flags=(f"{_CFG}:2",), severity=Severity.ERROR),
        Example({**_LISTED, "/boot/grub/grub.cfg": _ENTRY.format("linuxefi", "efi")}, given=(_BIOS,), flags=("/boot/grub/grub.cfg:2",)),
        Example({**_LISTED, "/boot/grub/grub.cfg": _ENTRY.format("linux16", "16")}, given=(_BIOS,), title="inside core.img, perhaps"),
        Example({**_GUEST, _CFG: _ENTRY.format("linuxefi", "efi")}, given=(_UEFI, _OS)),
        Example({**_GUEST, _CFG: _ENTRY.format("linux", "")}, given=(_UEFI, _OS)),
    )

    def check(self, entry: EntryVerdict) -> Iterator[Finding]:
        for cause in entry.command:
            effect = "GRUB prints an error, loads no kernel, and waits at the console"
            if not cause.about.unknown_command:
                effect = "the machine hangs when GRUB starts the kernel"
            yield self.finding(cause.where, cause.reason, effect, severity=cause.severity)
