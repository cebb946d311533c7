"""Files and a mapping, brought together: what will be read, and what becomes of each row of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from fnmatch import fnmatch
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from services.cli.importing.cells import Times
from services.cli.importing.language import FileMapping, Mapping
from services.cli.importing.lookups import Table, lookup_file, read_lookup
from services.cli.importing.mapping import RowMapper
from services.cli.importing.outcome import Accepted, Draft, Outcome, Refused
from services.cli.importing.rows import FileError, digest_of, format_of, header_of, read_rows
from services.cli.importing.seen import Seen

Check = Callable[[Draft], str | Refused]
"""Ingest's own rules for one event: the account it is about, or a refusal whose line is filled in by who asks."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file with its part of the mapping. `digest` is of its bytes and of those of the lookups it needs."""

    path: Path
    mapping: FileMapping
    form: str
    digest: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import will do, before anything is sent."""

    mapping: Mapping
    sources: tuple[Source, ...]
    lookups: dict[str, Table]

    @property
    def mapping_digest(self) -> str:
        """Of what the mapping says; comments and layout of its file do not count."""
        return sha256(msgspec.json.encode(self.mapping, order="deterministic")).hexdigest()

    @property
    def run(self) -> str:
        """The same files under the same mapping are the same run, whenever and wherever it starts."""
        digests = sorted(source.digest for source in self.sources)
        return "im_" + sha256("".join((self.mapping_digest, *digests)).encode()).hexdigest()[:16]

    def outcomes(self, source: Source, check: Check, shift: timedelta = timedelta()) -> Iterator[Outcome]:
        """One outcome for each row of the file, in its order; always the same ones."""
        times = Times(source.mapping.times, ZoneInfo(self.mapping.zone), shift)
        mapper = RowMapper(source.mapping, self.lookups, times)
        seen = Seen(source.mapping.key)
        columns = source.mapping.columns
        for row in read_rows(source.path, source.form, source.mapping.delimiter, columns):
            if isinstance(row, Refused):
                yield row
            elif (judged := seen.judge(row)) is not None:
                yield judged
            else:
                yield _checked(mapper.outcome(row), check)


def _checked(outcome: Accepted | Refused, check: Check) -> Accepted | Refused:
    """A row is taken whole or not at all: half a row would look accepted and be wrong."""
    if isinstance(outcome, Refused):
        return outcome
    events: list[Draft] = []
    for event in outcome.events:
        account = check(event)
        if isinstance(account, Refused):
            return replace(account, line=outcome.line)
        events.append(event.about(account))
    return replace(outcome, events=tuple(events))


def make_plan(mapping: Mapping, files: list[Path]) -> Plan:
    """Raises FileError for a file that no part of the mapping matches, and for columns that nothing takes."""
    parts = [(path, _part(mapping, path)) for path in files]
    lookups = {
        name: read_lookup(name, mapping.lookups[name], lookup_file(name, mapping.lookups[name], files))
        for name in sorted({name for _, part in parts for name in part.lookup})
    }
    sources = tuple(_source(path, part, lookups) for path, part in parts)
    if len({source.digest for source in sources}) < len(sources):
        raise FileError("two of the files have the same contents: give one of them only")
    return Plan(mapping, sources, lookups)


def _part(mapping: Mapping, path: Path) -> FileMapping:
    if not path.is_file():
        raise FileError(f"{path}: there is no such file")
    part = next((file for file in mapping.files if fnmatch(path.name, file.match)), None)
    if part is None:
        matches = ", ".join(file.match for file in mapping.files)
        raise FileError(f"{path}: no part of the mapping matches this name; there are {matches}")
    return part


def _source(path: Path, part: FileMapping, lookups: dict[str, Table]) -> Source:
    form = format_of(path, part.format)
    if form == "csv" and (idle := sorted(set(header_of(path, part.delimiter, part.columns)) - part.columns)):
        raise FileError(f"{path}: nothing takes column {', '.join(idle)}: use it, or say why not under `ignore:`")
    digests = [digest_of(path), *(lookups[name].digest for name in sorted(part.lookup))]
    return Source(path, part, form, sha256("".join(digests).encode()).hexdigest())


def newest_time(plan: Plan, check: Check) -> datetime | None:
    """The time of the newest event that the files hold; None when no row is taken."""
    newest: datetime | None = None
    for source in plan.sources:
        for outcome in plan.outcomes(source, check):
            if isinstance(outcome, Accepted):
                for event in outcome.events:
                    newest = event.time if newest is None else max(newest, event.time)
    return newest


def shift_to(newest: datetime, today: date) -> timedelta:
    """Whole days, so that hours and weekdays' order stay; the newest event lands on the day before `today`."""
    return timedelta(days=(today - newest.date()).days - 1)
