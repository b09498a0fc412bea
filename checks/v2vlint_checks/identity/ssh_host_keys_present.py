"""Rule ssh-host-keys-present."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Audience, Delete, Example, Finding, Fix, Identity, NotApplicable, Rule, Severity

_KEY = "/etc/ssh/ssh_host_ed25519_key"


class SshHostKeysPresent(Rule):
    """SSH host keys are stored, so every copy of this image has the same ones.

    ## What it does
    Finds private host keys in /etc/ssh. For templates only: a moved guest keeps its keys.

    ## Why it matters
    Anyone with one copy can impersonate all the others, and clients cannot tell the machines apart.

    ## Fix safety
    Unsafe: the guest loses its identity, and clients warn about it. Offered only if the guest generates new keys at boot (cloud-init,
    Red Hat's `sshd-keygen`); Debian's sshd would not start without keys.

    ## References
    - sshd(8); virt-sysprep's `ssh-hostkeys`
    """

    severity = Severity.WARNING
    audience = Audience.PEDANTIC
    since = "0.1"
    examples = (
        Example(
            {_KEY: "secret\n", f"{_KEY}.pub": "public\n", "/usr/lib/systemd/system/sshd-keygen@.service": "[Unit]\n"},
            flags=(_KEY,),
            fixed={_KEY: None, f"{_KEY}.pub": None},
        ),
        Example({_KEY: "secret\n", f"{_KEY}.pub": "public\n"}, flags=(_KEY,), title="nothing would make new ones"),
        Example({"/etc/ssh/sshd_config": "Port 22\n", "/etc/ssh/ssh_host_ed25519_key.bak": "old\n"}),
    )

    def check(self, identity: Identity) -> Iterator[Finding]:
        private = [key for key in identity.host_keys if not key.path.endswith(".pub")]
        if not private:
            raise NotApplicable("no SSH host key is stored")
        edits = tuple(Delete(key.path) for key in identity.host_keys)
        fix = Fix("let the guest generate new SSH host keys", Applicability.UNSAFE, edits) if identity.makes_host_keys else None
        message = f"{len(private)} SSH host {'key is' if len(private) == 1 else 'keys are'} stored"
        yield self.finding(private[0], message, "every copy can impersonate the others", fix=fix, related=tuple(private[1:]))
