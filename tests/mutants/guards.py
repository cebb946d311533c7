"""The guards that exactly once rests on: what each looks like, what is left without it, which test is there for it."""

from typing import NamedTuple


class Guard(NamedTuple):
    """`text` stands exactly once in `file`; with `replacement` in its place `test` must fail, because of `why`."""

    name: str
    file: str
    text: str
    replacement: str
    test: str
    why: str


_KAFKA, _SCORING, _ALERTS, _INGEST = (f"tests/integration/{name}" for name in ("kafka", "scoring", "alerts", "ingest"))
_CLAIMS, _HANDOVER, _OUTBOX, _LOOP = (f"{_KAFKA}/test_{name}.py" for name in ("claims", "handover", "outbox", "loop"))
_COMPARED = "locked.next_offset = locked.from_offset AND locked.seq = locked.from_seq"
_TAKE = "            await self._take(polled)"
_TAKEN = "  # 2 judged, 3 set aside, 4 handed to the producer, 5 acknowledged"
_COMMIT = "\n            await self._commit({tp: self._after(tp, records) for tp, records in polled.items()})"
_COMMITTED = "  # 6 committed\n"

GUARDS = (
    Guard(
        "the claim locks in order",
        "shared/kafka/queries.sql",
        "    ORDER BY p.partition\n    FOR UPDATE OF p\n",
        "",
        f"{_CLAIMS}::test_claims_that_overlap_under_different_plans_neither_deadlock_nor_lose_one",
        "an UPDATE locks in the order of its plan, and two plans wait for each other in a ring",
    ),
    Guard(
        "the claim compares the offset",
        "shared/kafka/queries.sql",
        _COMPARED,
        "locked.seq = locked.from_seq",
        f"{_CLAIMS}::test_a_claim_is_refused_whichever_part_of_the_position_differs",
        "a restored row may have the seq that is expected and stand elsewhere",
    ),
    Guard(
        "the claim compares the seq",
        "shared/kafka/queries.sql",
        _COMPARED,
        "locked.next_offset = locked.from_offset",
        f"{_CLAIMS}::test_a_claim_is_refused_whichever_part_of_the_position_differs",
        "another worker's look moves no offset, and what is cached here is stale all the same",
    ),
    Guard(
        "the claim knows its log",
        "shared/kafka/queries.sql",
        "WHERE p.topic = $2 AND p.log_id = $1\n",
        "WHERE p.topic = $2 AND $1::text IS NOT NULL\n",
        f"{_CLAIMS}::test_a_claim_is_refused_whichever_part_of_the_position_differs",
        "after an adoption the offsets of the log before mean nothing",
    ),
    Guard(
        "a lost partition loses the batch",
        "shared/kafka/claim.py",
        'if lost := _missing(partitions, (row["partition"] for row in moved)):',
        'if (lost := _missing(partitions, (row["partition"] for row in moved))) == partitions:',
        f"{_HANDOVER}::test_a_batch_of_which_some_partitions_are_lost_is_rolled_back_whole_and_read_again",
        "the partitions that were lost have been counted by their new owner",
    ),
    Guard(
        "an owner that is stopped lets go",
        "shared/postgres/pool.py",
        '"idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS)',
        '"idle_in_transaction_session_timeout": "0"',
        f"{_HANDOVER}::test_a_successor_waits_for_a_held_claim_no_longer_than_its_owner_may_idle",
        "its successor would wait for as long as it is stopped",
    ),
    Guard(
        "caches are dropped at a lost claim",
        "shared/kafka/loop.py",
        "        self.work.forget()\n        self._log = ",
        "        self._log = ",
        f"{_LOOP}::test_a_position_moved_without_a_rebalance_drops_the_cache",
        "what is remembered counts only as long as nobody else has moved the position",
    ),
    Guard(
        "the outbox is loaded again at a lost claim",
        "shared/kafka/loop.py",
        "            await self.outbox.reload(connection, assigned)\n",
        "",
        f"{_HANDOVER}::test_what_an_owner_committed_after_the_hand_over_and_never_published_leaves_first",
        "rows that were stored after the take-over would come out after newer ones",
    ),
    Guard(
        "the loop seeks",
        "shared/kafka/loop.py",
        "            self.consumer.seek(self._tp(partition), position.next_offset)\n",
        "            pass\n",
        f"{_LOOP}::test_a_rewound_position_is_read_again_from_where_postgres_says",
        "Kafka's committed offset may be anywhere",
    ),
    Guard(
        "what was read before is not read again",
        "shared/kafka/loop.py",
        "        if first < wanted:\n",
        "        if first < 0:\n",
        f"{_HANDOVER}::test_a_consumer_that_goes_back_by_itself_counts_nothing_twice",
        "the claim moves from the position that is stored, wherever the records begin",
    ),
    Guard(
        "the log is looked at before the commit",
        "shared/kafka/loop.py",
        "            await self._check_log()\n        self._positions",
        "        self._positions",
        f"{_HANDOVER}::test_a_batch_does_not_count_once_its_log_has_been_made_anew",
        "the position would be moved in a log that the records are not from",
    ),
    Guard(
        "a hole stops",
        "shared/kafka/claim.py",
        "    if holes:\n",
        "    if None:\n",
        f"{_CLAIMS}::test_only_a_log_that_begins_above_the_position_is_a_hole",
        "records that are gone would be passed over without a word",
    ),
    Guard(
        "a partition stops at what is refused",
        "shared/kafka/outbox.py",
        "        return rows[done:]\n",
        "        return rows[done + 1 :]\n",
        f"{_OUTBOX}::test_a_partition_stops_at_what_is_refused_and_the_others_go_on",
        "what the broker refused once would be left out until somebody loads the table",
    ),
    Guard(
        "rows that were not loaded leave first",
        "shared/kafka/outbox.py",
        "while await self._load(connection, partitions) == self._leftovers_max:",
        "while await self._load(connection, partitions) < 0:",
        f"{_OUTBOX}::test_rows_that_were_not_loaded_at_a_take_over_are_not_overtaken",
        "the next batch's rows would overtake them",
    ),
    Guard(
        "what no broker takes is not stored",
        "shared/kafka/outbox.py",
        "            _check_size(message)\n",
        "            pass\n",
        f"{_OUTBOX}::test_the_largest_message_leaves_and_a_larger_one_is_refused_before_the_commit",
        "its partition would wait behind it for ever",
    ),
    Guard(
        "the outbox is loaded again now and then",
        "shared/kafka/loop.py",
        "        if self.outbox.size or self._reload_is_due():\n",
        "        if self.outbox.size:\n",
        f"{_OUTBOX}::test_rows_left_behind_where_nothing_comes_any_more_leave_with_the_periodic_reload",
        "where nothing comes any more no claim is lost, so nobody would notice",
    ),
    Guard(
        "the producer is idempotent",
        "shared/kafka/clients.py",
        "enable_idempotence=True",
        "enable_idempotence=False",
        f"{_OUTBOX}::test_an_acknowledgement_lost_on_its_way_doubles_nothing",
        "it sends again what was acknowledged, behind what came after it",
    ),
    Guard(
        "what conflicts in the archive is a duplicate",
        "services/scoring/archive.py",
        ' for r in stored if r["seen"] == times[r["day"], r["hash"]]}',
        " for r in stored}",
        f"{_SCORING}/test_counting.py::test_an_account_told_everything_twice_is_known_as_if_it_was_told_once",
        "a producer's retry would be folded again",
    ),
    Guard(
        "views move forward only",
        "services/alerts/queries.sql",
        "WHERE v.version < excluded.version\nRETURNING account;",
        "RETURNING account;",
        f"{_ALERTS}/test_batches.py::test_an_older_version_never_wins_but_its_notables_count",
        "a zombie's snapshot comes late",
    ),
    Guard(
        "one open alert per account, rule and key",
        "migrations/versions/0004_alerts.py",
        "CREATE UNIQUE INDEX alert_one_open",
        "CREATE INDEX alert_one_open",
        f"{_ALERTS}/test_batches.py::test_two_connections_cannot_both_open_an_alert",
        "two workers would each open one",
    ),
    Guard(
        "ingest commits after the acknowledgement",
        "services/ingest/worker.py",
        f"{_TAKE}{_TAKEN}{_COMMIT}{_COMMITTED}",
        f"{_COMMIT}\n{_TAKE}\n",
        f"{_INGEST}/test_killed.py::test_a_worker_killed_after_a_step_loses_nothing_and_sets_aside_once[judged]",
        "whoever is killed in between has read what nobody will read again",
    ),
)
