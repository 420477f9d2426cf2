"""A list is scored with the model that serves, whatever happens in between."""

from __future__ import annotations

import threading
from contextlib import suppress
from threading import Event

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from campaigns import scoring
from campaigns.store import campaigns, customers
from data import contract as contracts
from data import reader
from data.paths import serving_folder
from tests.campaigns.conftest import Desk, list_text
from tests.support import stand_in
from tests.support.customers import CONTRACT, profiled, synthetic
from tests.support.model_server import ModelServer, probability_of


def ages(*values: int) -> list[dict[str, str]]:
    return [{"age": str(value), "id": f"c{number}"} for number, value in enumerate(values, 1)]


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(scoring, "BATCH_ROWS", 3)


def test_a_list_is_ranked_by_the_models_probability(desk):
    campaign = desk.run(desk.campaign(list_text([{**row, "name": "Ann; <b>"[:3]} for row in ages(30, 50, 40, 50)])))
    assert (campaign.state, campaign.rows, campaign.scored, campaign.bad) == ("ranked", 4, 4, 0)
    assert (campaign.model, campaign.version, campaign.problem) == ("purchase-model", "1", None)
    found = desk.customers(campaign)
    assert [customer.identifier for customer in found] == ["c1", "c2", "c3", "c4"]
    assert [customer.rank for customer in found] == [4, 1, 3, 2]
    assert [customer.probability for customer in found] == pytest.approx([0.15, 0.25, 0.2, 0.25])
    assert found[0].cells["age"] == "30"
    assert found[0].cells["name"] == "Ann"
    assert found[0].segment is None
    assert {*desk.server.rows()[0]} == {*CONTRACT.features()}


def test_without_an_identifier_the_rows_number_is_one(desk):
    campaign = desk.run(desk.campaign(list_text([{"age": "30"}, {"age": "40"}])))
    assert [customer.identifier for customer in desk.customers(campaign)] == ["1", "2"]
    assert campaign.problem is None


def test_each_batch_comes_into_the_request_log(desk):
    """The entry of a batch: identifiers as they came, and none where a row has none."""
    entries = []

    class Log:
        keeps_inputs = True
        add = staticmethod(entries.append)

    for rows in ([{"id": "C1"}, {"id": ""}], [{}, {}]):
        campaign = desk.campaign(list_text([{**row, "age": str(50 + place)} for place, row in enumerate(rows)]))
        desk.run(campaign, log=Log())
    named, nameless = entries
    assert (named.identifiers, nameless.identifiers) == (["C1", None], [None, None])
    assert named.campaign_id == 1
    assert list(named.probabilities) == pytest.approx([0.25, 0.255])
    assert (named.model, named.version, list(named.purchases)) == ("purchase-model", "1", [0, 0])
    assert '"age":50.0' in named.inputs[0]
    assert named.seconds > 0


def test_one_bad_row_refuses_the_list_before_anything_is_sent(desk):
    rows = ages(30, 40, 50)
    rows[1]["age"] = "forty"
    campaign = desk.run(desk.campaign(list_text(rows)))
    assert campaign.state == "failed"
    assert "customers.csv:3: column 'age': got 'forty', expected a whole number" in campaign.problem
    assert "1 of 3 rows are bad" in campaign.problem
    assert not desk.server.requests
    assert not desk.customers(campaign)


def test_of_many_bad_rows_a_problem_names_the_first_and_the_store_has_all(desk):
    campaign = desk.run(desk.campaign(list_text([{"age": "x"}] * 100 + [{"age": "30"}])))
    assert campaign.problem.count("customers.csv:") == scoring.MOST_FAULTS
    assert "and 80 more bad rows" in campaign.problem
    assert len(campaigns.bad(desk.engine, campaign.id)) == 100


def test_bad_rows_are_set_aside_on_request_and_the_others_keep_their_places(desk, small_batches):
    rows = ages(30, 31, 32, 33, 34, 35, 36)
    rows[1]["age"], rows[4]["balance"] = "", "a lot"
    campaign = desk.run(desk.campaign(list_text(rows), quarantine=True))
    assert (campaign.state, campaign.rows, campaign.scored, campaign.bad) == ("ranked", 7, 5, 2)
    assert [(customer.row, customer.identifier) for customer in desk.customers(campaign)] == [
        (1, "c1"), (3, "c3"), (4, "c4"), (6, "c6"), (7, "c7"),
    ]  # fmt: skip
    first, second = campaigns.bad(desk.engine, campaign.id)
    assert (first.line, second.line) == (3, 6)
    assert "column 'age': got '', expected a whole number" in first.problem
    assert "a lot" in second.text


def test_a_list_with_bad_rows_only_is_refused(desk):
    campaign = desk.run(desk.campaign(list_text([{"age": "x"}]), quarantine=True))
    assert campaign.state == "failed"
    assert "1 of 1 rows are bad; correct them" in campaign.problem


