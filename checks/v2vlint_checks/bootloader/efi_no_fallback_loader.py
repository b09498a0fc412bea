"""Rule efi-no-fallback-loader."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BlockDevice,
    BlockTable,
    CopyFile,
    Efi,
    EfiImage,
    Example,
    Finding,
    FirmwareVerdict,
    Fix,
    Mover,
    NotApplicable,
    OsInfo,
    Rule,
    Severity,
    Stage,
    Target,
    Unknown,
    firmware_arch,
    sample_chain,
)

_NAMES = {"x86_64": "BOOTX64.EFI", "i386": "BOOTIA32.EFI", "aarch64": "BOOTAA64.EFI", "riscv64": "BOOTRISCV64.EFI"}
_GPT = (("pt", "gpt"),)
_ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
_DISK = BlockDevice("disk1", "disk", 2 << 30, 0, details=_GPT)
_PART = BlockDevice("disk1p1", "partition", 1 << 29, 0, 1, "vfat", "AB-CD", part_type=_ESP)
_UEFI = BlockTable((_DISK, _PART), chains=(sample_chain("none"),))
_MBR = BlockDevice("disk1", "disk", 2 << 30, 0, details=(("pt", "dos"),))
_DEBIAN: dict[str, str | bytes] = {
    "/boot/efi/EFI/debian/shimx64.efi": "MZ shim",
    "/boot/efi/EFI/debian/grubx64.efi": "MZ grub",
    "/boot/efi/EFI/debian/grub.cfg": "configfile /boot/grub/grub.cfg\n",
}


class EfiNoFallbackLoader(Rule):
    r"""The EFI system partition has no fallback loader, and the firmware's boot entries do not travel.

    ## What it does
    For guests that can only boot with UEFI: looks for `\EFI\BOOT\BOOTX64.EFI` (or that of the architecture), ignoring case. Guests that can
    boot from BIOS and targets that keep the NVRAM are skipped.

    ## Why it matters
    The entry "debian" or "Red Hat" lives in the firmware's NVRAM, which stays behind. New firmware only knows the fallback path, finds
    nothing, and ends in its shell or at the network boot prompt. The same happens if the file there is not a valid program: empty, random
    bytes, or truncated.

    ## Fix safety
    Safe: the distribution's own loader is copied to the fallback path: shim together with the GRUB it starts, GRUB legacy together with its
    configuration, which it looks for in its own folder (`BOOTX64.conf`). Nothing is replaced.

    ## References
    - virt-v2v commits 59f0c279 and 16167926 (RHEL-144467): it repairs Debian 12, Ubuntu 14 and CentOS 6 only.
    - FuturFusion/migration-manager issue 372; AWS VM Import demands BOOTX64.EFI
    - UEFI specification, section 3.5.1.1
    """

    severity = Severity.ERROR
    stage = Stage.FIRMWARE
    since = "0.1"
    predicts = (
        r"No UEFI fix rule for .*",
        r"No bootable option or device was found",
        r"BdsDxe: failed to load Boot\w+",
        r"(?i)UEFI Interactive Shell",
    )
    examples = (
        Example(
            _DEBIAN,
            given=(_UEFI,),
            flags=("/boot/efi/EFI",),
            severity=Severity.ERROR,
            fixed={"/boot/efi/EFI/BOOT/BOOTX64.EFI": "MZ shim", "/boot/efi/EFI/BOOT/grubx64.efi": "MZ grub"},
        ),
        Example(_DEBIAN, given=(_UEFI,), mover=Mover.VIRT_V2V, flags=("/boot/efi/EFI",), severity=Severity.INFO, title="Debian 12"),
        Example(
            {"/boot/efi/EFI/redhat/grub.efi": "MZ grub", "/boot/efi/EFI/redhat/grub.conf": "title a\n kernel /vmlinuz root=/dev/sda2\n"},
            given=(_UEFI,),
            flags=("/boot/efi/EFI",),
            fixed={
                "/boot/efi/EFI/BOOT/BOOTX64.EFI": "MZ grub",
                "/boot/efi/EFI/BOOT/BOOTX64.conf": "title a\n kernel /vmlinuz root=/dev/sda2\n",
            },
            title="GRUB legacy has its configuration beside it",
        ),
        Example(
            {
                **_DEBIAN,
                "/boot/efi/EFI/boot/bootia32.efi": "MZ grub",
                "/boot/efi/EFI/arch/shimx64.efi": "MZ shim",
                "/boot/efi/EFI/debian/mmx64.efi": "MZ keys",
            },
            given=(_UEFI,),
            flags=("/boot/efi/EFI",),
            fixed={
                "/boot/efi/EFI/boot/BOOTX64.EFI": "MZ shim",
                "/boot/efi/EFI/boot/grubx64.efi": "MZ grub",
                "/boot/efi/EFI/boot/mmx64.efi": "MZ keys",
            },
            title="a shim without a loader is of no use; the folder is there for another architecture",
        ),
        Example({**_DEBIAN, "/boot/efi/EFI/boot/bootx64.efi": b"\0" * 700}, given=(_UEFI,), flags=("/boot/efi/EFI/boot/bootx64.efi",)),
        Example({"/etc/hostname": "x\n"}, given=(_UEFI,), unknown=True, title="the ESP is not mounted and was not read"),
        Example({**_DEBIAN, "/boot/efi/EFI/boot/bootx64.efi": b"MZ"}, given=(_UEFI,), title="FAT knows no case"),
        Example(_DEBIAN, given=(BlockTable((_MBR, _PART), chains=(sample_chain(),)),), title="starts from BIOS as well"),
        Example({"/etc/hostname": "x\n"}, given=(BlockTable((_MBR,), chains=(sample_chain(),)),)),
        Example(_DEBIAN, given=(_UEFI,), target="hyperv-gen1", title="the target has no UEFI"),
    )

    def check(self, firmware: FirmwareVerdict, efi: Efi, os: OsInfo, target: Target) -> Iterator[Finding | Unknown]:
        if target.keeps_nvram or "uefi" not in target.firmware:
            raise NotApplicable("the firmware's boot entries travel" if target.keeps_nvram else "the target has no UEFI firmware")
        arch = firmware_arch(os.arch, target)
        name = _NAMES.get(arch, "BOOTX64.EFI")
        for cause in firmware.fallback:
            broken = efi.broken_fallback(arch)
            lacking = rf"the ESP has no \EFI\BOOT\{name}, and only the source's NVRAM knows where the loader is"
            message = f"{broken.path} is not a valid program: it {broken.problem}" if broken else lacking
            copied = cause.severity is Severity.INFO
            effect = "virt-v2v copies one there" if copied else "new firmware finds no loader: its shell, or a network boot prompt"
            if cause.severity is None:
                yield self.unknown(cause.where, cause.reason)
            else:
                yield self.finding(cause.where, message, effect, severity=cause.severity, fix=None if broken else _copy(efi, name))


def _copy(efi: Efi, name: str) -> Fix | None:
    for vendor in efi.vendors:
        images = {image.kind: image for image in reversed(efi.of(vendor))}  # of two of a kind, the first stays
        shim, grub, boot = images.get("shim"), images.get("grub"), images.get("systemd-boot")
        first = shim if shim and grub else grub or boot  # shim without GRUB has nothing to start
        if first is None:
            continue
        folder = _folder(efi, first)
        edits = [CopyFile(first.path, f"{folder}/{name}")]
        if first is shim and grub:
            edits.append(CopyFile(grub.path, f"{folder}/{grub.name}"))
        if first is shim and (keys := images.get("mok-manager")):
            edits.append(CopyFile(keys.path, f"{folder}/{keys.name}"))
        if first is grub and (config := efi.own_config(grub)):
            edits.append(CopyFile(config, f"{folder}/{name.removesuffix('.EFI')}.conf"))
        # Nothing is replaced, and FAT ignores case.
        present = {image.path.lower() for image in efi.images}
        wanted = tuple(edit for edit in edits if edit.path.lower() not in present)
        return Fix(rf"copy the loader of {vendor} to \EFI\BOOT", Applicability.SAFE, wanted)
    return None


def _folder(efi: Efi, image: EfiImage) -> str:
    """The fallback directory, spelled as it is on the ESP."""
    existing = efi.of("boot")
    return existing[0].folder if existing else f"{image.folder.rsplit('/', 1)[0]}/BOOT"
