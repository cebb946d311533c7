"""Which rows of a file stood further up already."""

from hashlib import blake2b

from services.cli.importing.outcome import Duplicate, Refused, Row

DIGEST_BYTES = 12  # a million rows collide with a chance of 1 in 10^16


class Seen:
    """Remembers every row by its key. Memory: about 200 bytes a row."""

    def __init__(self, key: list[str]) -> None:
        self._key = key
        self._rows: dict[bytes, tuple[bytes, int]] = {}

    def judge(self, row: Row) -> Duplicate | Refused | None:
        """None for a new row. The same key with other contents is no duplicate: one of the two would be lost."""
        key = _digest([row.cells[column] for column in self._key])
        contents = _digest(list(row.cells.values()))
        first_contents, first_line = self._rows.setdefault(key, (contents, row.line))
        if first_line == row.line:
            return None
        if first_contents == contents:
            return Duplicate(row.line, first_line)
        value = ", ".join(row.cells[column] for column in self._key)
        remedy = f"line {first_line} has this key with other contents: correct it, or add a column to `key`"
        return Refused(row.line, ", ".join(self._key), "key_taken", value, remedy)


def _digest(parts: list[str]) -> bytes:
    joined = "".join(f"{len(part)}:{part}" for part in parts)  # lengths: ("a", "bc") is not ("ab", "c")
    return blake2b(joined.encode(), digest_size=DIGEST_BYTES).digest()
