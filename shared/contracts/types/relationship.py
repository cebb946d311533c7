"""What the CRM knows: the stream `relationship.events`."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct

from shared.contracts.types.fields import About, Amount, Code, Count, Key, Maybe, Ratio, Text, Time, Title, Tone

Email = Annotated[str, Meta(min_length=3, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]


class AccountDescribed(Struct, frozen=True, kw_only=True):
    """`account.described`: who the account is and who looks after it."""

    name: Maybe[Title] = UNSET
    owners: Maybe[dict[str, Key | None]] = UNSET
    parent: Maybe[Key] = UNSET
    signed_at: Maybe[Time] = UNSET
    industry: Maybe[Code] = UNSET
    employees: Maybe[Count] = UNSET
    region: Maybe[Code] = UNSET
    timezone: Maybe[Code] = UNSET
    motion: Maybe[Code] = UNSET
    segment: Maybe[Code] = UNSET
    fit: Maybe[Ratio] = UNSET
    original_workflows: Maybe[Count] = UNSET
    flags: Maybe[list[Code]] = UNSET
    attributes: Maybe[dict[str, Any]] = UNSET


class IdentityLinked(Struct, frozen=True, kw_only=True):
    """`identity.linked`: `external_id` of system `source` is our `id`."""

    kind: Code
    source: Code
    external_id: Key
    id: Key


class Contact(Struct, frozen=True, kw_only=True):
    """`contact.joined`, `.changed`, `.left`."""

    contact: Key
    user: Maybe[Key] = UNSET
    email: Maybe[Email] = UNSET
    role: Maybe[Code] = UNSET
    department: Maybe[Code] = UNSET
    seniority: Maybe[Code] = UNSET
    champion: Maybe[bool] = UNSET
    decision_maker: Maybe[bool] = UNSET
    sponsor: Maybe[bool] = UNSET
    admin: Maybe[bool] = UNSET
    channels: Maybe[list[Code]] = UNSET
    consent: Maybe[dict[str, bool]] = UNSET
    timezone: Maybe[Code] = UNSET
    moved_to: Maybe[Key] = UNSET


class TouchRecorded(Struct, frozen=True, kw_only=True):
    """`touch.recorded`: a meeting, call or message between people."""

    touch: Key
    kind: Code
    status: Code
    direction: Maybe[Code] = UNSET
    channel: Maybe[Code] = UNSET
    purpose: Maybe[Code] = UNSET
    outcome: Maybe[Code] = UNSET
    topic: Maybe[Code] = UNSET
    participants: Maybe[list[Key]] = UNSET
    by: Maybe[Key] = UNSET
    team: Maybe[Code] = UNSET
    tone: Maybe[Tone] = UNSET
    outreach: Maybe[Key] = UNSET


class SurveyAnswered(Struct, frozen=True, kw_only=True):
    """`survey.answered`: the scale travels with the answer."""

    survey: Key
    kind: Code
    score: float
    scale_min: float
    scale_max: float
    contact: Maybe[Key] = UNSET
    ticket: Maybe[Key] = UNSET
    touch: Maybe[Key] = UNSET
    comment_sentiment: Maybe[Tone] = UNSET
    topic: Maybe[Code] = UNSET


class AssessmentRecorded(Struct, frozen=True, kw_only=True):
    """`assessment.recorded`: what a person believes; it stands beside the score."""

    name: Key
    value: float | str
    by: Key
    about: Maybe[About] = UNSET
    reason: Maybe[Text] = UNSET
    expires_at: Maybe[Time] = UNSET


class Milestone(Struct, frozen=True, kw_only=True):
    """`milestone.planned`, `.reached`, `.dropped`."""

    name: Key
    due_at: Maybe[Time] = UNSET
    asserted_by: Maybe[Code] = UNSET


class AdvocacyGiven(Struct, frozen=True, kw_only=True):
    """`advocacy.given`: referral, reference, review, case study, talk."""

    kind: Code
    contact: Maybe[Key] = UNSET
    value: Maybe[Amount] = UNSET


class AccountNews(Struct, frozen=True, kw_only=True):
    """`account.news`: something happened to the company."""

    kind: Code
    impact: Code
    expires_at: Maybe[Time] = UNSET
    url: Maybe[Text] = UNSET


class AccountChurned(Struct, frozen=True, kw_only=True):
    """`account.churned`: it explains; only the end of the last subscription moves money."""

    reason: Code
    comment: Maybe[Text] = UNSET
    replacement: Maybe[Code] = UNSET
    decided_at: Maybe[Time] = UNSET
    evidenced_reason: Maybe[Code] = UNSET


class WorkAnswered(Struct, frozen=True, kw_only=True):
    """`work.answered`: somebody acted on a case elsewhere."""

    case: Key
    answer: Code
    by: Key
    step: Maybe[Key] = UNSET
    reason: Maybe[Code] = UNSET
    outcome: Maybe[Code] = UNSET


class ImportEnded(Struct, frozen=True, kw_only=True):
    """`import.ended`: the account's history is complete, so it may be spoken about again."""

    run: Key
