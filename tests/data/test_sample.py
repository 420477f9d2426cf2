"""The synthetic sample: shape, domains, determinism, and that a model finds in it what it finds in the real file."""

import csv
import json

import numpy as np
import pytest

from data import columns, fit_sample, sample
from data import contract as contracts
from data.contract import Role

CONTRACT = contracts.load("bank-full")


@pytest.fixture(scope="module")
def rows():
    (chunk,) = sample.draw()
    return chunk


@pytest.fixture(scope="module")
def real(real_data):
    import pyarrow.csv

    options = pyarrow.csv.ParseOptions(delimiter=";")
    table = pyarrow.csv.read_csv(real_data / "bank-full.csv", parse_options=options)
    sizes = columns.read(real_data / "bank-full.csv", CONTRACT)
    return {name: table[name].to_numpy() for name in table.column_names} | {
        name: sizes[name] for name in CONTRACT.derived_columns
    }


def test_every_value_is_in_its_domain(rows):
    assert set(rows) == CONTRACT.header(Role.TRAINING) | {*CONTRACT.derived_columns}
    assert {len(column) for column in rows.values()} == {sample.ROWS}
    for name, numeric in CONTRACT.numeric.items():
        values = rows[name][rows[name] != numeric.missing]
        assert values.min() >= numeric.min, name
        assert values.max() <= numeric.max, name
    for name, categorical in CONTRACT.categorical.items():
        assert set(rows[name]) <= set(categorical.values), name
    assert set(rows["y"]) == {"yes", "no"}


@pytest.mark.parametrize("count", [50, 3000])
def test_the_size_of_the_list_is_that_of_the_whole_file(tmp_path, monkeypatch, count):
    monkeypatch.setattr(sample, "CHUNK", 1000)
    chunks = list(sample.draw(count))
    read = columns.read(sample.ensure(count, folder=tmp_path), CONTRACT)
    for name in CONTRACT.derived_columns:
        assert np.concatenate([chunk[name] for chunk in chunks]).tolist() == read[name].tolist()


def test_customers_never_called_before_have_no_previous_calls(rows):
    never = rows["pdays"] == -1
    assert (never == (rows["previous"] == 0)).all()
    assert (never == (rows["poutcome"] == "unknown")).mean() > 0.999


def test_rows_are_in_date_order_and_the_buy_rate_climbs(rows):
    month_changes = int((rows["month"][1:] != rows["month"][:-1]).sum())
    assert month_changes == len(json.loads(sample.TABLES.read_text())["spans"]) - 1
    same_month = rows["month"][1:] == rows["month"][:-1]
    assert (np.diff(rows["day"])[same_month] >= 0).all()
    tenths = [(part == "yes").mean() for part in np.array_split(rows["y"], 10)]
    assert tenths[0] < 0.05
    assert tenths[-1] > 0.4


def test_same_seed_same_bytes_other_seed_other_rows(tmp_path):
    files = [tmp_path / name for name in ("a.csv", "b.csv", "c.csv")]
    for file, seed in zip(files, (7, 7, 8), strict=True):
        sample.write(file, rows=2000, seed=seed)
    a, b, c = (file.read_bytes() for file in files)
    assert a == b
    assert a != c


def test_default_sample_is_the_same_on_every_machine(rows):
    known = {"age": 1854486, "balance": 63983840, "duration": 11775745}
    assert {name: int(rows[name].sum()) for name in known} == known


def test_file_reads_back_in_the_publishers_dialect(tmp_path, rows):
    file = sample.ensure(rows=300, folder=tmp_path)
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines[0] == ";".join(f'"{name}"' for name in sample.COLUMNS)
    with open(file, newline="", encoding="utf-8") as stream:
        first = next(csv.DictReader(stream, delimiter=";"))
    assert lines[1].count('"') == 2 * (len(CONTRACT.categorical) + 1)
    assert int(first["age"]) >= 18
    assert sample.ensure(rows=300, folder=tmp_path).stat().st_mtime_ns == file.stat().st_mtime_ns
    assert list(tmp_path.iterdir()) == [file]


