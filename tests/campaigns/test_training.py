"""Outcomes become rows that the strict reader takes for training, and a file never changes unnoticed."""

from __future__ import annotations

import hashlib
import json
import stat
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns import forgetting, training
from campaigns.records import Customer, Outcome, Terms
from campaigns.served import contract_to_json
from campaigns.store import campaigns, customers, outcomes
from campaigns.store.database import open_database
from data import reader
from data.contract import Contract, Role, from_inputs
from tests.campaigns.conftest import TYPICAL
from tests.support.customers import CONTRACT

NOW = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
SHOP = Contract.model_validate(
    {
        "name": "shop",
        "title": "Visits",
        "source": {"delimiter": ",", "quoting": "minimal"},
        "identifiers": ["visit"],
        "numeric": {"spent": {"unit": "euros", "min": 0, "max": 1000, "blank": True}},
        "categorical": {"colour": {"values": ["red"], "blank": True}, "talked": {"values": ["long"]}},
        "label": {"name": "bought", "positive": "yes, gladly", "negative": "no"},
        "after_call": ["talked"],
    }
)


class Store:
    """A frozen campaign whose first customers are the best ones and the last the control group."""

    def __init__(self, folder, cells, contract=CONTRACT, best=None):
        self.folder = folder
        self.engine = open_database(None, folder)
        campaign = campaigns.create(self.engine, Terms("spring", 5, 100), "list.csv", contract_to_json(contract))
        rows = [Customer(row, f"c{row}", one, 1 - row / 1_000) for row, one in enumerate(cells, 1)]
        customers.add(self.engine, campaign.id, rows)
        customers.rank(self.engine, campaign.id)
        campaigns.update(self.engine, campaign.id, state="ranked", model="purchase-model", version="7")
        best = len(rows) if best is None else best
        customers.freeze(self.engine, campaign.id, best, range(best + 1, len(rows) + 1))
        self.id = campaign.id

    def tell(self, bought, hours=0, called=True):
        """Records outcomes of the first customers."""
        told = [Outcome(f"c{row}", called, one, NOW + hours * HOUR) for row, one in enumerate(bought, 1)]
        outcomes.record(self.engine, self.id, told)
        return self.write()

    def write(self):
        return training.write(self.engine, self.folder, campaigns.get(self.engine, self.id))

    @property
    def file(self):
        return training.file(self.folder, self.id)


def read(file, contract=CONTRACT):
    """The rows as the pipeline reads them, and their cells."""
    blocks = list(reader.read(file, contract, Role.TRAINING))
    assert [bad for block in blocks for bad in block.bad] == []
    return [row for block in blocks for row in block.batch.to_pylist()]


def test_called_customers_with_a_known_result_are_training_rows(tmp_path):
    cells = [{**TYPICAL, "age": str(20 + row), "note": "not in the contract", "duration": "77"} for row in range(5)]
    store = Store(tmp_path, cells, best=3)
    found = store.tell([True, None, False, True])
    rows = read(store.file)
    assert [(row["age"], row["y"]) for row in rows] == [(20, 1), (22, 0), (23, 1)]
    assert all(row["duration"] != row["duration"] for row in rows)
    assert {row["job"] for row in rows} == {TYPICAL["job"]}
    assert (found.rows, found.buyers, found.control_rows, found.blank) == (3, 2, (3,), ("duration",))
    assert (found.model, found.version, found.contract, found.name) == ("purchase-model", "7", "bank-full", "spring")
    assert found.sha256 == hashlib.sha256(store.file.read_bytes()).hexdigest()
    assert stat.S_IMODE(store.file.stat().st_mode) == 0o600
    assert training.manifest(tmp_path, store.id) == found
    reader.check(store.file, CONTRACT)


def test_customers_who_were_not_called_are_no_training_rows(tmp_path):
    store = Store(tmp_path, [TYPICAL] * 3)
    assert store.tell([False, False], called=False) is None
    assert not store.file.exists()
    assert store.tell([None, None, None], hours=1) is None


def test_a_correction_makes_a_new_revision_that_remembers_the_earlier_ones(tmp_path):
    store = Store(tmp_path, [TYPICAL] * 4)
    first = store.tell([True, False])
    before = store.file.read_bytes()
    same = store.tell([True, False], hours=1)
    assert (same.revision, same.sha256, same.written, store.file.read_bytes()) == (
        1,
        first.sha256,
        first.written,
        before,
    )
    second = store.tell([False, False, True], hours=2)
    assert (second.revision, second.rows, second.last_outcome) == (2, 3, NOW + 2 * HOUR)
    (earlier,) = second.earlier
    assert (earlier.number, earlier.rows, earlier.sha256) == (1, 2, first.sha256)
    assert second.sha256 == hashlib.sha256(store.file.read_bytes()).hexdigest() != first.sha256
    third = store.tell([True, False, None], hours=3)
    assert (third.revision, third.rows, [one.number for one in third.earlier]) == (3, 2, [1, 2])
    assert sorted(path.name for path in store.file.parent.iterdir()) == [".lock", f"{store.id}.csv", f"{store.id}.json"]


