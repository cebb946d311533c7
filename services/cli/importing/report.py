"""What an import tells: the refused rows as a file to work through, and one table for the terminal."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from rich.console import Group, RenderableType
from rich.table import Table

from services.cli.importing.outcome import Outcome, Refused
from services.cli.importing.tally import Tally

COLUMNS = ("line", "column", "reason", "value", "remedy")


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file. `refused` is the report's path, None where nothing was refused."""

    path: Path
    tally: Tally
    refused: Path | None
    was_in_already: bool = False


class RefusalFile:
    """`<FILE>.refused.csv`, one line per refused row; without any there is no file, and an older one is removed."""

    def __init__(self, folder: Path, source: Path) -> None:
        self._path = folder / f"{source.name}.refused.csv"
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        self._path.unlink(missing_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    @property
    def written(self) -> Path | None:
        return self._path if self._file is not None else None

    def take(self, outcome: Outcome) -> None:
        """Writes it down if it is a refusal."""
        if not isinstance(outcome, Refused):
            return
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("w", encoding="utf-8", newline="")
            csv.writer(self._file, lineterminator="\n").writerow(COLUMNS)
        row = (outcome.line, outcome.column, outcome.reason, outcome.value, outcome.remedy)
        csv.writer(self._file, lineterminator="\n").writerow(row)


def summary(reports: Sequence[FileReport]) -> RenderableType:
    """One line per file and their sum, then what was odd and where the refused rows are."""
    table = Table(title="every row is accepted, duplicate or refused", title_justify="left")
    table.add_column("file", overflow="fold")
    for name in ("rows", "accepted", "events", "duplicate", "refused"):
        table.add_column(name, justify="right")
    for report in reports:
        note = " (in already)" if report.was_in_already else ""
        table.add_row(report.path.name + note, *_figures([report.tally]))
    table.add_section()
    table.add_row("together", *_figures([report.tally for report in reports]))
    return Group(table, *_notes(reports))


def _figures(tallies: Sequence[Tally]) -> list[str]:
    names = ("rows", "accepted", "events", "duplicate", "refused")
    return [f"{sum(getattr(tally, name) for tally in tallies):,}" for name in names]


def _notes(reports: Sequence[FileReport]) -> list[str]:
    lines: list[str] = []
    for report in reports:
        name = report.path.name
        lines += [f"{name}: {count:,} rows: {words}" for words, count in report.tally.remarks.items()]
        if report.tally.reasons:
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in report.tally.reasons.items())
            where = f"; each is in {report.refused}" if report.refused else ""
            lines.append(f"{name}: refused: {reasons}{where}")
    return lines
