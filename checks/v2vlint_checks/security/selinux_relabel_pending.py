"""Rule selinux-relabel-pending."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, NotApplicable, Rule, Selinux, Severity, sample_boot

_CONFIG = "/etc/selinux/config"
_ON = {_CONFIG: "SELINUX=enforcing\nSELINUXTYPE=targeted\n", "/.autorelabel": ""}


class SelinuxRelabelPending(Rule):
    """The first boot relabels every file, and then restarts.

    ## What it does
    Finds /.autorelabel and `autorelabel=1` on the kernel command line, if SELinux is enabled.

    ## Why it matters
    Every file gets its SELinux label before services start, and the machine restarts. On a large disk that takes many minutes, and a
    platform that waits for the guest may consider it dead. virt-v2v leaves such a file, and so does a repair that could not label the files
    it wrote.

    ## References
    - selinux-autorelabel-generator(8), fixfiles(8); virt-v2v `convert_linux.ml`, "touch /.autorelabel"
    """

    severity = Severity.INFO
    since = "0.2"
    examples = (
        Example({**_ON, **sample_boot()}, flags=("/.autorelabel",)),
        Example(
            {**sample_boot(args="ro autorelabel=1"), _CONFIG: _ON[_CONFIG]}, flags=("/boot/grub/grub.cfg:2",), title="on the command line"
        ),
        Example({**_ON, _CONFIG: "SELINUX=disabled\n", **sample_boot()}, title="SELinux is off"),
        Example({**_ON, **sample_boot(args="root=/dev/vda1 selinux=0")}, title="the kernel turns it off"),
        Example({**sample_boot(), _CONFIG: _ON[_CONFIG]}),
    )

    def check(self, selinux: Selinux) -> Iterator[Finding]:
        if selinux.relabel is None:
            raise NotApplicable("nothing asks for it")
        effect = "the first boot takes minutes longer, and starts again; a platform that waits may call the guest dead"
        yield self.finding(selinux.relabel, "the first boot relabels all files for SELinux", effect)
