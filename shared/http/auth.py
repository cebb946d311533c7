"""API keys: `bw_<prefix>_<secret>`. Random enough that an HMAC is hash enough; only the hash is kept."""

import hmac
import secrets
import string
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Annotated

import asyncpg
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from shared.clock import Clock
from shared.contracts.routes import SCOPES, Scope
from shared.http.problem import Forbidden, Unauthorized, Unavailable
from shared.postgres.pool import CONNECTION_ERRORS, Pool

_ALPHABET = string.ascii_lowercase + string.digits
_PREFIX_LENGTH = 8
_SECRET_LENGTH = 40
_DOMAIN = b"bellwether.credential.1"
CACHE_SECONDS = 5.0  # how long a revoked key may still work
CACHE_KEYS_MAX = 1_000  # guesses must not fill the memory


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling; `actor` is what is stored beside whatever they change."""

    name: str
    scopes: frozenset[str]
    expires_at: datetime | None

    @property
    def actor(self) -> str:
        return f"key:{self.name}"


def hash_of(key: str) -> bytes:
    """What is stored of a key."""
    return hmac.digest(_DOMAIN, key.encode(), sha256)


async def create_key(
    connection: asyncpg.Connection, name: str, scopes: Iterable[Scope] = SCOPES, expires_at: datetime | None = None
) -> str:
    """Make a key and store its hash; the key itself is returned once and kept nowhere.

    `connection` sees the schema `access`. Raises ValueError for a scope that does not exist.
    """
    wanted = list(scopes)
    if unknown := set(wanted) - set(SCOPES):
        raise ValueError(f"unknown scope {sorted(unknown)}: the scopes are {', '.join(SCOPES)}")
    prefix = "".join(secrets.choice(_ALPHABET) for _ in range(_PREFIX_LENGTH))
    key = f"bw_{prefix}_" + "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_LENGTH))
    await connection.execute(
        "INSERT INTO credential (prefix, hash, name, scopes, expires_at) VALUES ($1, $2, $3, $4, $5)",
        prefix,
        hash_of(key),
        name,
        wanted,
        expires_at,
    )
    await connection.execute(
        "INSERT INTO audit (actor, what, about) VALUES ('cli', 'key.created', jsonb_build_object('prefix', $1::text))",
        prefix,
    )
    return key


class Keyring:
    """Looks keys up, and remembers what it found for CACHE_SECONDS."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._known: dict[bytes, tuple[float, Principal]] = {}

    async def principal(self, key: str) -> Principal:
        """Raises Unauthorized naming why the key is not good, Unavailable when Postgres does not answer."""
        digest = hash_of(key)
        found = self._known.get(digest)
        if found is None or time.monotonic() - found[0] > CACHE_SECONDS:
            principal = await self._look_up(key, digest)
            if len(self._known) >= CACHE_KEYS_MAX:
                self._known.clear()
            self._known[digest] = (time.monotonic(), principal)
        else:
            principal = found[1]
        if principal.expires_at is not None and principal.expires_at <= self._clock.now():
            raise Unauthorized(f"the key expired at {principal.expires_at.isoformat()}", reason="key_expired")
        return principal

    async def _look_up(self, key: str, digest: bytes) -> Principal:
        parts = key.split("_")
        prefix = parts[1] if len(parts) == 3 else ""
        try:
            await self._clock.refresh(self._pool)
            row = await self._pool.fetchrow(
                "SELECT hash, name, scopes, expires_at, revoked_at FROM credential WHERE prefix = $1", prefix
            )
        except CONNECTION_ERRORS as error:
            raise Unavailable("the key cannot be checked: Postgres does not answer") from error
        if row is None or not hmac.compare_digest(row["hash"], digest):
            raise Unauthorized("this key is not known here")
        if row["revoked_at"] is not None:
            raise Unauthorized(f"the key was revoked at {row['revoked_at'].isoformat()}", reason="key_revoked")
        return Principal(row["name"], frozenset(row["scopes"]), row["expires_at"])


_bearer = HTTPBearer(
    auto_error=False, bearerFormat="bw_<prefix>_<secret>", description="made by `bellwether keys create`"
)


def require(scope: Scope) -> Callable[..., Awaitable[Principal]]:
    """A FastAPI dependency: the caller's Principal, if its key has `scope`. The app's state carries `keyring`."""

    async def principal(
        request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
    ) -> Principal:
        if given is None:
            raise Unauthorized("no key: send `Authorization: Bearer bw_...`", reason="key_missing")
        keyring: Keyring = request.app.state.keyring
        caller = await keyring.principal(given.credentials)
        if scope not in caller.scopes:
            raise Forbidden(f"key {caller.name!r} lacks the scope {scope}", scope=scope)
        return caller

    return principal
