"""The client asks, waits and scores files."""

from __future__ import annotations

import csv
import json
import re

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.contract import LIST_SIZE
from data.errors import RefusedError, ServiceError, UserError
from serving import client as module
from serving.client import Client
from serving.client.__main__ import main
from serving.client.output_files import neutral
from serving.client.score_file import SEGMENT_OUTPUTS, assign_file, list_name, score_file
from tests.campaigns.conftest import TYPICAL
from tests.support import purchase_cards
from tests.support.customers import CONTRACT
from tests.support.model_server import ModelServer
from tests.support.server import ServerProcess
from tests.support.toy_models import SEGMENT_NAMES


def metadata(**inputs: str) -> dict:
    signature = {"inputs": {name: {"dtype": dtype} for name, dtype in inputs.items()}}
    return {"metadata": {"signature_def": {"signature_def": {"serving_default": signature}}}}


class FakeServer:
    """Answers each row with the same probability."""

    def __init__(self, *failures: httpx.Response):
        self.failures = list(failures)
        self.requests: list[list[dict]] = []
        self.signatures: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.failures:
            return self.failures.pop(0)
        if request.method == "GET":
            return httpx.Response(200, json=metadata(age="DT_FLOAT", job="DT_STRING"))
        document = json.loads(request.content)
        columns = document.get("inputs", {})
        rows = document.get("instances") or [
            dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
        ]
        self.signatures.append(document["signature_name"])
        self.requests.append(rows)
        answers = [self.answer(row) for row in rows]
        if columns:
            return httpx.Response(200, json={"outputs": {name: [one[name] for one in answers] for name in answers[0]}})
        return httpx.Response(200, json={"predictions": answers})

    def answer(self, row: dict) -> dict:
        return {"probability": 0.5, "purchase": 1}

    def client(self, **options) -> Client:
        return Client("http://model", transport=httpx.MockTransport(self), **options)


class ExplainingServer(FakeServer):
    """Says that each number contributes itself, and a text its length, in the order of the names."""

    def answer(self, row: dict) -> dict:
        contributions = [len(row[name]) if isinstance(row[name], str) else row[name] for name in sorted(row)]
        return {"probability": 0.5, "base": -1.5, "contributions": contributions}


class SegmentServer(FakeServer):
    """Puts each row into the segment that its job names; the text in front of the colon is the number."""

    def answer(self, row: dict) -> dict:
        number = int(row["job"].partition(":")[0])
        return {"segment": number, "name": row["job"], "distance": 1.5, "membership": [1.0], "outlier": number == 2}


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    waited: list[float] = []
    monkeypatch.setattr(module.time, "sleep", waited.append)
    return waited


def test_it_tries_again_while_the_server_says_503(pauses):
    server = FakeServer(httpx.Response(503, headers={"Retry-After": "2"}), httpx.Response(503))
    assert server.client().predict([{"age": 41.0, "job": "x"}]) == [{"probability": 0.5, "purchase": 1}]
    assert pauses[0] == 2.0
    assert len(pauses) == 2


def test_contributions_come_with_the_names_of_their_columns():
    server = ExplainingServer()
    rows = [{"job": "retired", "age": 41.0}, {"age": 20.0, "job": ""}]
    first, second = server.client().explain(rows)
    assert server.signatures == ["explain"]
    assert (first.probability, first.base) == (0.5, -1.5)
    assert first.contributions == {"age": 41.0, "job": 7}
    assert second.contributions == {"age": 20.0, "job": 0}
    assert server.client().explain([]) == []


def test_a_model_without_explanations_says_so(server):
    with pytest.raises(ServiceError, match="explain"), Client(server.url, "two_inputs") as client:
        client.explain([{"a": 1.0, "b": 2.0}])


def test_it_gives_up_after_so_many_attempts():
    server = FakeServer(*[httpx.Response(503, json={"error": "The server is shutting down"})] * 2)
    with pytest.raises(ServiceError, match="shutting down"):
        server.client(attempts=2).predict([{}])


