"""Rule random-seed-left."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Audience, Delete, Example, Finding, Fix, Identity, NotApplicable, Rule, Severity

_SEED = "/var/lib/systemd/random-seed"


class RandomSeedLeft(Rule):
    """A random seed is stored, and all copies of this image start from it.

    ## What it does
    Finds the seed saved by systemd or older init scripts. For templates only.

    ## Why it matters
    Copies without another source of randomness at boot start in the same state, and may generate the same keys.

    ## Fix safety
    Safe: the guest saves a new one at its next boot.

    ## References
    - systemd-random-seed.service(8); virt-sysprep's `random-seed`
    """

    severity = Severity.INFO
    audience = Audience.PEDANTIC
    since = "0.1"
    examples = (
        Example({_SEED: b"\x01\x02\x03\x04"}, flags=(_SEED,), fixed={_SEED: None}),
        Example({"/var/lib/systemd/timers/x": ""}),
    )

    def check(self, identity: Identity) -> Iterator[Finding]:
        if identity.random_seed is None:
            raise NotApplicable("no random seed is stored")
        fix = Fix("delete the random seed", Applicability.SAFE, (Delete(identity.random_seed.path),))
        yield self.finding(identity.random_seed, "a random seed is stored", "copies start from the same randomness", fix=fix)
