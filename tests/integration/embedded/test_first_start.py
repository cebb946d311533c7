"""A start that cannot succeed says why and leaves nothing running; one that was interrupted begins again."""

import socket
from pathlib import Path

import pytest

from services.cli.embedded.box import LOOPBACK, free_port, open_box
from services.cli.embedded.folder import CannotStart, open_folder
from services.cli.embedded.pair import Pair
from services.cli.embedded.processes import find

ONLY_POSTGRES = ("postgres",)


def postgres_of(data: Path, port: int = 0) -> Pair:
    return Pair(data, postgres_port=port, durable=False, servers=ONLY_POSTGRES)


def test_a_port_that_is_taken_is_named_with_the_option_that_chooses_another(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, free_port())) as stranger:
        port = stranger.getsockname()[1]
        with pytest.raises(CannotStart, match=f"port {port} is taken .* --postgres-port"):
            postgres_of(tmp_path, port).start()
    assert find(open_box(open_folder(tmp_path)).id, "postgres") == []

    pair = postgres_of(tmp_path, port)  # the same folder, the port free again: the lock was let go
    pair.start()
    pair.stop()


def test_a_free_port_is_remembered(tmp_path: Path) -> None:
    first, second = postgres_of(tmp_path), postgres_of(tmp_path)
    addresses = first.start()
    first.stop()
    try:
        assert second.start() == addresses
    finally:
        second.stop()


def test_a_cluster_whose_making_was_interrupted_is_made_again(tmp_path: Path) -> None:
    folder = open_folder(tmp_path)
    folder.marker("initdb").touch()
    folder.pg.mkdir()
    (folder.pg / "PG_VERSION").write_text("18\n")  # torn: nothing else is there

    pair = postgres_of(tmp_path)
    try:
        pair.start()
        assert not folder.marker("initdb").exists()
    finally:
        pair.stop()


def test_a_folder_of_another_major_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    folder = open_folder(tmp_path)
    folder.pg.mkdir()
    (folder.pg / "PG_VERSION").write_text("17\n")
    with pytest.raises(CannotStart, match="made by PostgreSQL 17"):
        postgres_of(tmp_path).start()
    assert [path.name for path in folder.pg.iterdir()] == ["PG_VERSION"]