def test_the_servers_words_reach_the_caller(pauses):
    server = FakeServer(httpx.Response(400, json={"error": "keys must be equal to: age,job"}))
    with pytest.raises(ServiceError, match="keys must be equal to: age,job"):
        server.client().predict([{"age": 1.0}])
    assert pauses == []


def test_a_server_that_is_not_there_is_named():
    def refuse(request):
        raise httpx.ConnectError("Connection refused")

    with pytest.raises(ServiceError, match="http://model/v1/models/purchase-model:predict: Connection refused"):
        Client("http://model", transport=httpx.MockTransport(refuse)).predict([{}])


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_scored_in_batches_and_keeps_its_other_columns(tmp_path):
    source = write(tmp_path / "in.csv", 'id;"age";job;y\n1;41;"a; b";no\n2;;;yes\n\n3;-1.5;=1+1;\n')
    server = FakeServer()
    assert score_file(server.client(), source, tmp_path / "out.csv", batch_rows=2) == 3
    sent = [row for rows in server.requests for row in rows]
    assert [len(rows) for rows in server.requests] == [2, 1]
    assert sent[0] == {"age": 41.0, "job": "a; b"}
    assert sent[1]["age"] != sent[1]["age"]
    assert sent[1]["job"] == ""
    with (tmp_path / "out.csv").open(newline="") as scored:
        rows = list(csv.reader(scored, delimiter=";"))
    assert rows == [
        ["id", "age", "job", "y", "probability", "purchase"],
        ["1", "41", "a; b", "no", "0.5", "1"],
        ["2", "", "", "yes", "0.5", "1"],
        ["3", "-1.5", "'=1+1", "", "0.5", "1"],
    ]


def test_a_planned_input_has_one_value_in_all_rows_and_is_in_the_scored_file(tmp_path):
    source = write(tmp_path / "in.csv", "id,age\n1,41\n2,30\n")
    server = FakeServer()
    score_file(server.client(), source, tmp_path / "out.csv", batch_rows=10, plan={"job": "chef"})
    assert server.requests == [[{"age": 41.0, "job": "chef"}, {"age": 30.0, "job": "chef"}]]
    scored = "id,age,job,probability,purchase\n1,41,chef,0.5,1\n2,30,chef,0.5,1\n"
    assert (tmp_path / "out.csv").read_text() == scored
    score_file(FakeServer().client(), tmp_path / "out.csv", tmp_path / "again.csv", batch_rows=10)
    assert (tmp_path / "again.csv").read_text() == scored
    segments = SegmentServer().client()
    assert assign_file(segments, source, tmp_path / "out.csv", None, 10, plan={"job": "1:old"}) == {"1:old": 2}


def test_a_list_that_lacks_an_input_is_told_of_the_option(tmp_path):
    source = write(tmp_path / "in.csv", "id,age\n1,41\n")
    with pytest.raises(UserError, match=r"in.csv:1: .*missing 'job'; .*--at-call COLUMN=VALUE"):
        score_file(FakeServer().client(), source, tmp_path / "out.csv", batch_rows=10)
    with pytest.raises(UserError, match="column 'age': got 'old', expected a number"):
        score_file(FakeServer().client(), source, tmp_path / "out.csv", batch_rows=10, plan={"age": "old"})
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_a_scored_file_can_be_scored_again(tmp_path):
    source = write(tmp_path / "in.csv", "age,job,probability,purchase\n1,a,0.9,0\n")
    score_file(FakeServer().client(), source, source, batch_rows=10)
    assert source.read_text() == "age,job,probability,purchase\n1,a,0.5,1\n"


