"""Rule authorized-keys-present."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Audience, CloudInit, Example, Finding, Fix, NotApplicable, Rule, Severity, Traces

_KEYS = "/root/.ssh/authorized_keys"
_CLOUD_INIT = {"/usr/bin/cloud-init": "#!/usr/bin/python3\n", "/etc/cloud/cloud.cfg": "datasource_list: [ NoCloud ]\n"}
_UNIT = "/etc/systemd/system/multi-user.target.wants/cloud-init.service"


class AuthorizedKeysPresent(Rule):
    """The image itself contains authorised SSH keys.

    ## What it does
    Finds filled `authorized_keys` files in every home folder and in /etc/ssh. For templates.

    ## Why it matters
    The owner of the private key can log in to every copy, which is not visible from outside. Cloud vendors refuse images that allow logins,
    and Packer leaves its key behind when a build is interrupted.

    ## Fix safety
    Unsafe: these keys no longer allow logins. Offered only if cloud-init installs keys in each copy.

    ## References
    - virt-sysprep's `ssh-userdir`; AWS Marketplace, "AMI-based product requirements": no authorized keys
    """

    severity = Severity.WARNING
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example({_KEYS: "ssh-ed25519 AAAA me\n"}, flags=(_KEYS,)),
        Example(
            {_KEYS: "ssh-ed25519 AAAA me\n", **_CLOUD_INIT, "/usr/lib/systemd/systemd": "", _UNIT: "[Unit]\n"},
            flags=(_KEYS,),
            fixed={_KEYS: None},
            title="cloud-init brings others",
        ),
        Example({_KEYS: ""}),
    )

    def check(self, traces: Traces, cloud_init: CloudInit) -> Iterator[Finding]:
        found = traces.of("authorized")
        if not found:
            raise NotApplicable("no SSH key is authorized")
        fix = (
            Fix("delete the authorized SSH keys of the image", Applicability.UNSAFE, traces.deletions("authorized"))
            if cloud_init.runs
            else None
        )
        for place in found[:1]:
            message = "SSH keys are authorized to log in" if len(found) == 1 else f"SSH keys in {len(found)} files are authorized to log in"
            yield self.finding(place, message, "whoever has a private key can log in to every copy", fix=fix, related=found[1:20])