@pytest.mark.parametrize("text", ["", "age;job\n30;student\n", list_text([{}]).partition("\n")[0] + "\n"])
def test_a_file_that_is_no_list_fails_under_the_name_that_the_person_knows(desk, text):
    campaign = desk.run(desk.campaign(text))
    assert campaign.state == "failed"
    assert campaign.problem.startswith("customers.csv")
    assert str(desk.lists) not in campaign.problem


def test_the_plan_of_the_call_fills_and_replaces_columns(desk):
    text = list_text([{"age": "30", "contact": None}])
    campaign = desk.run(desk.campaign(text, plan={"contact": "telephone", "campaign": "2", "calls_today": "120"}))
    assert campaign.state == "ranked"
    (row,) = desk.server.rows()
    assert (row["contact"], row["campaign"], row["calls_today"]) == ("telephone", 2.0, 120.0)
    (customer,) = desk.customers(campaign)
    assert (customer.cells["contact"], customer.cells["campaign"]) == ("telephone", "2")


def test_a_plan_that_the_contract_forbids_fails(desk):
    campaign = desk.run(desk.campaign(list_text([{}]), plan={"contact": "mail"}))
    assert campaign.state == "failed"
    assert "'mail'" in campaign.problem


def test_the_run_waits_while_the_server_does_not_answer_and_says_so(desk, small_batches):
    campaign = desk.campaign(list_text(ages(*range(20, 30))))
    problems: list[str | None] = []

    def fail_once() -> None:
        problems.append(desk.get(campaign).problem)
        if len(desk.server.requests) == 2 and len(problems) < 6:
            desk.server.failures = [503]

    desk.server.before = fail_once
    done = desk.run(campaign)
    assert (done.state, done.scored, done.problem) == ("ranked", 10, None)
    said = [problem for problem in problems if problem]
    assert said
    assert "the model server failed with 503" in said[0]
    assert "tries again" in said[0]
    assert [customer.cells["age"] for customer in desk.customers(campaign)] == [str(age) for age in range(20, 30)]


def test_it_waits_for_a_server_that_is_not_there_yet(tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "RETRY_SECONDS", 0.02)
    with ModelServer(CONTRACT) as server:
        server.models, models = {}, server.models
        desk = Desk(tmp_path, server)
        campaign = desk.campaign(list_text(ages(30)))
        thread = threading.Thread(target=desk.run, args=(campaign,))
        thread.start()
        while not desk.get(campaign).problem:
            assert thread.is_alive()
        assert desk.get(campaign).state == "scoring"
        server.models = models
        thread.join(10)
        assert desk.get(campaign).state == "ranked"


def test_rows_that_the_server_refuses_fail_the_campaign_in_its_words(desk):
    desk.server.failures = [400]
    campaign = desk.run(desk.campaign(list_text(ages(30))))
    assert campaign.state == "failed"
    assert "the model server failed with 400" in campaign.problem


@given(
    bad=st.sets(st.integers(0, 39)),
    kills=st.lists(st.integers(0, 8), max_size=3),
    batch_rows=st.integers(3, 50),
    block_bytes=st.integers(400, 4000),
)
@example(bad=set(), kills=[6], batch_rows=7, block_bytes=4000)  # killed between the last batch and its count
@settings(
    max_examples=8,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_runs_that_are_killed_lose_and_double_no_row(desk, bad, kills, batch_rows, block_bytes):
    rows = [{"age": "x" if number in bad else str(20 + number), "id": f"c{number + 1}"} for number in range(41)]
    campaign = desk.campaign(list_text(rows), quarantine=True)
    read, add = reader.read, customers.add
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring, "BATCH_ROWS", batch_rows)
        patch.setattr(
            reader, "read", lambda *arguments, **options: read(*arguments, block_bytes=block_bytes, **options)
        )
        for kill_at in kills:
            patch.setattr(customers, "add", Killer(kill_at, add))
            with suppress(KeyboardInterrupt):
                desk.run(campaign)
        patch.setattr(customers, "add", add)
        done = desk.run(campaign)
    assert (done.state, done.rows, done.scored, done.bad) == ("ranked", 41, 41 - len(bad), len(bad))
    found = desk.customers(campaign)
    assert [(customer.row, customer.identifier) for customer in found] == [
        (number + 1, f"c{number + 1}") for number in range(41) if number not in bad
    ]
    assert sorted(customer.rank for customer in found) == list(range(1, len(found) + 1))
    assert len(campaigns.bad(desk.engine, campaign.id)) == len(bad)


class Killer:
    """Stores so many batches and then raises what ends a process, before or after the batch is stored."""

    def __init__(self, batches: int, add):
        self._left, self._add = batches, add

    def __call__(self, *arguments) -> None:
        self._left -= 1
        if self._left == 0:
            self._add(*arguments)
        if self._left <= 0:
            raise KeyboardInterrupt
        self._add(*arguments)