def test_larger_samples_spread_over_the_same_dates(monkeypatch):
    monkeypatch.setattr(sample, "CHUNK", 4000)
    chunks = list(sample.draw(rows=10_000, seed=3))
    assert [len(chunk["y"]) for chunk in chunks] == [4000, 4000, 2000]
    months = np.concatenate([chunk["month"] for chunk in chunks])
    assert (months[0], months[-1]) == ("may", "nov")
    assert int((months[1:] != months[:-1]).sum()) == 29


def test_no_published_count_stands_for_fewer_than_five_customers(real, real_data):
    tables = fit_sample.fit(real_data / "bank-full.csv")
    assert tables == json.loads(sample.TABLES.read_text()), "run python -m data.fit_sample"
    assert sample.TABLES.stat().st_size < 150_000
    for name, column in tables["columns"].items():
        counts = np.array(column["counts"])
        small = (counts > 0) & (counts < fit_sample.SMALL_LIMIT)
        assert set(counts[small]) <= {fit_sample.SMALL}, name
        if "edges" in column:
            assert (real[name] < column["edges"][0]).sum() < fit_sample.SMALL_LIMIT
            assert (real[name] <= column["edges"][0]).sum() >= fit_sample.SMALL_LIMIT
            assert (real[name] >= column["edges"][-1] - 1).sum() >= fit_sample.SMALL_LIMIT


@pytest.mark.parametrize(("with_duration", "apart"), [(False, 0.03), (True, 0.02)])
def test_a_model_finds_as_much_in_the_sample_as_in_the_real_file(rows, real, with_duration, apart):
    assert abs(area_under_curve(rows, with_duration) - area_under_curve(real, with_duration)) < apart


def area_under_curve(rows, with_duration):
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from threadpoolctl import threadpool_limits

    names = CONTRACT.features(with_after_call=with_duration)
    values = [
        np.searchsorted(np.sort(CONTRACT.categorical[name].values), rows[name].astype(str))
        if name in CONTRACT.categorical
        else rows[name]
        for name in names
    ]
    categorical = [name in CONTRACT.categorical for name in names]
    model = HistGradientBoostingClassifier(max_iter=40, learning_rate=0.2, categorical_features=categorical)
    features, bought = np.stack(values, axis=1), rows["y"] == "yes"
    shuffled = np.random.default_rng(0).permutation(len(bought))
    train, test = np.split(shuffled, [30_000])
    with threadpool_limits(1):
        scores = model.fit(features[train], bought[train]).predict_proba(features[test])
    return roc_auc_score(bought[test], scores[:, 1])


def test_what_is_drawn_is_known_by_its_name(tmp_path, capsys):
    assert sample.is_synthetic(sample.ensure(10, folder=tmp_path))
    assert sample.is_synthetic(tmp_path)
    assert not sample.is_synthetic(tmp_path / "bank-full.csv")
    assert sample.main(["--rows", "10", "--out", str(tmp_path / "customers.csv")]) == 2
    assert "must begin with synthetic-" in capsys.readouterr().err
    assert not (tmp_path / "customers.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rows", "0"], "--rows 0: expected at least 1"),
        (["--seed", "-1"], "--seed -1: expected at least 0"),
        (["--rows", "5", "--out", "{}/file/synthetic-a.csv"], "cannot be written"),
    ],
)
def test_options_that_cannot_be_used_are_told(arguments, message, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert sample.main([argument.format(tmp_path) for argument in arguments]) == 2
    assert message in capsys.readouterr().err


def test_the_command_writes_the_file_and_prints_its_name(tmp_path, capsys):
    file = tmp_path / "synthetic-a.csv"
    assert sample.main(["--rows", "5", "--out", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}\n"
    assert len(file.read_text().splitlines()) == 6


def test_another_file_than_bank_full_has_no_tables(tmp_path, capsys):
    (tmp_path / "a.csv").write_text("age;job\n1;2\n")
    before = sample.TABLES.read_bytes()
    assert fit_sample.main([str(tmp_path / "a.csv")]) == 2
    assert "the header differs from contract bank-full" in capsys.readouterr().err
    assert sample.TABLES.read_bytes() == before
