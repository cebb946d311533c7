"""Who the made-up customers are. Pure: the same seed and day give the same fleet."""

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from services.cli.demo.archetypes import ARCHETYPES, Archetype

ACCOUNTS = 200

_FIRST_WORDS = (
    "Acme Nordwind Globex Initech Umbra Halcyon Meridian Lumen Arbor Basalt Cobalt Dynamo Ember Fathom Granite Harbour "
    "Ibex Juniper Kestrel Lattice Marlin Nimbus Orchard Pinnacle Quarry Rampart Sable Tundra Upland Vantage "
    "Willow Xenon Yarrow Zephyr Alder Birch Cedar Delta Elm Falcon"
)
_SECOND_WORDS = "Logistics GmbH Labs Foods Health Media Energy Retail Travel Robotics"
_OWNERS = ("ana", "ben", "chloe", "david", "emma", "farid", "grace", "hugo")


@dataclass(frozen=True, slots=True)
class Size:
    """A segment as it is sold: seats, events of a normal working day, price of a seat and month."""

    segment: str
    seats: tuple[int, int]
    events_a_day: float
    seat_price: int


_SIZES = (
    (0.5, Size("smb", (3, 8), 1.2, 90)),
    (0.3, Size("mid_market", (8, 20), 1.9, 210)),
    (0.2, Size("enterprise", (15, 28), 2.6, 480)),
)


@dataclass(frozen=True, slots=True)
class Customer:
    """One account of the fleet. `mrr` is in whole euros."""

    account: str
    name: str
    archetype: Archetype
    size: Size
    seats: int
    mrr: int
    owner: str
    term_end: date

    @property
    def users(self) -> tuple[str, ...]:
        """Who may be active: most seats, not all."""
        return tuple(f"{self.account}-u{number}" for number in range(1, max(2, round(self.seats * 0.85)) + 1))

    @property
    def champion(self) -> str:
        return f"{self.account}-champion"


def make_fleet(seed: int, today: date, accounts: int = ACCOUNTS) -> list[Customer]:
    """`accounts` customers, shared out over the archetypes by their shares; at most 400, since names end there."""
    names = [f"{first} {second}" for second in _SECOND_WORDS.split() for first in _FIRST_WORDS.split()]
    assert accounts <= len(names), "there are no more names"
    random = Random(f"fleet/{seed}")  # noqa: S311 a simulation wants a seed, not secrecy
    kinds = _shared_out(accounts)
    random.shuffle(kinds)
    return [_customer(random, name, kind, today) for name, kind in zip(names, kinds, strict=False)]


def _shared_out(accounts: int) -> list[Archetype]:
    """Largest remainder, so that every archetype has its share exactly."""
    exact = [archetype.share * accounts for archetype in ARCHETYPES]
    counts = [int(share) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda n: counts[n] - exact[n])
    for number in by_remainder[: accounts - sum(counts)]:
        counts[number] += 1
    return [archetype for archetype, count in zip(ARCHETYPES, counts, strict=True) for _ in range(count)]


def _customer(random: Random, name: str, kind: Archetype, today: date) -> Customer:
    size = random.choices([size for _, size in _SIZES], [share for share, _ in _SIZES])[0]
    seats = random.randint(*size.seats)
    return Customer(
        account="acme" if name == "Acme Logistics" else name.lower().replace(" ", "-"),
        name=name,
        archetype=kind,
        size=size,
        seats=seats,
        mrr=seats * size.seat_price,
        owner=random.choice(_OWNERS),
        term_end=today + timedelta(days=random.randint(*kind.renews_in_days)),
    )
