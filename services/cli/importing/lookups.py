"""Another file of the same export, read once, asked by key."""

from fnmatch import fnmatch
from pathlib import Path

from services.cli.importing.language import Lookup
from services.cli.importing.mapping import Ambiguous
from services.cli.importing.outcome import Refused
from services.cli.importing.rows import FileError, digest_of, format_of, read_rows

LOOKUP_ROWS_MAX = 2_000_000  # about 1 GB of memory; larger joins belong into the export
_AMBIGUOUS = Ambiguous()


def lookup_file(name: str, lookup: Lookup, files: list[Path]) -> Path:
    """The one file of that name among `files` or beside them. Raises FileError for none or several."""
    folders = {file.parent for file in files}
    candidates = {path for folder in folders for path in folder.iterdir() if path.is_file()} | set(files)
    found = sorted(path for path in candidates if fnmatch(path.name, lookup.file))
    if len(found) != 1:
        listed = ", ".join(str(path) for path in found) or "none"
        raise FileError(f"lookup {name} needs the one file {lookup.file} beside the files; found: {listed}")
    return found[0]


def read_lookup(name: str, lookup: Lookup, path: Path) -> "Table":
    """Raises FileError for a broken file: half a lookup would refuse good rows by the thousand."""
    rows: dict[str, dict[str, str] | Ambiguous] = {}
    wanted = {lookup.key, *lookup.columns}
    for row in read_rows(path, format_of(path, None), lookup.delimiter, wanted):
        if isinstance(row, Refused):
            raise FileError(
                f"{path}:{row.line}: {row.reason} {row.value}: {row.remedy} (it is the file of lookup {name})"
            )
        found = {column: row.cells[column] for column in lookup.columns}
        key = row.cells[lookup.key]
        if rows.setdefault(key, found) != found:
            rows[key] = _AMBIGUOUS
        if len(rows) > LOOKUP_ROWS_MAX:
            raise FileError(f"{path}: over {LOOKUP_ROWS_MAX:,} keys: join the files before the import")
    return Table(rows, digest_of(path))


class Table:
    """key -> the columns offered, None when no row has it. `digest` is of the file it was read from."""

    def __init__(self, rows: dict[str, dict[str, str] | Ambiguous], digest: str = "") -> None:
        self._rows = rows
        self.digest = digest

    def __call__(self, key: str) -> dict[str, str] | Ambiguous | None:
        return self._rows.get(key)
