"""Directions that import-linter has no words for; the others are contracts in pyproject.toml."""

import ast
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

from tests.architecture.code import PACKAGES, ROOT, files, imports, name

ALLOWED_IN_DOMAIN = {"msgspec", "numpy"}
# The world outside: a clock, a disk, a wire, chance. `now` and the like are arguments of a pure function.
CLOCK_AND_CHANCE = {"random", "secrets", "time"}
DISK_AND_PROCESS = {
    "io",
    "logging",
    "multiprocessing",
    "os",
    "pathlib",
    "shutil",
    "signal",
    "subprocess",
    "sys",
    "tempfile",
}
WIRE_AND_THREAD = {"asyncio", "http", "queue", "select", "socket", "threading", "urllib"}
IMPURE = CLOCK_AND_CHANCE | DISK_AND_PROCESS | WIRE_AND_THREAD
CLOCKS = {"now", "utcnow", "today"}
WRITES_FILES = "shared/contracts/generate.py"


def pure_files() -> list[Path]:
    domains = [name(folder) for folder in sorted(ROOT.glob("services/*/domain"))]
    found = files(*domains, "shared/conditions", "shared/contracts", suffix=".py")
    return [path for path in found if name(path) != WRITES_FILES]


def may_import(path: Path, imported: str) -> bool:
    top = imported.split(".", maxsplit=1)[0]
    if top in sys.stdlib_module_names:
        return top not in IMPURE
    own = name(path).split("/domain/")[0].replace("/", ".") + ".domain"
    ours = ("shared.conditions", "shared.contracts", own)
    return top in ALLOWED_IN_DOMAIN or any(f"{imported}.".startswith(f"{known}.") for known in ours)


def test_pure_code_imports_only_pure_code() -> None:
    found = [(name(path), imported) for path in pure_files() for imported in imports(path)]
    assert [(path, imported) for path, imported in found if not may_import(ROOT / path, imported)] == []


def test_pure_code_reads_no_clock() -> None:
    calls = [
        (f"{name(path)}:{node.lineno}", node.func)
        for path in pure_files()
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Call)
    ]
    assert [place for place, call in calls if isinstance(call, ast.Attribute) and call.attr in CLOCKS] == []


def test_no_modules_import_one_another_in_a_ring() -> None:
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    order = TopologicalSorter({module: graph.find_modules_directly_imported_by(module) for module in graph.modules})
    try:
        order.prepare()
    except CycleError as ring:
        pytest.fail(" -> ".join(ring.args[1]))
