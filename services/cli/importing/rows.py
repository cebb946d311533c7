"""Rows of a file, numbered by the line they begin on. What is no row is refused with its line, never skipped."""

import csv
import io
from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path
from typing import Any

import msgspec

from services.cli.importing.outcome import Refused, Row

CELL_BYTES_MAX = 1_000_000  # a record of the topic could not carry more
csv.field_size_limit(CELL_BYTES_MAX)


class FileError(Exception):
    """A file that cannot be imported at all; the message says why and what to do."""


def format_of(path: Path, declared: str | None) -> str:
    """csv or jsonl. Raises FileError where neither the mapping nor the name says."""
    form = declared or {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}.get(path.suffix.lower())
    if form is None:
        raise FileError(f"{path}: is it CSV or JSONL? Name it .csv or .jsonl, or write `format:` into the mapping")
    return form


def digest_of(path: Path) -> str:
    """sha256 of the file's bytes, in hex."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def lines_of(path: Path) -> int:
    """About how many rows a file has, for a progress bar."""
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def read_rows(path: Path, form: str, delimiter: str, columns: set[str]) -> Iterator[Row | Refused]:
    """One after the other, in the order of the file. Raises FileError for a header that lacks one of `columns`."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        yield from _csv_rows(path, file, delimiter, columns) if form == "csv" else _json_rows(file, columns)


def header_of(path: Path, delimiter: str, columns: set[str]) -> list[str]:
    """The names in a CSV file's first line. Raises FileError for a file without one, or without one of `columns`."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        header = next(csv.reader(file, delimiter=delimiter), None)
    if not header:
        raise FileError(f"{path}: the file is empty; its first line must name the columns")
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise FileError(f"{path}: column {', '.join(twice)} is there twice; give each column its own name")
    if missing := sorted(columns - set(header)):
        known = ", ".join(header)
        raise FileError(f"{path}: no column {', '.join(missing)}; the columns are {known}: correct the mapping")
    return header


def _csv_rows(path: Path, file: io.TextIOWrapper, delimiter: str, columns: set[str]) -> Iterator[Row | Refused]:
    header = header_of(path, delimiter, columns)
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    next(reader)
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Refused(line, "", "csv_broken", str(error), "quote text that holds quotes, delimiters or line breaks")
            continue
        if record:
            yield _row(line, header, record)


def _row(line: int, header: list[str], record: list[str]) -> Row | Refused:
    if len(record) != len(header):
        value = f"{len(record)} columns, not {len(header)}"
        return Refused(line, "", "column_count", value, "quote cells that hold the delimiter; fill up missing ones")
    for name, cell in zip(header, record, strict=True):
        if not _is_text(cell):
            return Refused(line, name, "not_utf8", ascii(cell), "save the file as UTF-8")
    return Row(line, dict(zip(header, record, strict=True)))


def _is_text(cell: str) -> bool:
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return True


def _json_rows(file: io.TextIOWrapper, columns: set[str]) -> Iterator[Row | Refused]:
    decoder = msgspec.json.Decoder(dict[str, Any], float_hook=str)  # 0.10 stays 0.10
    for line, text in enumerate(file, start=1):
        if not text.strip():
            continue
        if not _is_text(text):
            yield Refused(line, "", "not_utf8", ascii(text[:80]), "save the file as UTF-8")
            continue
        try:
            cells = _flat(decoder.decode(text))
        except (msgspec.DecodeError, RecursionError) as error:
            yield Refused(line, "", "json_broken", str(error), "write one JSON object per line")
            continue
        yield Row(line, dict.fromkeys(columns, "") | cells)


def _flat(found: dict[str, Any], before: str = "") -> dict[str, str]:
    """Objects inside become dotted columns; null is an empty cell; a list stays JSON."""
    cells: dict[str, str] = {}
    for name, value in found.items():
        if isinstance(value, dict):
            cells |= _flat(value, f"{before}{name}.")
        elif value is None:
            cells[before + name] = ""
        else:
            cells[before + name] = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return cells
