"""Statements live in `queries.sql`, each under its name and one sentence of purpose.

-- name: claim
-- Moves the position of every partition of the batch, or of fewer if somebody else has moved on.
WITH ...
"""

import re
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)[^\S\n]*$", re.MULTILINE)


def load(package: str, file_name: str = "queries.sql") -> dict[str, str]:
    """name -> statement. Raises ValueError for a statement without purpose or a name given twice."""
    text = files(package).joinpath(file_name).read_text()
    parts = _NAME.split(text)[1:]
    statements: dict[str, str] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name in statements:
            raise ValueError(f"{package}/{file_name}: {name} is there twice")
        if not body.strip().startswith("--"):
            raise ValueError(f"{package}/{file_name}: {name} does not say what it is for")
        statements[name] = body.strip()
    return statements