def test_a_column_that_only_happens_to_have_the_name_of_an_output_is_not_overwritten(tmp_path):
    source = write(tmp_path / "in.csv", "age,job,purchase\n1,a,a house\n")
    with pytest.raises(UserError, match=r"in.csv: column 'purchase' has the name of an output"):
        score_file(FakeServer().client(), source, tmp_path / "out.csv", batch_rows=10)
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def rows_of(path, delimiter=","):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file, delimiter=delimiter))


def test_customers_are_assigned_and_each_segment_gets_a_list(tmp_path):
    source = write(tmp_path / "in.csv", "id;age;job\n1;41;0:a/b\n2;;2:Über 53!\n3;3;0:a/b\n4;5;2:Über 53!\n")
    counts = assign_file(SegmentServer().client(), source, tmp_path / "out.csv", tmp_path / "lists", batch_rows=3)
    assert counts == {"0:a/b": 2, "2:Über 53!": 2}
    header = ["id", "age", "job", "segment", "name", "distance", "outlier"]
    rows = rows_of(tmp_path / "out.csv", ";")
    assert rows == [
        header,
        ["1", "41", "0:a/b", "0", "0:a/b", "1.5", "false"],
        ["2", "", "2:Über 53!", "2", "2:Über 53!", "1.5", "true"],
        ["3", "3", "0:a/b", "0", "0:a/b", "1.5", "false"],
        ["4", "5", "2:Über 53!", "2", "2:Über 53!", "1.5", "true"],
    ]
    lists = {path.name: rows_of(path, ";") for path in (tmp_path / "lists").iterdir()}
    assert lists == {"0-0-a-b.csv": [header, rows[1], rows[3]], "2-2-uber-53.csv": [header, rows[2], rows[4]]}
    again = assign_file(SegmentServer().client(), tmp_path / "out.csv", tmp_path / "again.csv", None, batch_rows=100)
    assert again == counts
    assert (tmp_path / "again.csv").read_text() == (tmp_path / "out.csv").read_text()


def test_lists_of_an_earlier_file_are_not_mixed_with_new_ones(tmp_path):
    source = write(tmp_path / "in.csv", "age,job\n41,0:a\n")
    (tmp_path / "lists").mkdir()
    write(tmp_path / "lists" / "9-old.csv", "")
    with pytest.raises(UserError, match="lists: the folder is not empty"):
        assign_file(SegmentServer().client(), source, tmp_path / "out.csv", tmp_path / "lists", batch_rows=3)
    (tmp_path / "lists" / "9-old.csv").unlink()
    bad = write(tmp_path / "bad.csv", "age,job\n41,0:a\nold,0:a\n")
    with pytest.raises(UserError, match=r"bad.csv:3"):
        assign_file(SegmentServer().client(), bad, tmp_path / "out.csv", tmp_path / "lists", batch_rows=3)
    assert {path.name for path in tmp_path.iterdir()} == {"in.csv", "bad.csv", "lists"}
    assign_file(SegmentServer().client(), source, tmp_path / "out.csv", tmp_path / "lists", batch_rows=3)
    assert [path.name for path in (tmp_path / "lists").iterdir()] == ["0-0-a.csv"]


def test_a_model_of_another_kind_assigns_nothing(tmp_path):
    source = write(tmp_path / "in.csv", "age,job\n41,a\n")
    with pytest.raises(UserError, match="purchase-model is no segment model: it answers probability, purchase"):
        assign_file(FakeServer().client(), source, tmp_path / "out.csv", None, batch_rows=3)


