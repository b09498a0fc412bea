"""The guest's network on the target: which card gets which configuration there, what is lost, and why.

Each question is asked of every *world* (see :mod:`worlds`): pins name the cards, managers apply their configurations. What holds in all
worlds is certain, what holds in some is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import field, replace
from functools import partial
from typing import TypeVar, cast

from v2vlint.facts.network.card_wishes import CardNames
from v2vlint.facts.network.choice import won
from v2vlint.facts.network.interface import InterfaceConfig
from v2vlint.facts.network.match import Card, Condition, Match, MatchKey, Survival, Term, fits
from v2vlint.facts.network.name_policy import NamePolicy
from v2vlint.facts.network.names import IfNameKind, ifname_kind, is_glob, parent_name
from v2vlint.facts.network.network import NamePin, Network
from v2vlint.facts.network.outlook import NetworkOutlook, doubtful, without_ways
from v2vlint.facts.network.worlds import MAX_CARDS, World, card_count, other_place, worlds
from v2vlint.facts.registry import provides
from v2vlint.model.dataclass import dataclass
from v2vlint.model.definition import Definition
from v2vlint.model.mac import plain_mac
from v2vlint.model.place import Span, Token, Where
from v2vlint.model.target import Target

T = TypeVar("T")
MAX_CONFIGS = 200
_NAMES = (MatchKey.NAME, MatchKey.ANY_NAME)
_NOWHERE = Span("", 0, 0, 1)


@dataclass(frozen=True, slots=True)
class Loss:
    """A configuration that may match no card of the target.

    ``key`` is the condition that fails, ``tokens`` are the words that state it. ``survival`` covers all worlds, ``usual`` the common ones.
    ``pins`` are what assigned the name on the source; none of them applies to a card of the target.
    ``excludes`` says that the words must not match.
    """

    config: InterfaceConfig
    key: MatchKey
    tokens: tuple[Token, ...]
    survival: Survival
    usual: Survival
    pins: tuple[NamePin, ...] = ()
    excludes: bool = False

    @property
    def where(self) -> Where:
        """The place that decides it."""
        return self.pins[0].where if self.pins else self.tokens[0].where if self.tokens else self.config.where


@dataclass(frozen=True, slots=True)
class _Scene:
    """One world with what each card gets in it: configurations, and how surely they match."""

    world: World
    won: tuple[tuple[tuple[InterfaceConfig, Survival], ...], ...]

    def fit(self, config: InterfaceConfig) -> Survival:
        """Whether some card gets ``config``."""
        return max((fit for card in self.won for one, fit in card if one is config), default=Survival.LOST)


@dataclass(frozen=True)
class NetworkLanding:
    """The network on the target. ``usual`` is the outlook in the common worlds only; ``covered`` says whether in those every card gets a
    configuration with an address, or is a member of an interface that does. ``losses`` are the configurations that no card gets, or perhaps
    none. ``routed`` says whether one of those with a default route applies there. ``target`` has the addresses that the definition
    states. ``fallback`` says what certainly brings up a card without a configuration there, or is empty."""

    network: Network
    target: Target
    scenes: tuple[_Scene, ...] = field(repr=False)
    outlook: NetworkOutlook
    usual: Survival
    covered: Survival
    losses: tuple[Loss, ...] = ()
    routed: Survival = Survival.KEPT
    fallback: str = ""

    @property
    def cut_off(self) -> bool:
        """Whether it is certain that no configured interface comes up."""
        return self.outlook.survival is Survival.LOST

    def name(self, name: str) -> Survival:
        """Whether a card is called ``name`` (or matches it, if it is a pattern). VLANs and aliases go by the name of their card."""
        base = name if is_glob(name) else parent_name(name)
        if not self.network.pins_of(base) and _believed(base, self.network.policy):
            return Survival.KEPT
        inverted = base.startswith("!")
        found = self.fit((Condition(MatchKey.NAME, (Term(Token(base.removeprefix("!"), _NOWHERE), inverted, inverted),)),))
        placed = self.network.policy.predictable is not False and other_place(self.target, base) is not None
        return Survival.UNSURE if found is Survival.LOST and placed and not self.network.pins_of(base) else found

    def fit(self, match: Match) -> Survival:
        """Whether some card satisfies ``match``."""
        return _over(self.scenes, partial(_fits_some, match))

    def config(self, config: InterfaceConfig) -> Survival:
        """Whether ``config`` applies to a card, or is stacked on a configuration that does."""
        return _over(self.scenes, partial(_stands, self.network, config, ()))

    @property
    def usual_names(self) -> tuple[str, ...]:
        """The usual names of the cards there."""
        return tuple(dict.fromkeys(name for scene in self.scenes if scene.world.usual for card in scene.world.cards for name in card.names))


def _over(scenes: Iterable[_Scene], ask: Callable[[_Scene], Survival]) -> Survival:
    answers = {ask(scene) for scene in scenes}
    return answers.pop() if len(answers) == 1 else Survival.UNSURE


class _Remembering(Network):
    """A network that computes only once which interfaces are stacked on which; every scene asks for it."""

    __slots__ = ("_known",)

    def _once(self, ask: Callable[[InterfaceConfig], T], name: str, config: InterfaceConfig) -> T:
        known: dict[tuple[str, int], object] = self._known  # type: ignore[attr-defined]
        if (name, id(config)) not in known:
            known[name, id(config)] = ask(config)
        return cast(T, known[name, id(config)])

    def starts(self, interface: InterfaceConfig) -> bool:
        return self._once(super().starts, "starts", interface)

    def lowers(self, upper: InterfaceConfig) -> tuple[InterfaceConfig, ...]:
        return self._once(super().lowers, "lowers", upper)

    def bare_uses(self, upper: InterfaceConfig) -> tuple[Token, ...]:
        return self._once(super().bare_uses, "bare", upper)


def _remembering(network: Network) -> Network:
    found = _Remembering(**{name: getattr(network, name) for name in Network.__dataclass_fields__})
    object.__setattr__(found, "_known", {})
    return found


@provides
def land(network: Network, target: Target, wishes: CardNames, definition: Definition) -> NetworkLanding:
    """The guest's network as it will be on the target."""
    network = _remembering(network)
    if target.carries_mac:
        target = replace(target, macs=tuple(map(plain_mac, definition.all_macs)))
    scenes = _scenes(network, target, wishes, definition)
    losses = tuple(_losses(network, scenes))
    ways = tuple(way for way in network.addressed if not way.is_virtual or network.lowers(way) or network.bare_uses(way))
    usual_scenes = tuple(scene for scene in scenes if scene.world.usual) or scenes
    reached = _over(scenes, partial(_reached, network, ways))
    routes = tuple(way for way in ways if way.is_way_out)
    spared = _over(scenes, partial(_spared, network)) if network.fallback else Survival.LOST
    fallback = network.fallback if spared is Survival.KEPT else ""
    routed = _over(scenes, partial(_reached, network, routes)) if routes and not fallback else reached
    return NetworkLanding(
        network=network,
        target=target,
        scenes=scenes,
        outlook=_outlook(network, ways, scenes, losses, reached, spared, _way_out(network, routes, losses, routed)),
        usual=_over(usual_scenes, partial(_reached, network, ways)) if ways or not fallback else Survival.KEPT,
        covered=_over(usual_scenes, partial(_covered, network, ways)),
        losses=losses,
        routed=routed,
        fallback=fallback,
    )