def test_where_no_result_is_known_any_more_the_rows_are_gone_and_the_manifest_says_so(tmp_path):
    store = Store(tmp_path, [TYPICAL] * 2)
    store.tell([True])
    found = store.tell([None], hours=1)
    assert (found.rows, found.revision, store.file.exists()) == (0, 2, False)
    assert store.tell([True], hours=2).revision == 3
    training.remove(tmp_path, store.id)
    assert [path.name for path in store.file.parent.iterdir()] == [".lock"]


def test_a_file_that_somebody_changed_is_written_again(tmp_path):
    store = Store(tmp_path, [TYPICAL] * 2)
    found = store.tell([True])
    store.file.write_text("age\n3\n")
    assert store.write() == found
    assert len(read(store.file)) == 1


def test_rows_that_lack_an_outcome_are_stale(tmp_path):
    store = Store(tmp_path, [TYPICAL] * 2)
    assert training.stale(store.engine, tmp_path) == []
    outcomes.record(store.engine, store.id, [Outcome("c1", True, True, NOW)])
    assert training.stale(store.engine, tmp_path) == [store.id]
    store.write()
    assert training.stale(store.engine, tmp_path) == []
    outcomes.record(store.engine, store.id, [Outcome("c1", True, False, NOW + HOUR)])
    assert training.stale(store.engine, tmp_path) == [store.id]


def test_identifiers_are_those_of_the_list_and_else_blank(tmp_path):
    store = Store(tmp_path, [{"visit": "v,1", "spent": "3", "colour": "red"}, {"spent": "", "colour": ""}], SHOP)
    store.tell([True, False])
    blocks = list(reader.read(store.file, SHOP))
    assert [row["visit"] for block in blocks for row in block.cells.to_pylist()] == ["v,1", ""]
    assert [row["bought"] for row in read(store.file, SHOP)] == [1, 0]


def test_cells_that_csv_without_quotes_cannot_hold_are_left_out(tmp_path):
    plain = SHOP.model_copy(
        update={
            "source": SHOP.source.model_copy(update={"quoting": "none"}),
            "label": SHOP.label.model_copy(update={"positive": "yes"}),
        }
    )
    store = Store(tmp_path, [{"spent": "3", "colour": 'a "red"'}, {"spent": "3", "colour": "red, blue"}], plain)
    found = store.tell([True, False])
    assert (found.rows, found.left_out) == (1, 1)
    assert read(store.file, plain) == [{"spent": 3, "colour": 'a "red"', "talked": "", "bought": 1}]


def test_a_contract_without_a_label_has_no_training_rows(tmp_path):
    store = Store(tmp_path, [TYPICAL], from_inputs("purchase-model", {"age": False, "job": True}))
    assert store.tell([True]) is None


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=8), st.booleans()
        ),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from(",;\t|"),
)
def test_texts_come_back_as_they_were(tmp_path_factory, told, delimiter):
    """Any texts, whatever a file is separated by: quotes, line ends and delimiters too."""
    contract = SHOP.model_copy(update={"source": SHOP.source.model_copy(update={"delimiter": delimiter})})
    cells = [{"visit": text, "spent": "1", "colour": text} for text, _ in told]
    store = Store(tmp_path_factory.mktemp("desk"), cells, contract)
    store.tell([bought for _, bought in told])
    rows = read(store.file, contract)
    assert [(row["colour"], bool(row["bought"])) for row in rows] == told


def test_a_forgotten_customer_is_in_no_training_row(tmp_path):
    store = Store(tmp_path, [{**TYPICAL, "id": f"c{row}", "age": str(30 + row)} for row in (1, 2)])
    first = store.tell([True, True])
    for identifier, ages in (("c1", [32]), ("c2", [])):
        (found,) = forgetting.find(store.engine, tmp_path, identifier)
        forgetting.remove(store.engine, tmp_path, found, identifier)
        assert [row["age"] for row in read(store.file)] == ages if ages else not store.file.exists()
    gone = training.manifest(tmp_path, store.id)
    assert (gone.rows, gone.revision, gone.last_outcome) == (0, 3, first.last_outcome)


def test_a_manifest_that_cannot_be_read_counts_as_none(tmp_path):
    store = Store(tmp_path, [TYPICAL])
    found = store.tell([True])
    path = store.file.with_suffix(".json")
    path.write_text(json.dumps({"campaign": 1}))
    assert training.manifest(tmp_path, store.id) is None
    assert replace(store.write(), written=found.written) == found
