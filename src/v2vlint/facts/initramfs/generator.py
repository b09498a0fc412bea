"""The common form of every initramfs generator's configuration."""

from __future__ import annotations

from collections.abc import Iterable

from v2vlint.facts.kernel.module_names import normal
from v2vlint.facts.syntax.conf_vars import Insertion
from v2vlint.model.dataclass import dataclass
from v2vlint.model.fix import Edit
from v2vlint.model.place import Token, Where


@dataclass(frozen=True, slots=True)
class HostOnly:
    """A setting that limits images to what the building machine needs: ``text`` as written, or the default."""

    text: str
    where: Where


@dataclass(frozen=True, slots=True)
class GeneratorConfig:
    """The configuration of one generator.

    ``installed`` says whether its program exists. ``host_only`` is None when images are built for any machine; ``always`` are modules
    included regardless. ``added`` are modules explicitly included, ``forced`` those that the image also loads by name, ``omitted`` those
    excluded (wildcards allowed). ``insertion`` is how to add more; None when v2vlint does not know.
    """

    name: str
    installed: bool = False
    host_only: HostOnly | None = None
    always: frozenset[str] = frozenset()
    added: tuple[Token, ...] = ()
    forced: tuple[Token, ...] = ()
    omitted: tuple[Token, ...] = ()
    insertion: Insertion | None = None
    files: tuple[str, ...] = ()

    def missing(self, modules: Iterable[str]) -> tuple[str, ...]:
        """Those of ``modules`` that no setting includes."""
        # In mkinitcpio.conf, a question mark makes a module optional.
        named = {normal(token.value.rstrip("?").removesuffix(".ko")) for token in (*self.added, *self.forced)} | self.always
        return tuple(module for module in dict.fromkeys(map(normal, modules)) if module not in named)

    def keep(self, modules: Iterable[str]) -> tuple[Edit, ...]:
        """Edits that make the next image include ``modules``; none if it will anyway, or if v2vlint does not know how."""
        missing = self.missing(modules)
        return (self.insertion.edit(missing),) if missing and self.insertion else ()
