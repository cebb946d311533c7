"""The project's own files, as the tests of this folder see them."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("services", "shared", "migrations")
# What .gitignore leaves out, and hidden folders but CI's.
NOT_OURS = {"__pycache__", "node_modules", "build", "dist"}
DATA = ROOT / "data"


def files(*folders: str, suffix: str = "") -> Iterator[Path]:
    """Every file under the folders, or of the whole project, in a fixed order."""
    for folder in folders or (".",):
        yield from _under(ROOT / folder, suffix)


def _under(folder: Path, suffix: str) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            hidden = path.name.startswith(".") and path.name != ".ci"
            is_ours = path.name not in NOT_OURS and not path.name.endswith(".egg-info") and path != DATA
            if is_ours and not hidden:
                yield from _under(path, suffix)
        elif path.name.endswith(suffix):
            yield path


def name(path: Path) -> str:
    """As people write it: from the root."""
    return path.relative_to(ROOT).as_posix()


def module(path: Path) -> str:
    """The dotted name that imports the file."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    """Dotted names of what the file imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
