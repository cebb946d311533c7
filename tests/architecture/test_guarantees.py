"""What docs/guarantees.md says is shown by a test is shown by one that exists."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
GUARANTEES = (ROOT / "docs/guarantees.md").read_text()


def names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_test_that_the_guarantees_name_exists() -> None:
    named = set(NAMED.findall(GUARANTEES))
    assert {(path, name) for path, name in named if name not in names_in(path)} == set()


def test_every_line_of_the_tables_of_failures_names_a_test() -> None:
    failures = GUARANTEES.split("## When something fails")[1].split("## Timeouts")[0]
    rows = [line for line in failures.splitlines() if line.startswith("|")]
    entries = [row for row in rows if not row.startswith(("| ---", "| failure"))]
    assert entries
    assert [row for row in entries if not NAMED.search(row)] == []
