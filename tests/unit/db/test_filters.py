"""The filter and the orders of runs, in both databases."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from backend.contract import TrainConfig
from backend.db import epochs, filters, lifecycle, runs, waiting
from backend.db.engine import Database
from backend.db.fields import OWN_FIELDS
from backend.db.models import Run
from backend.db.orders import SORT_KEYS, Order
from backend.errors import BadFilter
from tests.builders import add_run, epoch_report, start_run

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
DOCUMENT = (Path(__file__).parents[3] / "docs" / "filters.md").read_text()


@pytest.fixture
def filled(database: Database) -> Database:
    """Three runs: one of three hours that finished yesterday, one of today that trains, one that waits."""
    old = add_run(database, "old", ["paper", "first try"], width=8, epsilon=0.1, epochs=1, quirks=["celu_slope_2"])
    live = add_run(database, "live", ["paper 2"], width=64, epsilon=0.5, xla=True, backprop="dilated")
    add_run(database, "made in <b>", width=16, epsilon=2, train_images=500, dataset="mnist")
    for run_id, accuracy in ((old, 0.5), (live, 0.97)):
        claim = start_run(database, run_id)
        with database.write() as session:
            epochs.append(session, run_id, claim.attempt, epoch_report(0, test_accuracy=accuracy))
            if run_id == old:
                lifecycle.finish(session, run_id, claim.attempt)
    with database.write() as session:
        times = {"created_at": NOW - timedelta(days=8), "started_at": NOW - timedelta(hours=27)}
        ended = NOW - timedelta(hours=24)
        session.execute(update(Run).where(Run.id == old).values(finished_at=ended, disk_bytes=2_000_000, **times))
        session.execute(update(Run).where(Run.id == live).values(created_at=NOW - timedelta(hours=3), notes="100% _x"))
        session.execute(update(Run).where(Run.id > live).values(created_at=NOW - timedelta(minutes=5)))
    return database


def names(database: Database, text: str, sort: str = "id") -> list[str]:
    wanted = filters.parse(text, NOW)
    with database.read() as session:
        found, _ = runs.page(session, [] if wanted is None else [wanted], Order(sort), None, 100)
        return [run.name for run in found]


CASES = [
    ("epsilon in 0.1..0.5", "old live"),
    ("epsilon in 0.2..", "live made"),
    ("epsilon in ..0.1", "old"),
    ("test_accuracy in 90..98%", "live"),
    ("width in (8, 16)", "old made"),
    ("width in (8 16..20)", "old made"),
    ("width in 8,64", "old live"),
    ("width not in (8, 16)", "live"),
    ("not width in (8, 16)", "live"),
    ("dataset in (mnist)", "made"),
    ("backprop in (manual, dilated) and status not in (finished)", "live made"),
    ("tag = paper", "old"),
    ("tag = 'first try'", "old"),
    ("tag ~ paper", "old live"),
    ("tag !~ paper", "made"),
    ("tag in (paper, 'paper 2')", "old live"),
    ("tags != paper", "live made"),
    ("quirk = celu_slope_2", "old"),
    ("notes ~ '100% _'", "live"),
    ("notes = ''", "old made"),
    ("name ~ '<b>'", "made"),
    ("created > -7d", "live made"),
    ("created > -1h", "made"),
    ("created = today", "live made"),
    ("created < yesterday", "old"),
    ("finished = 2026-11-24", "old"),
    ("finished in yesterday", "old"),
    ("finished in 2026-11-01..2026-11-24", "old"),
    ("finished in 2026-11-01..2026-11-23", ""),
    ("finished >= 2026-11-24T12:00", "old"),
    ("finished > 2026-11-24T12:00", ""),
    ("finished = 2026-11-24T13:00+01:00", "old"),
    ("finished <= now", "old"),
    ("finished = none", "live made"),
    ("finished != none", "old"),
    ("duration > 2h", "old"),
    ("duration in 179min..10800s", "old"),
    ("duration < 1d", "old"),
    ("disk > 1.5MB", "old"),
    ("disk in 2MB..1GB", "old"),
    ("xla = yes", "live"),
    ("xla = no width = 8", "old"),
    ("relation = none", "old live made"),
    ("train_images = none", "old live"),
    ("train_images = 500", "made"),
    ("error != boom", "old live made"),
    ("test_accuracy != 97%", "old made"),
    ("sign_pass_precision = none and precision = FLOAT32", "old live made"),
    ("'made in'", "made"),
]


class TestTheFilter:
    def test_finds_what_it_asks_for(self, filled: Database) -> None:
        """Ranges, lists, tags, notes, times, units and missing values mean what the document says."""
        found = [(text, " ".join(name.split()[0] for name in names(filled, text))) for text, _ in CASES]
        assert found == CASES

    @pytest.mark.parametrize(
        ("text", "quoted"),
        [
            ("epsilon in ..", "a range has an end"),
            ("epsilon in 1..x", "'x'"),
            ("xla in no..yes", "yes or no"),
            ("xla > no", "xla = yes"),
            ("created > soon", "2026-11-25"),
            ("created > 0001-01-01T00:00+23:00", "is none"),
            ("created > -999999w", "before all times"),
            ("duration > 3kg", "10min"),
            ("width = 3min", "'3min'"),
            ("width in (8", "at its end"),
            ("width in ()", "at ')'"),
            ("made in lab", "'made'"),
            ("created ~ 2026", "is a time"),
            ("id = none", "'none'"),
        ],
    )
    def test_that_means_nothing_says_why(self, text: str, quoted: str) -> None:
        """A value of the wrong kind is refused by a sentence that quotes it, or shows how it is written."""
        with pytest.raises(BadFilter, match=re.escape(quoted)):
            filters.parse(text, NOW)

    def test_is_documented(self) -> None:
        """The document's table of fields is that of the code, and each of its examples can be read."""
        rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", DOCUMENT, re.MULTILINE)
        expected = [
            (field.name, field.kind + (", or none" if field.may_be_none else ""), field.meaning) for field in OWN_FIELDS
        ]
        assert rows == expected
        table = DOCUMENT.split("| filter | finds |")[1].split("\n\n")[0]
        examples = [text for line in table.splitlines()[2:] for text in re.findall(r"`(.+?)`", line.split(" | ")[0])]
        assert len(examples) > 15
        for text in examples:
            filters.parse(text, NOW)