@given(st.integers(0, 99), st.text(max_size=100))
def test_any_segment_name_gives_a_file_name_that_every_system_takes(segment, name):
    file = list_name(segment, name)
    assert re.fullmatch(r"\d+(-[a-z0-9]+)*\.csv", file)
    assert file.split("-")[0].removesuffix(".csv") == str(segment), "which makes it unique"
    assert len(file) < 70


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "in.csv: the file is empty"),
        ("age,job\n", "in.csv: the file has a header but no rows"),
        ("Age,job\n1,a\n", r"in.csv:1: the header differs .* missing 'age' \(did you mean 'Age'"),
        ("age,job\n1,a\nold,b\n", "in.csv:3: column 'age': got 'old', expected a number or a blank cell"),
        ("age,job\nnan,b\n", "in.csv:2: column 'age': got 'nan', expected a number"),
        ("age,job\n1_000,b\n", "in.csv:2: column 'age': got '1_000', expected a number"),
        ("age,job\n1\n", "in.csv:2: got '1', expected 2 cells"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place_and_leaves_nothing_behind(tmp_path, text, message):
    source = write(tmp_path / "in.csv", text)
    with pytest.raises(UserError, match=message):
        score_file(FakeServer().client(), source, tmp_path / "out.csv", batch_rows=1)
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("@x", "'@x"),
        ("-2+3", "'-2+3"),
        ("+a", "'+a"),
        ("-1.5", "-1.5"),
        ("+3", "+3"),
        (" -5 ", " -5 "),
        ("-1e5", "-1e5"),
        ("a=b", "a=b"),
        ("", ""),
        ("\tx", "'\tx"),
        ("\nx", "'\nx"),
        ("\rx", "'\rx"),
        ("  =1", "'  =1"),
        ("\N{NO-BREAK SPACE}@x", "'\N{NO-BREAK SPACE}@x"),
        ("\N{ZERO WIDTH NO-BREAK SPACE}=1", "'\N{ZERO WIDTH NO-BREAK SPACE}=1"),
        ("\0\x1b=1", "'\0\x1b=1"),
        ("\N{FULLWIDTH EQUALS SIGN}1", "'\N{FULLWIDTH EQUALS SIGN}1"),
        ("\N{FULLWIDTH COMMERCIAL AT}SUM", "'\N{FULLWIDTH COMMERCIAL AT}SUM"),
        ("\N{SMALL PLUS SIGN}1", "'\N{SMALL PLUS SIGN}1"),
        ("-inf", "'-inf"),
        ("+1_000", "'+1_000"),
        ("\N{GREEK SMALL LETTER ALPHA}=1", "\N{GREEK SMALL LETTER ALPHA}=1"),
        ("  plain", "  plain"),
    ],
)
def test_formulas_are_neutralised_and_numbers_are_not(cell, shown):
    assert neutral(cell) == shown


def test_the_command_scores_with_a_real_server(server, tmp_path, capsys):
    source = write(tmp_path / "in.csv", "a,b,c\n1,10,x\n2,20,y\n")
    command = [str(source), "--out", str(tmp_path / "out.csv"), "--url", server.url, "--model"]
    assert main([*command, "two_inputs"]) == 0
    assert (tmp_path / "out.csv").read_text() == "a,b,c,prediction\n1,10,x,21.0\n2,20,y,42.0\n"
    assert main([*command, "nope"]) == 1
    assert "Servable not found for request: Latest(nope)" in " ".join(capsys.readouterr().err.split())
    assert main([str(tmp_path / "absent.csv"), *command[1:], "two_inputs"]) == 2


def test_the_command_takes_a_plan_and_says_what_it_replaced(server, tmp_path, capsys):
    source = write(tmp_path / "in.csv", "a,c\n1,x\n2,y\n")
    command = ["--out", str(tmp_path / "out.csv"), "--url", server.url, "--model", "two_inputs", "--at-call"]
    assert main([str(source), *command, "b=10"]) == 0
    assert (tmp_path / "out.csv").read_text() == "a,c,b,prediction\n1,x,10,21.0\n2,y,10,22.0\n"
    assert "replaced" not in capsys.readouterr().err
    assert main([str(tmp_path / "out.csv"), *command, "b=20"]) == 0
    assert (tmp_path / "out.csv").read_text() == "a,c,b,prediction\n1,x,20,41.0\n2,y,20,42.0\n"
    assert "--at-call replaced these columns of the file: b" in capsys.readouterr().err
    assert main([str(source), *command, "b"]) == 2
    assert "got 'b', expected COLUMN=VALUE" in capsys.readouterr().err