def _spared(network: Network, scene: _Scene) -> Survival:
    """Whether what brings up a card without any configuration finds one that is not kept from it."""
    kept = [max((fits(match, card) for match in network.no_fallback), default=Survival.LOST) for card in scene.world.cards]
    return Survival(Survival.KEPT - min(kept, default=Survival.LOST))


def _way_out(network: Network, routes: tuple[InterfaceConfig, ...], losses: tuple[Loss, ...], routed: Survival) -> NetworkOutlook | None:
    """The remaining doubt when a card comes up, but perhaps none with a default route."""
    if routed is Survival.KEPT or not routes:
        return None
    loss = _loss_of(network, routes[0], losses)
    verb = "does not" if routed is Survival.LOST else "may not"
    reason = f"the default route is on {routes[0].label}, which {verb} come up there"
    return NetworkOutlook(Survival.UNSURE, reason, loss.where if loss else routes[0].where)


def _scenes(network: Network, target: Target, wishes: CardNames, definition: Definition) -> tuple[_Scene, ...]:
    configs = tuple(_sorted(network))[:MAX_CONFIGS]
    asked = [token.value for config in (*configs, *network.interfaces) for token in (*config.names, *config.uses)]
    macs = _macs(network, target, wishes, configs)
    literal = [token.value for config in network.cards for token in config.names[:1] if not is_glob(token.value) and len(config.names) == 1]
    count = min(MAX_CARDS, max(len(definition.nics) or card_count(literal), len(macs), 1))
    pinned = frozenset(pin.name.value for pin in network.pins)
    policy = _likely(network.policy, literal or asked)
    known = frozenset(name for name in asked if _believed(parent_name(name), policy) and parent_name(name) not in pinned)
    found = worlds(target, policy, count, dict.fromkeys(map(parent_name, asked)))
    named = (_named(world, network, target, macs, known) for world in found)
    return tuple(_Scene(world, tuple(won(card, configs, count) for card in world.cards)) for world in named)


