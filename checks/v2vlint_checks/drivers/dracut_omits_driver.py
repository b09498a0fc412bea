"""Rule dracut-omits-driver."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    Example,
    Finding,
    Fix,
    InitramfsConfig,
    ReplaceText,
    Rule,
    Severity,
    Target,
    normal,
)

_CONF = "/etc/dracut.conf.d/slim.conf"


class DracutOmitsDriver(Rule):
    """The initramfs generator is configured to omit a driver the target needs.

    ## What it does
    Finds the target's storage modules in `omit_drivers` of dracut's configuration, and booster's modules with a minus sign.

    ## Why it matters
    The present image may still have the driver. The next kernel update builds one without it, and the guest no longer finds its disk.

    ## Fix safety
    Safe: only the driver's name is removed from the list.

    ## References
    - dracut.conf(5), `omit_drivers`; booster(1), `modules`
    """

    since = "0.1"
    examples = (
        Example(
            {"/usr/bin/dracut": "", _CONF: 'omit_drivers+=" floppy virtio_blk nouveau "\n'},
            flags=(f"{_CONF}:1",),
            severity=Severity.WARNING,
            fixed={_CONF: 'omit_drivers+=" floppy  nouveau "\n'},
        ),
        Example({"/usr/bin/dracut": "", _CONF: 'omit_drivers+=" nouveau hv_storvsc "\n'}, title="drivers of other targets"),
        Example({_CONF: 'omit_drivers+=" virtio_blk "\n'}, title="dracut is not installed"),
    )

    def check(self, config: InitramfsConfig, target: Target) -> Iterator[Finding]:
        needed = {name for controller in target.controllers for modules in controller.any_of for name in modules}
        for generator in config.installed:
            for token in generator.omitted:
                name = normal(token.value.lstrip("-"))
                if name in needed:
                    message = f"{generator.name} is configured to omit {name}"
                    effect = "the next initramfs it builds does not find the root disk"
                    edit = ReplaceText(token.where, token.value, "")
                    yield self.finding(token.where, message, effect, fix=Fix(f"include {name}", Applicability.SAFE, (edit,)))
