"""Rule secure-boot-refuses."""

from collections.abc import Iterator

from v2vlint.api import (
    BlockDevice,
    BlockTable,
    Cause,
    Example,
    Fate,
    Finding,
    FirmwareVerdict,
    InitramfsVerdict,
    KernelVerdict,
    LoaderVerdict,
    NotApplicable,
    OsInfo,
    Rule,
    SecureBoot,
    Severity,
    Stage,
    sample_chain,
    sample_domain,
    sample_target,
)

_TOP = "/boot/efi/EFI/BOOT"
_UEFI = BlockTable(
    (
        BlockDevice("disk1", "disk", 2 << 30, 0, details=(("pt", "gpt"),)),
        BlockDevice("disk1p1", "partition", 1 << 29, 0, 1, "vfat", "AB-CD", part_type="c12a7328-f81f-11d2-ba4b-00a0c93ec93b"),
    ),
    chains=(sample_chain("none"),),
)
_DEMANDS = sample_target(secure_boot="microsoft", firmware=("uefi",))


class SecureBootRefuses(Rule):
    """The target requires signatures, and a program that boots the guest has none that is accepted there.

    ## What it does
    Where the target has Secure Boot (the key `secure_boot` of its profile, a libvirt domain with it and enrolled keys): looks at the
    signatures of the program at the fallback path, of the program that shim starts, of the kernel that starts by default, and of the
    drivers for the disks and the root filesystem in its initramfs: whether there is one, whether it matches the file, and who issued the
    certificate. shim's own certificate and the generations (SBAT) that it accepts are read from it. If only the machine's definition
    enables Secure Boot, the finding is a warning. Unknown keys make the answer unknown; signatures are not verified cryptographically.

    ## Why it matters
    Firmware says "Access Denied" or "Security Violation" and tries the next entry; shim "Verification failed: (0x1A) Security
    Violation"; GRUB "bad shim signature"; the kernel "Loading of unsigned module is rejected". Keys that were enrolled with mokutil are
    variables of the source's firmware and stay behind; Hyper-V's default template trusts Windows only.

    ## References
    - rhboot/shim `SBAT.md`, `SbatLevel_Variable.txt` (2025051000), `shim.c`; kernel_lockdown(7)
    - learn.microsoft.com, "Generation 2 virtual machine security settings for Hyper-V"
    """

    severity = Severity.ERROR
    stage = Stage.FIRMWARE
    kinds = frozenset({"linux", "windows"})
    since = "0.1"
    predicts = (
        r"Verification failed: \(0x1A\) Security Violation",
        r"bad shim signature",
        r"has invalid signature",
        r"Loading of unsigned module is rejected",
        r"Lockdown: .*unsigned module loading is restricted",
        r"SBAT self-check failed",
    )
    examples = (
        Example(
            {f"{_TOP}/BOOTX64.EFI": b"MZ Welcome to GRUB"},
            given=(_UEFI, _DEMANDS),
            flags=(f"{_TOP}/BOOTX64.EFI",),
            severity=Severity.ERROR,
            title="an unsigned loader",
        ),
        Example(
            {f"{_TOP}/BOOTX64.EFI": b"MZ Welcome to GRUB"},
            given=(_UEFI, sample_domain("", "<os firmware='efi'><loader secure='yes'/></os>")),
            flags=(f"{_TOP}/BOOTX64.EFI",),
            severity=Severity.WARNING,
            unknown=True,
            title="the machine is defined with Secure Boot, and its keys stay behind",
        ),
        Example({f"{_TOP}/BOOTX64.EFI": b"MZ Welcome to GRUB"}, given=(_UEFI,), title="nobody asks for signatures"),
    )

    def check(
        self,
        secure: SecureBoot,
        firmware: FirmwareVerdict,
        loader: LoaderVerdict,
        kernel: KernelVerdict,
        initramfs: InitramfsVerdict,
        os: OsInfo,
    ) -> Iterator[Finding]:
        if not secure.keys:
            raise NotApplicable("nothing demands signatures")
        for cause in firmware.signed:
            yield self._told(cause, Stage.FIRMWARE, "the firmware does not start it")
        # What the firmware does not start never asks shim about the others.
        if os.kind != "linux" or any(cause.fate is Fate.FAIL for cause in firmware.signed) or secure.first is None:
            return
        for cause in loader.signed:
            yield self._told(cause, Stage.LOADER, "shim does not start it")
        for cause in kernel.signed:
            yield self._told(cause, Stage.KERNEL, "the boot loader does not start it")
        for cause in initramfs.unsigned:
            yield self._told(cause, Stage.INITRAMFS, "the root disk is not found")

    def _told(self, cause: Cause[str], stage: Stage, effect: str) -> Finding:
        return self.finding(cause.where, cause.reason, effect, severity=cause.severity, stage=stage)
