"""Scoring files of customers without a server."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
import tensorflow as tf

from data import csv_parts
from data.contract import Contract
from pipeline import score
from pipeline.scoring.worker import ScoreParts

SHOP = Contract.model_validate(
    {
        "name": "shop",
        "title": "Customers of a shop",
        "source": {"delimiter": ";"},
        "numeric": {"spent": {"unit": "euros", "min": -1000, "max": 1000, "blank": True}},
        "categorical": {"city": {"values": ["Köln", "Bonn"]}, "channel": {"values": ["mail", "phone"]}},
        "label": {"name": "bought", "positive": "ja", "negative": "nein"},
        "at_call": ["channel"],
    }
)
ROWS = 2_000


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose probability is a sigmoid of what was spent in hundreds, lower by 1 in Bonn; NaN counts as 0."""
    module = tf.Module()

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, "channel"),
            tf.TensorSpec([None], tf.string, "city"),
            tf.TensorSpec([None], tf.float32, "spent"),
        ]
    )
    def predict(channel: tf.Tensor, city: tf.Tensor, spent: tf.Tensor) -> dict[str, tf.Tensor]:
        known = tf.where(tf.math.is_nan(spent), 0.0, spent) / 100.0
        probability = tf.sigmoid(known - tf.cast(city == "Bonn", tf.float32))
        texts = tf.where(channel == "mail", "by mail", "by phone")
        both = tf.stack([probability, 1.0 - probability], axis=1)
        return {
            "probability": probability,
            "purchase": tf.cast(probability > 0.5, tf.int64),
            "how": texts,
            "both": both,
        }

    module.predict = predict
    folder = tmp_path_factory.mktemp("shop") / "7"
    tf.saved_model.save(module, str(folder), signatures={"serving_default": predict})
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra" / "contract.json").write_text(SHOP.model_dump_json())
    return folder


@pytest.fixture
def customers(tmp_path: Path) -> Path:
    """A list with a column that the contract does not know; some of its cells would run in a spreadsheet."""
    generator = np.random.default_rng(0)
    names = ["Ann", "=1+1", "-3", "Ödön", '@"x"', "+49 30"]
    lines = ["name;spent;city;channel"]
    for row in range(ROWS):
        spent = "" if row % 50 == 7 else f"{generator.normal(0, 100):.2f}"
        cell = names[row % len(names)].replace('"', '""')
        lines.append(f'"{cell}";{spent};{("Köln", "Bonn")[row % 2]};{("mail", "phone")[row % 3 == 0]}')
    path = tmp_path / "customers.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_parts, "CHUNK", 4 << 10)
    monkeypatch.setattr(csv_parts, "PART_BYTES", 10 << 10)


def run(customers: Path, model: Path, out: Path, *options: str) -> int:
    return score.main(["--data", str(customers), "--model", str(model), "--out", str(out), *options])


def rows_of(folder: Path) -> list[str]:
    """The lines of a CSV result, with the header once."""
    parts = [part.read_text().splitlines() for part in sorted(folder.glob("part-*.csv"))]
    return [*parts[0], *(line for part in parts[1:] for line in part[1:])]


def without_probability(line: str) -> list[str]:
    cells = line.split(";")
    return [*cells[:5], cells[6]]


def test_every_customer_is_scored_in_order_with_all_columns_and_outputs(customers, model, tmp_path):
    assert run(customers, model, tmp_path / "scored") == 0
    manifest = json.loads((tmp_path / "scored" / "manifest.json").read_text())
    assert manifest["rows"] == ROWS
    assert manifest["outputs"] == ["how", "probability", "purchase"]
    assert len(manifest["parts"]) > 3
    result = pa.concat_tables(pyarrow.parquet.read_table(tmp_path / "scored" / part) for part in manifest["parts"])
    given = [line.split(";") for line in customers.read_text().splitlines()[1:]]
    assert result.column_names == ["name", "spent", "city", "channel", "how", "probability", "purchase"]
    assert result["spent"].to_pylist() == [cells[1] for cells in given]
    assert result["name"].to_pylist()[1] == "=1+1"
    spent = np.array([float(cells[1] or 0) for cells in given])
    expected = 1 / (1 + np.exp(-spent / 100 + np.array([cells[2] == "Bonn" for cells in given])))
    assert result["probability"].to_numpy() == pytest.approx(expected, abs=1e-6)
    assert result["how"].to_pylist()[:4] == ["by phone", "by mail", "by mail", "by phone"]
    assert {path.name for path in (tmp_path / "scored").iterdir()} == {"manifest.json", *manifest["parts"]}
    assert not (tmp_path / ".scored.partial").exists()


def test_customers_may_lie_in_an_object_store(customers, model, tmp_path, monkeypatch):
    monkeypatch.setattr(score, "ARTIFACTS", tmp_path / "artifacts")
    out = tmp_path / "scored"
    assert score.main(["--data", customers.as_uri(), "--model", str(model), "--out", str(out)]) == 0
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["rows"] == ROWS
    assert Path(manifest["files"][0]).is_relative_to(tmp_path / "artifacts" / "data")
    assert score.main(["--data", "s3://B", "--model", str(model), "--out", str(tmp_path / "other")]) == 2
    assert not list(tmp_path.glob("*other*"))


