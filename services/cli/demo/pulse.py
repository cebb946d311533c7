"""The fleet lives on: five events a second, half of them over HTTP, half straight into the raw topics."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer

from services.cli.demo.api import Api
from services.cli.demo.fleet import Customer
from services.cli.demo.live import Happening, happening
from services.cli.demo.loading import SOURCE
from services.cli.importing.checking import cloud_event
from shared.contracts.catalogue import TYPES
from shared.contracts.envelope import HEADERS
from shared.settings import Shared

PAUSE_SECONDS = 0.2  # slow enough to read along

Say = Callable[[str], None]


class Pulse:
    """Sends one happening after the other and says what people would want to hear of."""

    def __init__(self, settings: Shared, api: Api, to_broker: AIOKafkaProducer, say: Say) -> None:
        self._settings = settings
        self._api = api
        self._to_broker = to_broker
        self._say = say
        self.sent = {"http": 0, "topic": 0}

    async def run(self, fleet: Sequence[Customer], seed: int) -> None:
        """Until it is cancelled."""
        tag = f"{datetime.now(UTC):%m%d%H%M%S}"
        number = 0
        while True:
            happened = happening(number, fleet, seed, datetime.now(UTC), tag)
            await self._send(happened)
            self.sent[happened.way] += 1
            number += 1
            await asyncio.sleep(PAUSE_SECONDS)

    async def _send(self, happened: Happening) -> None:
        event = cloud_event(happened.draft, SOURCE)
        stream = TYPES[happened.draft.type].stream.name
        if happened.words:
            way = "POST /v1/events" if happened.way == "http" else f"topic {stream}"
            self._say(f"[dim]{happened.words} ({way})[/]")
        if happened.way == "http":
            answer = await self._api.send(event)
            if answer.status != 202:
                self._say(f"[red]POST /v1/events answered {answer.status}: {answer.body}[/]")
        else:
            await self._to_broker.send_and_wait(self._settings.topic(stream), event, headers=HEADERS)