class TestTheOrder:
    def test_is_total_for_every_key_and_pages_give_each_run_once(self, filled: Database) -> None:
        """Whatever the key and its direction, pages of one give what one page gives; no value comes last."""
        with filled.read() as session:
            for key in SORT_KEYS:
                for sort in (key, f"-{key}"):
                    whole = [run.id for run in runs.page(session, [], Order(sort), None, 100)[0]]
                    paged, cursor = [], None
                    for _ in whole:
                        page, cursor = runs.page(session, [], Order(sort), cursor, 1)
                        paged += [run.id for run in page]
                    assert (paged, cursor) == (whole, None), sort
                    assert runs.ids(session, [], Order(sort)) == whole, sort
        for sort in ("duration", "-duration", "finished", "-finished"):
            assert names(filled, "", sort)[0] == "old"
        assert names(filled, "", "-epsilon") == ["made in <b>", "live", "old"]
        assert names(filled, "", "test_accuracy")[:2] == ["old", "live"]

    def test_of_a_field_of_every_configuration_is_known(self) -> None:
        """Each field of a configuration that holds one value can be sorted by."""
        lists = {"quirks", "robustness_epsilons"}
        assert set(TrainConfig.model_fields) - lists <= set(SORT_KEYS)


class TestTheQueue:
    def test_places_are_told_of_the_runs_asked_for(self, database: Database) -> None:
        """A run's place counts all that wait before it, whichever are asked for."""
        ids = [add_run(database, f"run {place}") for place in range(5)]
        start_run(database, ids[1])
        with database.read() as session:
            assert waiting.view(session, [ids[4], ids[1], ids[2]]).positions == {ids[2]: 2, ids[4]: 4}
            assert waiting.view(session, []) == waiting.EMPTY
