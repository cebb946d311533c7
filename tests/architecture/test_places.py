"""The project names no machine and no registry, and the product does not reach outside itself."""

import re

from tests.architecture.code import PACKAGES, files, name

# Split, so that this file does not name them either.
HOSTS = ("python" + "hosted.org", "py" + "pi.org", "registry.npm" + "js.org", "maven." + "org", "maven.apache" + ".org")
MACHINE = re.compile(r"""(?:^|[\s"'`=:(])/(?:work|farm|root|home|Users)/""", re.MULTILINE)
BESIDE_US = ("../" + "shared", "shared/" + "data", "shared/" + "domain")


def texts(*folders: str) -> dict[str, str]:
    return {name(path): path.read_text(errors="replace") for path in files(*folders)}


def test_no_file_names_a_registry_or_a_machine() -> None:
    found = [path for path, text in texts().items() if any(host in text for host in HOSTS) or MACHINE.search(text)]
    assert found == []


def test_the_product_does_not_know_what_lies_beside_it() -> None:
    found = [path for path, text in texts(*PACKAGES, "deploy").items() if any(place in text for place in BESIDE_US)]
    assert found == []
