"""Rule already-converted."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, GuestFS, Rule, Severity, WholeFile

_SIGNS = ("/boot/*.pre-v2v", "/etc/modprobe.d/virt-v2v-added.conf", "/usr/lib/virt-sysprep/firstboot.sh")


class AlreadyConverted(Rule):
    """virt-v2v has converted this guest before.

    ## What it does
    Finds what virt-v2v leaves behind: the old initramfs as `*.pre-v2v`, its module aliases, its first-boot scripts.

    ## Why it matters
    A second conversion runs on top of the first. The old image takes space in /boot, and first-boot scripts that have not run yet run at
    the next boot.

    ## References
    - virt-v2v, `convert/convert_linux.ml`, `rebuild_initrd`; `mlcustomize/firstboot.ml`
    """

    severity = Severity.INFO
    since = "0.1"
    examples = (
        Example(
            {"/boot/initrd.img-5.10.0-1-amd64.pre-v2v": b"x"}, flags=("/boot/initrd.img-5.10.0-1-amd64.pre-v2v",), severity=Severity.INFO
        ),
        Example({"/boot/initrd.img-5.10.0-1-amd64": b"x"}),
    )

    def check(self, fs: GuestFS) -> Iterator[Finding]:
        found = [path for pattern in _SIGNS for path in fs.glob(pattern)]
        if found:
            related = tuple(WholeFile(path) for path in found[1:4])
            yield self.finding(
                WholeFile(found[0]), "virt-v2v has converted this guest before", "its leftovers are harmless", related=related
            )