def test_the_command_assumes_the_usual_size_of_a_list_and_says_so(tmp_path, capsys):
    artifacts = ["--artifacts", str(tmp_path), "--out", str(tmp_path / "out.csv")]
    purchase_cards.write(tmp_path, CONTRACT.name)
    row = {name: cell for name, cell in TYPICAL.items() if name in CONTRACT.features()}
    source = write(tmp_path / "in.csv", f"{','.join(row)}\n{','.join(row.values())}\n")
    with ModelServer(CONTRACT) as server:
        command = [str(source), *artifacts, "--url", server.url]
        assert main(command) == 0
        assert main([*command, "--at-call", "calls_today=130"]) == 0
        assert main([str(tmp_path / "out.csv"), *command[1:]]) == 0
        sent = [[one[name] for name in LIST_SIZE] for one in server.rows()]
    assert sent == [[12, 70, 280], [130, 70, 280], [130, 70, 280]]
    first, second, third = capsys.readouterr().err.split("1 rows scored")[1:]
    assert "assumed: calls_today 12, calls_7d 70, calls_30d 280, as usual in 2010-11" in first
    assert "assumed: calls_7d 70, calls_30d 280" in second
    assert "assumed" not in third


@pytest.mark.e2e
def test_the_command_assigns_customers_with_a_real_segment_model(segment_model, tmp_path, capsys):
    flags = [f"--model_base_path={segment_model.parent}", "--model_name=segment-model"]
    source = write(tmp_path / "in.csv", "id,age,housing\n7,20,no\n8,47,yes\n9,,no\n10,90,no\n")
    with ServerProcess(flags, tmp_path / "log") as server:
        command = [str(source), "--segments", "--out", str(tmp_path / "out.csv"), "--url", server.url]
        assert main([*command, "--per-segment", str(tmp_path / "lists")]) == 0
    rows = rows_of(tmp_path / "out.csv")
    assert rows[0] == ["id", "age", "housing", *SEGMENT_OUTPUTS]
    assert [row[4] for row in rows[1:]] == [SEGMENT_NAMES[number] for number in (0, 1, 1, 2)]
    assert [row[6] for row in rows[1:]] == ["false", "false", "false", "true"]
    lists = sorted(path.name for path in (tmp_path / "lists").iterdir())
    assert lists == ["0-young.csv", "1-middle-aged-1-1.csv", "2-over-53-retired.csv"]
    told = capsys.readouterr().err
    assert "4 rows scored" in told
    assert "middle-aged, =1+1: 2 (50.0%)" in told


def test_lists_need_segments(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["in.csv", "--out", "out.csv", "--per-segment", "lists"])
    assert stopped.value.code == 2
    assert "--per-segment: give --segments too" in capsys.readouterr().err


def test_what_would_be_refused_again_differs_from_what_may_be_answered_later(pauses):
    for status, kind in ((400, RefusedError), (413, RefusedError), (404, ServiceError), (500, ServiceError)):
        with pytest.raises(ServiceError) as caught:
            FakeServer(httpx.Response(status, json={"error": "no"})).client().predict([{}])
        assert type(caught.value) is kind


def test_an_answer_of_something_else_than_a_model_server_is_said_to_be_one():
    with pytest.raises(ServiceError, match="is this a model server"):
        FakeServer(httpx.Response(200, text="<html>")).client().inputs()


def test_a_version_can_be_named():
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, json={"outputs": {"probability": [0.5]}, "model_spec": {"version": "3"}})

    client = Client("http://model", version="3", transport=httpx.MockTransport(answer))
    assert client.predict_columns({"age": [41.0], "job": ["x"]}) == {"probability": [0.5]}
    assert asked == ["/v1/models/purchase-model/versions/3:predict"]
