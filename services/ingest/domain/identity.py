"""Who an event is about: an account's own id, or another system's name for it."""

import re
from enum import Enum
from typing import Final

from msgspec import Struct

ACCOUNT = "account"  # the kind of alias that events resolve through

# Printable ASCII without space (0x20), slash (0x2F) and colon (0x3A).
_ACCOUNT_ID: Final = re.compile(r"[!-.0-9;-~]{1,128}")
_ALIAS: Final = re.compile(r"([A-Za-z0-9_.-]{1,64}):([!-~]{1,128})")
RESERVED_PREFIX = "@"

ACCOUNT_ID_WORDS = "1 to 128 printable ASCII characters without space, slash or colon"
ALIAS_WORDS = f"{ACCOUNT_ID_WORDS}; or an alias source:external_id"


class Alias(Struct, frozen=True, order=True):
    """`source:external_id`. The source has no colon; the external id may."""

    source: str
    external_id: str

    def __str__(self) -> str:
        return f"{self.source}:{self.external_id}"


class Unnameable(Enum):
    """Why a text names nobody."""

    INVALID = "invalid"
    RESERVED = "reserved"


def account_of(text: str) -> str | Unnameable:
    """`text` as an account's id, case kept."""
    if text.startswith(RESERVED_PREFIX):
        return Unnameable.RESERVED
    return text if _ACCOUNT_ID.fullmatch(text) else Unnameable.INVALID


def subject_of(text: str) -> str | Alias | Unnameable:
    """`text` as an account's id or, with a colon in it, as an alias."""
    if not text.startswith(RESERVED_PREFIX) and (found := _ALIAS.fullmatch(text)):
        return Alias(found[1], found[2])
    return account_of(text)


def alias_of(source: str, external_id: str) -> Alias | Unnameable:
    """The alias that events would write as their subject; a pair that no subject could name is a fault."""
    found = subject_of(f"{source}:{external_id}")
    return found if isinstance(found, Alias) and found.source == source else Unnameable.INVALID