def _likely(policy: NamePolicy, names: Iterable[str]) -> NamePolicy:
    """An unknown policy, replaced by the one that the names in use suggest."""
    kernel = {name.startswith("eth") for name in names if name.startswith(("eth", "en"))}
    return replace(policy, predictable=not kernel.pop()) if policy.predictable is None and len(kernel) == 1 else policy


def _believed(name: str, policy: NamePolicy) -> bool:
    """Whether nothing in the guest explains the name, so that the target cannot be said to remove it: a custom name, ``wlan0``, or a name
    by place where udev assigns none."""
    kind = ifname_kind(name)
    if is_glob(name) or name.startswith("!"):
        return False
    if policy.predictable is False and kind in (IfNameKind.ONBOARD, IfNameKind.SLOT, IfNameKind.PATH):
        return True
    return kind in (IfNameKind.CUSTOM, IfNameKind.VIRTUAL) or (kind is IfNameKind.KERNEL and not name.startswith("eth"))


def _macs(network: Network, target: Target, wishes: CardNames, asking: Iterable[InterfaceConfig]) -> tuple[str, ...]:
    """The addresses of the target's cards, one each: those that are stated; else, if it keeps them, those that the configuration
    requires."""
    tokens = [pin.mac for pin in network.pins] + [config.mac for config in asking]
    asked = dict.fromkeys(plain_mac(token.value) for token in tokens if token is not None)
    found = (*target.macs, *(mac for mac in asked if wishes.knows(mac) or target.carries_mac))
    return tuple(dict.fromkeys(found))[:MAX_CARDS]


def _sorted(network: Network) -> Iterable[InterfaceConfig]:
    """The configurations of cards, and those that exclude cards from a manager, in the order in which they are tried."""
    return sorted((*network.cards, *network.hands_off), key=lambda config: config.order)


def _named(world: World, network: Network, target: Target, macs: tuple[str, ...], known: frozenset[str]) -> World:
    """The world with addresses, and with names assigned by pins and the old generator."""
    cards: list[Card] = []
    spent: set[str] = set()
    for number, plain in enumerate(world.cards):
        card = replace(plain, mac=macs[number] if number < len(macs) else "", known=known)
        pinned, sure = _pinned(card, network)
        rest = () if sure else _free(card, network, target, spent)
        names = tuple(dict.fromkeys((*pinned, *rest)))
        spent |= set(names) if len(names) == 1 else set()
        cards.append(replace(card, names=names, altnames=() if pinned else card.altnames))
    return replace(world, cards=tuple(cards))


