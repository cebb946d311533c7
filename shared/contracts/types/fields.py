"""Field types that all event types share: absent means unchanged, null clears."""

from typing import Annotated, TypeAlias, TypeVar

from msgspec import Meta, Struct, UnsetType

from shared.contracts.envelope import UtcDatetime

T = TypeVar("T")
Maybe: TypeAlias = T | UnsetType | None

Key = Annotated[str, Meta(min_length=1, max_length=128, description="the producer's own id of a record or person")]
Code = Annotated[str, Meta(min_length=1, max_length=64, description="an open list: unknown codes are accepted")]
Text = Annotated[str, Meta(max_length=2_000)]
Title = Annotated[str, Meta(max_length=200)]
Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Seconds = Annotated[float, Meta(ge=0, le=31_536_000)]
Ratio = Annotated[float, Meta(ge=0, le=1)]
Tone = Annotated[float, Meta(ge=-1, le=1)]
Decimal = Annotated[
    str, Meta(pattern=r"^-?\d{1,15}(\.\d{1,6})?$", description="a decimal as a string, so that no digit is lost")
]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$", description="ISO 4217")]
Time = UtcDatetime


class Amount(Struct, frozen=True):
    """Money: a decimal string with its currency."""

    amount: Decimal
    currency: Currency


class About(Struct, frozen=True):
    """The record that something is about."""

    kind: Code
    key: Key
