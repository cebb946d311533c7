"""`python -m tests.mutants`: each guard is taken away in turn, and the test that is there for it must fail.

Guards whose name contains an argument are tried alone. What is tried is a copy: the tree itself is not touched.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from services.cli.embedded.jars import default_cache
from services.cli.embedded.pair import Addresses
from tests.mutants import servers
from tests.mutants.guards import GUARDS, Guard
from tests.pair import ROOT, running_pair

# A mutant mostly fails by waiting for what never comes.
WAIT_SECONDS_MAX = 12
RUN_SECONDS_MAX = 300.0  # of one session; above pytest's own limit of a test
TESTS_FAILED = 1  # pytest's word for it; errors of collection and usage have other numbers


def main(words: Sequence[str]) -> int:
    guards = [guard for guard in GUARDS if not words or any(word in guard.name for word in words)]
    began_at = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, running_pair() as addresses:
        tree = copied_to(Path(folder) / "tree")
        whole = tested(tree, sorted({guard.test for guard in guards}), addresses, "m0_")
        if whole.returncode:
            print(whole.stdout, "\nthe unchanged tree does not pass: nothing can be said of its guards")
            return 1
        print(f"unchanged: {whole.stdout.splitlines()[-1]}\n\nguard | test | failed as it must")
        survived = [guard.name for n, guard in enumerate(guards, 1) if not fails(tree, guard, addresses, f"m{n}_")]
    print(f"\n{len(guards)} guards in {time.monotonic() - began_at:.0f} s")
    for name in survived:
        print(f"nothing fails without: {name}")
    return 1 if survived else 0


def copied_to(tree: Path) -> Path:
    """Every file that is part of the project, as it is now."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    waits = tree / "tests" / "processes.py"
    waits.write_text(replaced(waits, "\nSECONDS_MAX = 30.0\n", f"\nSECONDS_MAX = {WAIT_SECONDS_MAX:.1f}\n"))
    return tree


def replaced(path: Path, text: str, by: str) -> str:
    """What the file would say. Raises ValueError where `text` is not there exactly once."""
    found = path.read_text()
    if found.count(text) != 1:
        raise ValueError(f"{path.name}: {found.count(text)} times instead of once: {text!r}")
    return found.replace(text, by)


def fails(tree: Path, guard: Guard, addresses: Addresses, prefix: str) -> bool:
    """Whether the test fails without the guard, and not for want of being run."""
    path = tree / guard.file
    original = path.read_text()
    try:
        path.write_text(replaced(path, guard.text, guard.replacement))
        run = tested(tree, [guard.test], addresses, prefix)
    finally:
        path.write_text(original)
    summary = run.stdout.rstrip().rpartition("\n")[2]
    has_failed = run.returncode == TESTS_FAILED and " failed" in summary and " error" not in summary
    print(f"{guard.name} | {guard.test} | {'yes' if has_failed else 'NO'}: {summary}", flush=True)
    for line in reasons(run.stdout) if has_failed else [run.stdout]:
        print(f"    {line}", flush=True)
    return has_failed


def reasons(output: str) -> Iterator[str]:
    """The line of pytest's summary that says why a test failed."""
    for line in output.splitlines():
        if line.startswith("FAILED "):
            yield re.sub(r"^FAILED \S+( - )?", "", line)


def tested(tree: Path, tests: Sequence[str], addresses: Addresses, prefix: str) -> subprocess.CompletedProcess[str]:
    """The tests in the copy, on the servers that are there."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--tb=short",
        "-p",
        "no:cacheprovider",
        "-p",
        "tests.mutants.servers",
    ]
    env = os.environ | servers.environment(addresses, prefix) | {"BELLWETHER_JARS": str(default_cache().absolute())}
    env |= {"PYTHONPATH": str(tree), "COLUMNS": "200"}
    return subprocess.run(
        [*command, *tests], cwd=tree, env=env, check=False, stdout=subprocess.PIPE, text=True, timeout=RUN_SECONDS_MAX
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
