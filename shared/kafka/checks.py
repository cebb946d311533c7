"""What readiness asks of the servers behind a process."""

from collections.abc import Callable

from aiokafka.errors import KafkaError

from shared.http.probe import Check
from shared.kafka.log_id import LogIdentity, TopicGone
from shared.postgres.pool import CONNECTION_ERRORS, Pool


def postgres_check(pool: Pool) -> Check:
    """Ready only while Postgres answers."""

    async def check() -> str | None:
        try:
            await pool.fetchval("SELECT 1")
        except CONNECTION_ERRORS as error:
            return f"Postgres does not answer: {error!r}"
        return None

    return check


def batch_check(trouble: Callable[[], str | None]) -> Check:
    """Ready only while batches come through: a server may answer and take nothing, as with a full disk."""

    async def check() -> str | None:
        found = trouble()
        return None if found is None else f"the last batch was given up: {found}"

    return check


def kafka_check(identity: LogIdentity, topic: str) -> Check:
    """Ready only while a broker answers and has the topic."""

    async def check() -> str | None:
        try:
            await identity.of(topic)
        except (KafkaError, TopicGone, OSError) as error:
            return f"Kafka does not answer for {topic}: {error!r}"
        return None

    return check
