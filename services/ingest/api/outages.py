"""A server behind ingest that does not answer, as the caller is told."""

import contextlib
from collections.abc import Iterator

from services.ingest.forward import NotAcknowledged
from shared.http.problem import Unavailable
from shared.postgres.pool import CONNECTION_ERRORS


class OutcomeUnknown(Unavailable):
    """The broker has not acknowledged in time; some events may be in all the same. Send them again, same ids."""

    reason = "outcome_unknown"


class PostgresUnavailable(Unavailable):
    """Postgres does not answer, and this needs it."""

    reason = "postgres_unavailable"


@contextlib.contextmanager
def named_outages() -> Iterator[None]:
    """Raises OutcomeUnknown or PostgresUnavailable in place of what the store and the broker raise."""
    try:
        yield
    except NotAcknowledged as error:
        raise OutcomeUnknown(f"{error}: send again with the same ids, each counts once") from error
    except CONNECTION_ERRORS as error:
        raise PostgresUnavailable("Postgres does not answer: send again with the same ids, each counts once") from error