def _pinned(card: Card, network: Network) -> tuple[tuple[str, ...], bool]:
    """The names that pins may assign to ``card``, and whether one of them certainly applies."""
    found: list[str] = []
    for pin in network.pins:
        fit = fits(pin.match, card)
        named = pin.last and card.kernel_name not in card.names
        if fit is not Survival.LOST:
            found += card.names if named else (pin.name.value or card.kernel_name,)
        if fit is Survival.KEPT:
            return tuple(found), True
    return tuple(found), False


def _free(card: Card, network: Network, target: Target, spent: set[str]) -> tuple[str, ...]:
    """The names of a card that no pin certainly applies to. The old generator assigns the first number not reserved by a rule."""
    takes = network.udev.names_new_card(target.mac_prefixes) if network.policy.predictable is not True else False
    reserved = {pin.name.value for pin in network.pins if pin.mac is not None}
    if takes is False or not reserved & set(card.names):
        return card.names
    free = next(f"eth{number}" for number in range(1000) if f"eth{number}" not in reserved | spent)
    return (free,) if takes else (*card.names, free)


def _stands(network: Network, config: InterfaceConfig, above: tuple[InterfaceConfig, ...], scene: _Scene) -> Survival:
    """Whether ``config`` or one below it has a card."""
    if not config.is_virtual:
        return scene.fit(config)
    if any(config is one for one in above) or len(above) > MAX_CARDS:  # stacked in a circle
        return Survival.LOST
    below = [min(_stands(network, lower, (*above, config), scene), _started(network, lower)) for lower in network.lowers(config)]
    below += [_called(token.value, scene) for token in network.bare_uses(config)]
    return max(below, default=Survival.KEPT)


def _started(network: Network, lower: InterfaceConfig) -> Survival:
    return Survival.KEPT if lower.is_virtual or network.starts(lower) else Survival.UNSURE


def _fits_some(match: Match, scene: _Scene) -> Survival:
    return max((fits(match, card) for card in scene.world.cards), default=Survival.LOST)


def _called(name: str, scene: _Scene) -> Survival:
    condition = (Condition(MatchKey.NAME, (Term(Token(parent_name(name), _NOWHERE)),)),)
    return _fits_some(condition, scene)


def _reached(network: Network, ways: Iterable[InterfaceConfig], scene: _Scene) -> Survival:
    return max((_stands(network, way, (), scene) for way in ways), default=Survival.LOST)


def _covered(network: Network, ways: tuple[InterfaceConfig, ...], scene: _Scene) -> Survival:
    """Whether each card gets an address, or is part of something that does."""
    leads = {id(way) for way in ways}
    for way in ways:
        leads |= {id(lower) for lower in _all_below(network, way)}
    bare = [token.value for way in ways for token in network.bare_uses(way)]
    best = []
    for number, card in enumerate(scene.won):
        answers = [fit for config, fit in card if id(config) in leads]
        names = scene.world.cards[number].names
        best.append(max([*answers, *([Survival.KEPT] if set(names) & set(bare) else [])], default=Survival.LOST))
    return min(best, default=Survival.LOST)


def _all_below(network: Network, way: InterfaceConfig) -> list[InterfaceConfig]:
    found: list[InterfaceConfig] = []
    pending = [way]
    while pending and len(found) < MAX_CONFIGS:
        for lower in network.lowers(pending.pop()):
            if not any(lower is one for one in found):
                found.append(lower)
                pending.append(lower)
    return found


