"""What people do in the product: the stream `product.usage`."""

from msgspec import UNSET, Struct

from shared.contracts.types.fields import About, Amount, Code, Count, Decimal, Key, Maybe, Seconds, Time


class FeatureUsed(Struct, frozen=True, kw_only=True):
    """`usage.feature_used`: a person used a feature, `quantity` times."""

    feature: Key
    user: Maybe[Key] = UNSET
    quantity: Count = 1
    workflow: Maybe[Key] = UNSET
    object: Maybe[Key] = UNSET
    value: Maybe[Amount] = UNSET
    duration_seconds: Maybe[Seconds] = UNSET
    platform: Maybe[Code] = UNSET
    error: Maybe[Code] = UNSET


class SessionStarted(Struct, frozen=True, kw_only=True):
    """`usage.session_started`: a person signed in."""

    user: Key
    platform: Maybe[Code] = UNSET
    duration_seconds: Maybe[Seconds] = UNSET


class MeasureReported(Struct, frozen=True, kw_only=True):
    """`measure.reported`: a figure that somebody vouches for, such as an outcome against its target."""

    measure: Key
    value: Decimal
    unit: Code
    asserted_by: Code
    baseline: Maybe[Decimal] = UNSET
    target: Maybe[Decimal] = UNSET
    limit: Maybe[Decimal] = UNSET
    due_at: Maybe[Time] = UNSET
    period: Maybe[Code] = UNSET
    about: Maybe[About] = UNSET
