"""Where an import has come to, in ingest's schema: it goes on there after a crash, and never sends twice in vain."""

from dataclasses import dataclass

import msgspec

from services.cli.importing.tally import Tally
from services.ingest.domain.identity import Alias
from shared.postgres.named_sql import load
from shared.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class Progress:
    """One file's import as it was left."""

    tally: Tally
    is_ended: bool


class ImportStore:
    """The table `import_run` through a connection that sees ingest's schema. Every call commits by itself."""

    def __init__(self, connection: Connection, mapping_digest: str) -> None:
        self._connection = connection
        self._mapping = mapping_digest
        self._sql = load("services.cli.importing")

    async def found(self, digests: list[str]) -> dict[str, Progress]:
        """File digest -> how far it has come; those never begun are absent."""
        rows = await self._connection.fetch(self._sql["found"], self._mapping, digests)
        return {
            row["file_hash"]: Progress(msgspec.json.decode(row["counts"], type=Tally), row["state"] == "ended")
            for row in rows
        }

    async def shifts(self, source: str) -> set[int]:
        """By how many days files of this source were moved; empty if none has come yet."""
        rows = await self._connection.fetch(self._sql["shifts"], source)
        return {row[0] for row in rows}

    async def begin(self, digest: str, tally: Tally, *, from_start: bool) -> int:
        """How many rows of the file are in already."""
        name = f"im_{self._mapping[:12]}_{digest[:12]}"
        counts = msgspec.json.encode(tally).decode()
        next_row: int = await self._connection.fetchval(
            self._sql["begin"], name, digest, self._mapping, counts, from_start
        )
        return next_row

    async def advance(self, digest: str, next_row: int, tally: Tally) -> None:
        """Call it only once everything before `next_row` is acknowledged."""
        counts = msgspec.json.encode(tally).decode()
        await self._connection.execute(self._sql["advance"], digest, self._mapping, next_row, counts)

    async def end(self, digests: list[str]) -> None:
        await self._connection.execute(self._sql["end"], self._mapping, digests)

    async def aliases(self) -> dict[Alias, str]:
        """What alias is which account."""
        rows = await self._connection.fetch(self._sql["aliases"])
        return {Alias(row["source"], row["external_id"]): row["id"] for row in rows}
