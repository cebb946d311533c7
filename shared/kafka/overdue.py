"""Ends connections on which a broker has owed an answer for too long; the client opens new ones.

A wire can die without a word, and its sockets stay open. aiokafka closes a connection only where a request has met its
own time limit; a request that was cancelled before, and one that was sent behind it, wait for ever, and so does
everything that is asked on that connection afterwards.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection, CloseReason

from shared.beside import beside

LOOK_EVERY_SECONDS = 0.5


@contextlib.asynccontextmanager
async def overdue_ended(*users: AIOKafkaClient | AIOKafkaConsumer | AIOKafkaAdminClient) -> AsyncIterator[None]:
    """While the body runs. A broker may take for an answer what each client was made with, its request timeout."""
    clients = [user if isinstance(user, AIOKafkaClient) else user._client for user in users]  # noqa: SLF001 - no other way
    async with beside(_watch(clients)):
        yield


async def _watch(clients: Sequence[AIOKafkaClient]) -> None:
    time = asyncio.get_running_loop().time
    owed: dict[AIOKafkaConnection, tuple[int, float]] = {}  # the request that is next to be answered, and since when
    while True:
        await asyncio.sleep(LOOK_EVERY_SECONDS)
        now = time()
        before, owed = owed, {}
        for client in clients:
            seconds_max = client._request_timeout_ms / 1_000  # noqa: SLF001 - as above
            for connection in tuple(client._conns.values()):  # noqa: SLF001 - as above
                if not connection._requests:  # noqa: SLF001 - as above
                    continue
                request: int = connection._requests[0][0]  # noqa: SLF001 - as above
                since = before[connection][1] if before.get(connection, (None,))[0] == request else now
                if now - since > seconds_max:
                    connection.close(reason=CloseReason.CONNECTION_TIMEOUT)
                else:
                    owed[connection] = request, since