def test_a_stop_ends_the_run_after_its_batch_and_keeps_the_state(desk, small_batches):
    stop = Event()
    desk.server.before = lambda: stop.set() if len(desk.server.requests) == 2 else None
    campaign = desk.run(desk.campaign(list_text(ages(*range(20, 40)))), stop)
    assert campaign.state == "scoring"
    assert 3 <= campaign.scored <= 9
    assert len(desk.customers(campaign)) == campaign.scored


def test_a_stop_while_rows_are_checked_refuses_nothing(desk):
    stop = Event()
    stop.set()
    campaign = desk.campaign(list_text([{"age": "x"}]))
    assert desk.run(campaign, stop).state == "scoring"
    assert desk.run(campaign).state == "failed"


def test_one_version_scores_a_list(desk, small_batches):
    campaign = desk.campaign(list_text(ages(*range(20, 30))))

    def replace_version() -> None:
        if len(desk.server.requests) == 1:
            desk.server.version = "2"

    desk.server.before = replace_version
    done = desk.run(campaign)
    assert (done.state, done.version, done.scored) == ("ranked", "2", 10)
    assert [customer.row for customer in desk.customers(campaign)] == list(range(1, 11))


def test_a_model_with_other_columns_than_the_list_was_checked_for_is_refused(desk):
    inputs, answer = desk.server.models["purchase-model"]
    desk.server.models["purchase-model"] = ({**inputs, "income": "DT_FLOAT"}, answer)
    campaign = desk.run(desk.campaign(list_text(ages(30))))
    assert campaign.state == "failed"
    assert "income" in campaign.problem


def test_customers_get_segments_where_the_list_has_the_segment_models_inputs(tmp_path):
    with ModelServer(CONTRACT, segments=("age", "income")) as server:
        desk = Desk(tmp_path, server)
        rows = [{"age": "30", "income": "1e3"}, {"age": "50", "income": ""}, {"age": "20", "income": "a lot"}]
        campaign = desk.run(desk.campaign(list_text(rows)))
        assert campaign.scored == 3
        assert [customer.segment for customer in desk.customers(campaign)] == ["young", "old", "young"]
        sent = server.rows("segment-model")
        assert sent[0] == {"age": 30.0, "income": 1000.0}
        assert np.isnan(sent[1]["income"])
        assert np.isnan(sent[2]["income"])
        without = desk.run(desk.campaign(list_text([{"age": "30"}])))
        assert (without.state, without.problem) == ("ranked", None)
        assert [customer.segment for customer in desk.customers(without)] == [None]


def test_rows_that_differ_from_training_carry_warnings(desk):
    version = serving_folder(desk.artifacts, "purchase-model") / "1"
    version.mkdir(parents=True)
    stand_in.write_extras(version, profiled(synthetic(2000)), stand_in.GoldenRequest([], []))
    campaign = desk.run(desk.campaign(list_text([{}, {"job": "astronaut"}, {"age": "150"}])))
    first, second, third = desk.customers(campaign)
    assert first.warnings == ()
    assert second.warnings == ("job: 'astronaut' was not seen in training",)
    assert third.warnings == ("age: 150 is outside the contract's 16 to 110",)


def test_a_contract_that_knows_only_the_inputs_is_enough(desk):
    inputs = {name: name in CONTRACT.categorical for name in CONTRACT.features()}
    contract = contracts.from_inputs("purchase-model", inputs)
    campaign = desk.run(desk.campaign(list_text([{"age": "30"}, {"age": ""}]), contract))
    assert campaign.state == "ranked"
    assert desk.customers(campaign)[1].warnings == ("age: missing",)


def test_the_list_is_never_in_memory_whole(desk, monkeypatch):
    """What waits to be stored is one batch, however long the list is."""
    monkeypatch.setattr(scoring, "BATCH_ROWS", 50)
    sizes: list[int] = []
    add = customers.add
    monkeypatch.setattr(customers, "add", lambda engine, id, chunk: (sizes.append(len(chunk)), add(engine, id, chunk)))
    campaign = desk.run(desk.campaign(list_text([{"age": str(20 + number % 50)} for number in range(1020)])))
    assert campaign.scored == sum(sizes) == 1020
    assert max(sizes) == 50
    assert max(len(rows) for _, rows in desk.server.requests) == 50


def test_probabilities_are_those_of_the_right_rows(desk, small_batches):
    drawn = np.random.default_rng(0).integers(18, 90, 50).tolist()
    campaign = desk.run(desk.campaign(list_text(ages(*drawn))))
    expected = [probability_of({"age": float(age)}) for age in drawn]
    assert [customer.probability for customer in desk.customers(campaign)] == pytest.approx(expected)
