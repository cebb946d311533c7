"""A file fits a head, a function fits a screen, a name says what is decided."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.code import PACKAGES, ROOT, files, name

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
README_LINES_MAX = 199
SAYS_NOTHING = {"utils", "util", "helpers", "helper", "common", "core", "manager", "base", "misc"}

SOURCES = list(files(*PACKAGES, "tests", suffix=".py"))


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and number of lines without the docstring, of each function."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            said = node.body[0] if ast.get_docstring(node) else None
            docstring = (said.end_lineno or said.lineno) - said.lineno + 1 if said else 0
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1 - docstring


def test_every_file_ends_within_its_limit() -> None:
    lines = {name(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert {path: count for path, count in lines.items() if count > FILE_LINES_MAX} == {}


def test_every_function_fits_a_screen() -> None:
    found = [(name(path), function, lines) for path in SOURCES for function, lines in functions(path)]
    assert [one for one in found if one[-1] > FUNCTION_LINES_MAX] == []


def test_every_name_says_what_is_decided() -> None:
    named = {name(part) for path in SOURCES for part in (path, path.parent) if part.stem in SAYS_NOTHING}
    assert named == set()


def test_a_package_file_holds_a_docstring_at_most() -> None:
    packages = [path for path in SOURCES if path.name == "__init__.py"]
    trees = {name(path): ast.parse(path.read_bytes()) for path in packages}
    assert [path for path, tree in trees.items() if len(tree.body) > (ast.get_docstring(tree) is not None)] == []


def test_the_readme_is_read_in_one_sitting() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= README_LINES_MAX


def test_unit_tests_mirror_the_code() -> None:
    folders = {path.parent.relative_to(ROOT / "tests/unit") for path in files("tests/unit", suffix=".py")}
    assert {folder.as_posix() for folder in folders if not (ROOT / folder).exists()} == set()