def test_csv_has_no_formulas_and_can_be_scored_again(customers, model, tmp_path):
    assert run(customers, model, tmp_path / "once", "--format", "csv") == 0
    first = rows_of(tmp_path / "once")
    assert first[0] == '"name";"spent";"city";"channel";"how";"probability";"purchase"'
    assert [line.split(";")[0] for line in first[1:7]] == [
        '"Ann"', "\"'=1+1\"", '"-3"', '"Ödön"', "\"'@\"\"x\"\"\"", "\"'+49 30\"",
    ]  # fmt: skip
    (tmp_path / "once" / "manifest.json").unlink()
    assert run(tmp_path / "once", model, tmp_path / "twice", "--format", "csv") == 0
    # Probabilities differ in the last digit where a row is in another batch.
    assert [without_probability(row) for row in rows_of(tmp_path / "twice")] == [*map(without_probability, first)]


def test_a_plan_replaces_a_column(customers, model, tmp_path):
    assert run(customers, model, tmp_path / "scored", "--at-call", "channel=mail") == 0
    result = pyarrow.parquet.read_table(tmp_path / "scored" / "part-00000.parquet")
    assert set(result["how"].to_pylist()) == {"by mail"} == {f"by {one}" for one in result["channel"].to_pylist()}


def test_a_job_that_was_stopped_goes_on_without_scoring_anything_twice(customers, model, tmp_path, monkeypatch, capfd):
    usual, scored = ScoreParts.process, []

    def stop_at(number):
        def process(self, task):
            if task.number == number:
                signal.raise_signal(signal.SIGINT)
            scored.append(task.number)
            return usual(self, task)

        return process

    monkeypatch.setattr(ScoreParts, "process", stop_at(4))
    assert run(customers, model, tmp_path / "scored") == 1
    assert "the same command goes on where this one was" in capfd.readouterr().out
    assert not (tmp_path / "scored").exists()
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / ".scored.partial").glob("part-*.parquet")}
    monkeypatch.setattr(ScoreParts, "process", stop_at(-1))
    assert run(customers, model, tmp_path / "scored") == 0
    assert f"going on: {len(before)} of" in capfd.readouterr().out
    assert before
    assert all((tmp_path / "scored" / name).stat().st_mtime_ns == time for name, time in before.items())
    assert json.loads((tmp_path / "scored" / "manifest.json").read_text())["rows"] == ROWS


def test_another_list_starts_anew(customers, model, tmp_path, monkeypatch):
    monkeypatch.setattr(ScoreParts, "process", lambda self, task: 1 / 0)
    assert run(customers, model, tmp_path / "scored") == 1
    monkeypatch.undo()
    customers.write_text("spent;city;channel\n5;Bonn;mail\n")
    assert run(customers, model, tmp_path / "scored") == 0
    assert json.loads((tmp_path / "scored" / "manifest.json").read_text())["rows"] == 1


def test_a_bad_row_is_named_and_leaves_nothing_behind(customers, model, tmp_path, capfd):
    with customers.open("a") as file:
        file.write("Ann;much;Bonn;mail\n")
    assert run(customers, model, tmp_path / "scored") == 2
    assert f"{customers}:{ROWS + 2}: column 'spent': got 'much', expected a number" in capfd.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == [customers.name]


def test_few_bad_rows_can_be_set_aside(customers, model, tmp_path):
    with customers.open("a") as file:
        file.write("Ann;much;Bonn;mail\n")
    assert run(customers, model, tmp_path / "scored", "--quarantine") == 0
    manifest = json.loads((tmp_path / "scored" / "manifest.json").read_text())
    assert (manifest["rows"], manifest["quarantined"]) == (ROWS, 1)
    bad = pyarrow.csv.read_csv(tmp_path / "scored" / "quarantine.csv").to_pylist()
    assert [(row["line"], row["column"], row["value"]) for row in bad] == [(ROWS + 2, "spent", "much")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("spent;city;channel\n", "a header but no rows"),
        ("spent;channel\n1;mail\n", "missing 'city'"),
        ("spent;city;channel;how\n1;Bonn;mail;x\n", "column 'how' has the name of an output of the model"),
    ],
)
def test_files_that_cannot_be_scored(model, tmp_path, capfd, content, message):
    file = tmp_path / "list.csv"
    file.write_text(content)
    assert run(file, model, tmp_path / "scored") == 2
    assert message in "".join(capfd.readouterr())
    assert not (tmp_path / "scored").exists()


def test_wrong_options_are_named(customers, model, tmp_path, capfd):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    assert run(customers, model, tmp_path / "full") == 2
    assert "there is something" in capfd.readouterr().err
    assert run(customers, tmp_path, tmp_path / "scored") == 2
    assert "expected the folder of a version" in capfd.readouterr().out
    assert run(customers, model, tmp_path / "scored", "--at-call", "chanel=mail") == 2
    assert "did you mean 'channel'?" in capfd.readouterr().out


def test_two_at_once_do_not_write_one_result(customers, model, tmp_path):
    with score._alone(_folder(tmp_path / ".scored.partial")):
        assert run(customers, model, tmp_path / "scored") == 2


def test_a_killed_job_goes_on(customers, model, tmp_path):
    """Killed without a word, at any moment."""
    command = [sys.executable, "-m", "pipeline.score", "--data", str(customers), "--model", str(model)]
    command += ["--out", str(tmp_path / "scored")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (tmp_path / ".scored.partial" / "job.json").exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert run(customers, model, tmp_path / "scored") == 0
    assert json.loads((tmp_path / "scored" / "manifest.json").read_text())["rows"] == ROWS


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