def _losses(network: Network, scenes: tuple[_Scene, ...]) -> Iterable[Loss]:
    usual = tuple(scene for scene in scenes if scene.world.usual) or scenes
    for config in network.cards[:MAX_CONFIGS]:
        survival, at_home = (_over(of, partial(_Scene.fit, config=config)) for of in (scenes, usual))
        for condition in _failing(config, scenes) if survival is not Survival.KEPT else ():
            pins = _pins_lost(network, condition, scenes)
            yield Loss(config, condition.key, condition.said, survival, at_home, pins, excludes=not condition.wanted)
    for upper in network.interfaces:
        for token in network.bare_uses(upper) if upper.autostart else ():
            survival = _over(scenes, partial(_called, token.value))
            if survival is not Survival.KEPT and not _believed(parent_name(token.value), network.policy):
                at_home = _over(usual, partial(_called, token.value))
                yield Loss(upper, MatchKey.NAME, (token,), survival, at_home)


def _failing(config: InterfaceConfig, scenes: tuple[_Scene, ...]) -> list[Condition]:
    """The conditions that may fail, the worst first; none when all hold and another configuration takes the card."""
    found = [(_over(scenes, partial(_fits_some, (condition,))), number) for number, condition in enumerate(config.match)]
    return [config.match[number] for fit, number in sorted(found) if fit is not Survival.KEPT]


def _pins_lost(network: Network, condition: Condition, scenes: tuple[_Scene, ...]) -> tuple[NamePin, ...]:
    """The pins that assigned the name, if none of them finds its card."""
    if condition.key not in _NAMES or not condition.wanted:
        return ()
    pins = network.pins_of(condition.wanted[0].value)
    return pins if pins and all(_pin_fit(pin, scenes) is Survival.LOST for pin in pins) else ()


def _pin_fit(pin: NamePin, scenes: Iterable[_Scene]) -> Survival:
    return _over(scenes, partial(_fits_some, pin.match))


def _outlook(
    network: Network,
    ways: tuple[InterfaceConfig, ...],
    scenes: tuple[_Scene, ...],
    losses: tuple[Loss, ...],
    reached: Survival,
    spared: Survival,
    way_out: NetworkOutlook | None,
) -> NetworkOutlook:
    if not ways:
        return without_ways(network, spared)
    best = max(ways, key=lambda way: _over(scenes, partial(_stands, network, way, ())))
    doubt = way_out or (doubtful(network, best) if spared is not Survival.KEPT else None)
    if reached is Survival.KEPT and doubt is not None:
        return doubt
    if reached is Survival.KEPT:
        return NetworkOutlook(reached, f"{best.label} comes up by {best.manager}", best.where)
    loss = _loss_of(network, best, losses) or next(iter(losses), None)
    where = loss.where if loss else best.where
    if spared is Survival.KEPT:
        return NetworkOutlook(spared, network.fallback, where)
    if network.cloud_init_writes:
        return NetworkOutlook(Survival.UNSURE, "cloud-init may write a new configuration", where)
    certain = reached is spared is Survival.LOST and network.certain and len(ways) == len(network.addressed) and loss is not None
    return NetworkOutlook(Survival.LOST if certain else Survival.UNSURE, _reason(best, loss, certain), where)


def _loss_of(network: Network, way: InterfaceConfig, losses: tuple[Loss, ...]) -> Loss | None:
    members = [way, *_all_below(network, way)]
    return next((loss for loss in losses if any(loss.config is member for member in members)), None)


def _reason(way: InterfaceConfig, loss: Loss | None, certain: bool) -> str:
    verb = "does not" if certain else "may not"
    if loss is None or loss.key in _NAMES:
        name = loss.tokens[0].value if loss and len(loss.tokens) == 1 and not loss.excludes else way.label
        return f"{way.manager} waits for {name}, which {verb} exist there"
    wanted = ("other than " if loss.excludes else "") + ", ".join(token.value for token in loss.tokens[:4])
    return f"{way.manager} configures a card by the {loss.key} {wanted}, which {verb} exist there"
