"""Spans: months of labelled calls in versions, whole or not at all, and read as one file in the order of the calls."""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data import columns, list_size, reader, spans
from data.contract import CALL_DAY, Contract, Role
from data.csv_parts import divide_all
from data.errors import BadFileError, BadOptionError
from tests.support import dated

HEADER = "age,day,month,weekday,bought"
MONTHS = ("jan", "feb", "mar", "dec")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OF_WEEKDAYS = dated.contract(
    categorical={"month": {"values": [*MONTHS]}, "weekday": {"values": [*WEEKDAYS]}},
    call_date={"day_of_week": "weekday", "month": "month", "year": "inferred", "begins": 2008},
)
OF_COLUMN = Contract.model_validate(
    {
        "name": "calls-with-dates",
        "title": "Calls with a column of dates",
        "row_order": "date",
        "identifiers": ["who"],
        "numeric": {"age": {"unit": "years", "min": 0, "max": 120}},
        "label": {"name": "bought", "positive": "yes", "negative": "no"},
        "call_date": {"column": "when"},
        "derived": "list_size",
    }
)
UNDATED = Contract.model_validate(
    {
        "name": "visits",
        "title": "Visits without dates",
        "numeric": {"age": {"unit": "years", "min": 0, "max": 120}},
        "label": {"name": "bought", "positive": "yes", "negative": "no"},
    }
)


def calls(path, rows):
    """A file with one call for each (age, day, month, bought)."""
    lines = [f"{age},{day},{month},mon,{bought}" for age, day, month, bought in rows]
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


def ages(folder, contract=None):
    return columns.read(folder, contract or dated.contract())["age"].tolist()


def described(found):
    return [(span.month, span.version, span.manifest.rows) for span in found]


@pytest.fixture
def folder(tmp_path):
    return spans.folder(tmp_path / "artifacts", "dated-calls")


@pytest.fixture
def two_months(tmp_path, folder):
    file = calls(tmp_path / "calls.csv", [(30, 5, "feb", "yes"), (31, 5, "feb", "no"), (32, 2, "mar", "no")])
    spans.add(folder, file, dated.contract())
    return folder


def test_a_file_is_cut_into_months_with_manifests(two_months):
    february, march = spans.spans(two_months)
    assert (february.month, february.version, february.number) == ("2008-02", 1, 200802)
    assert february.folder == two_months / "span-200802" / "version-1"
    found = february.manifest
    assert (found.contract, found.rows, found.positives) == ("dated-calls", 2, 1)
    assert (found.first_day, found.last_day, found.calls) == (
        *(date(2008, 2, 5), date(2008, 2, 5)),
        ((date(2008, 2, 5), 2),),
    )
    assert found.sha256 == hashlib.sha256(february.file.read_bytes()).hexdigest()
    (source,) = found.sources
    assert (source.name, source.file, source.rows) == ("calls", "calls.csv", 2)
    assert source.sha256 == hashlib.sha256(february.source("calls").read_bytes()).hexdigest()
    assert february.file.read_text() == "age,day,month,weekday,bought\n30,5,feb,mon,yes\n31,5,feb,mon,no\n"
    assert described([march]) == [("2008-03", 1, 1)]
    assert reader.files(two_months) == [february.file, march.file]
    assert stat.S_IMODE(two_months.stat().st_mode) == 0o700
    assert ages(two_months) == [30, 31, 32]


def test_a_file_goes_on_after_the_newest_span(tmp_path, two_months):
    more = calls(tmp_path / "more.csv", [(40, 3, "mar", "yes"), (41, 1, "dec", "no"), (42, 7, "jan", "no")])
    assert described(spans.add(two_months, more, dated.contract())) == [
        *(("2008-03", 2, 2), ("2008-12", 1, 1), ("2009-01", 1, 1))
    ]
    days = columns.read(two_months, dated.contract())[CALL_DAY].astype("datetime64[D]").astype(str)
    assert days.tolist() == [*("2008-02-05", "2008-02-05", "2008-03-02", "2008-03-03", "2008-12-01", "2009-01-07")]


def test_spans_may_start_and_pause_anywhere(tmp_path, folder):
    contract = dated.contract()
    spans.add(folder, calls(tmp_path / "a.csv", [(30, 7, "mar", "yes")]), contract, month="2009-03")
    spans.add(folder, calls(tmp_path / "b.csv", [(31, 7, "jan", "no")]), contract, month="2011-01")
    days = columns.read(folder, contract)[CALL_DAY].astype("datetime64[D]").astype(str).tolist()
    assert days == ["2009-03-07", "2011-01-07"]
    scanned = list_size.scan(divide_all(reader.files(folder), contract, Role.TRAINING), contract)
    assert scanned.volume.days.astype("datetime64[D]").astype(str).tolist() == days


def test_the_same_rows_again_change_nothing(tmp_path, two_months):
    before = sorted(two_months.rglob("*"))
    assert spans.add(two_months, tmp_path / "calls.csv", dated.contract()) == ()
    renamed = (tmp_path / "calls.csv").rename(tmp_path / "copy.csv")
    assert spans.add(two_months, renamed, dated.contract()) == ()
    assert sorted(two_months.rglob("*")) == before


def test_late_rows_of_a_month_make_a_new_version_in_the_order_of_the_days(tmp_path, two_months):
    contract = dated.contract()
    late = calls(tmp_path / "late.csv", [(50, 4, "feb", "no"), (51, 5, "feb", "yes"), (52, 6, "feb", "no")])
    (span,) = spans.add(two_months, late, contract, month="2008-02")
    assert described([span]) == [("2008-02", 2, 5)]
    assert [source.name for source in span.manifest.sources] == ["calls", "late"]
    assert ages(two_months) == [50, 30, 31, 51, 52, 32]
    first, second = spans.versions(two_months, "2008-02")
    assert (first.manifest.rows, second) == (2, span)
    assert ages(first.file) == [30, 31]


def test_corrected_rows_replace_those_of_their_source(tmp_path, two_months):
    contract = dated.contract()
    corrected = calls(tmp_path / "corrected.csv", [(30, 5, "feb", "no"), (31, 5, "feb", "no")])
    (span,) = spans.add(two_months, corrected, contract, source="calls", month="2008-02")
    assert (span.version, span.manifest.rows, span.manifest.positives) == (2, 2, 0)
    assert spans.add(two_months, corrected, contract, source="calls", month="2008-02") == ()
    (back,) = spans.add(two_months, tmp_path / "calls.csv", contract)
    assert (back.version, back.manifest.positives) == (3, 1)


def test_a_year_that_cannot_be_told_is_asked_for(tmp_path, two_months):
    calls(tmp_path / "calls.csv", [(33, 5, "feb", "no")])
    with pytest.raises(BadOptionError, match=r"does the file begin in 2008-02 or in 2009-02\?.* --month 2008-02"):
        spans.add(two_months, tmp_path / "calls.csv", dated.contract())
    (span,) = spans.add(two_months, tmp_path / "calls.csv", dated.contract(), source="february")
    assert span.month == "2009-02"


def test_rows_of_another_month_than_the_one_said_are_named(tmp_path, two_months):
    late = calls(tmp_path / "late.csv", [(50, 4, "feb", "no"), (51, 5, "mar", "yes")])
    with pytest.raises(BadFileError, match=r"late.csv:3: column 'month': got '2008-03-05', expected a day of 2008-02"):
        spans.add(two_months, late, dated.contract(), month="2008-02")
    assert described(spans.spans(two_months)) == [("2008-02", 1, 2), ("2008-03", 1, 1)]


@pytest.mark.parametrize(
    ("month", "source", "said"),
    [
        ("march", None, "--month: got 'march', expected a month such as 2009-03"),
        ("2009-13", None, "--month: got '2009-13'"),
        (None, "../x", "--source: got '../x', expected letters"),
    ],
)
def test_wrong_options_are_named(tmp_path, folder, month, source, said):
    with pytest.raises(BadOptionError, match=said):
        spans.add(folder, calls(tmp_path / "a.csv", [(1, 1, "jan", "no")]), dated.contract(), source, month)
    assert not folder.exists()


def test_a_file_with_bad_rows_is_not_added(tmp_path, two_months):
    bad = calls(tmp_path / "bad.csv", [(60, 5, "mar", "no"), ("old", 6, "mar", "no"), (61, 7, "mar", "perhaps")])
    with pytest.raises(BadFileError, match="2 of 3 rows cannot be read") as error:
        spans.add(two_months, bad, dated.contract())
    assert "bad.csv:3: column 'age': got 'old', expected a number" in str(error.value)
    assert "bad.csv:4: column 'bought': got 'perhaps', expected 'yes' or 'no'" in str(error.value)
    with pytest.raises(BadFileError, match="no such file"):
        spans.add(two_months, tmp_path / "none.csv", dated.contract())
    assert ages(two_months) == [30, 31, 32]


def test_a_source_is_withdrawn_and_older_versions_stay(tmp_path, two_months):
    contract = dated.contract()
    spans.add(two_months, calls(tmp_path / "late.csv", [(50, 6, "feb", "no")]), contract, month="2008-02")
    assert described(spans.withdraw(two_months, contract, "calls")) == [("2008-02", 3, 1), ("2008-03", 2, 0)]
    assert ages(two_months) == [50]
    assert spans.withdraw(two_months, contract, "calls") == ()
    assert ages(spans.versions(two_months, "2008-03")[0].file) == [32]


def test_a_span_that_is_set_aside_is_not_learned_from_but_its_calls_were_made(tmp_path, two_months):
    contract = dated.contract()
    whole = spans.volume(two_months)
    sizes = columns.read(two_months, contract)["calls_30d"].tolist()
    february, march = spans.spans(two_months)
    spans.set_aside(february, "outcomes of another list")
    assert spans.reason_set_aside(february) == "outcomes of another list"
    assert spans.reason_set_aside(march) is None
    assert ages(two_months) == [32]
    assert columns.read(two_months, contract)["calls_30d"].tolist() == sizes[2:] == [2]
    parts = divide_all(reader.files(two_months), contract, Role.TRAINING)
    assert list_size.scan(parts, contract).volume.calls.tolist() == whole.calls.tolist() == [2, 1]
    spans.set_aside(march, "likewise")
    with pytest.raises(BadFileError, match="no span in this folder has rows that are not set aside"):
        reader.files(two_months)
    assert not spans.is_accepted(february)
    spans.accept(february)
    assert spans.is_accepted(february)
    assert spans.reason_set_aside(february) is None
    assert ages(two_months) == [30, 31]
    (corrected,) = spans.add(
        *(two_months, calls(tmp_path / "c.csv", [(33, 2, "mar", "no")]), contract, "calls", "2008-03")
    )
    assert spans.reason_set_aside(corrected) is None
    assert spans.reason_set_aside(march) == "likewise"
    assert ages(two_months) == [30, 31, 33]


def test_without_dates_each_file_is_a_span_and_a_correction_keeps_its_number(tmp_path):
    folder = tmp_path / "visits"
    files = [tmp_path / f"{name}.csv" for name in ("z", "a")]
    for number, file in enumerate(files):
        file.write_text(f"age,bought\n{number},yes\n")
        spans.add(folder, file, UNDATED)
    files[0].write_text("bought;age\nno;5\nno;6\n")
    assert described(spans.add(folder, files[0], UNDATED)) == [("000001", 2, 2)]
    assert spans.add(folder, files[0].rename(tmp_path / "copy.csv"), UNDATED) == ()
    assert described(spans.spans(folder)) == [("000001", 2, 2), ("000002", 1, 1)]
    assert ages(folder, UNDATED) == [5, 6, 1]
    assert len(spans.volume(folder).days) == 0
    with pytest.raises(BadOptionError, match="have no dates; each file is a span"):
        spans.add(folder, tmp_path / "copy.csv", UNDATED, month="2009-03")


ROWS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 99)), min_size=1, max_size=40)


def dates_of(rows):
    """Days from 2008-01-25 on: they pause as the drawn numbers say, and skip the months that the contract lacks."""
    day = date(2008, 1, 25)
    for pause, _ in rows:
        day += timedelta(days=pause)
        while day.strftime("%b").lower() not in MONTHS:
            day += timedelta(days=1)
        yield day


def as_parts(day, age):
    return f"{age},{day.day},{day.strftime('%b').lower()},{WEEKDAYS[day.weekday()]},{'yes' if age % 3 else 'no'}"


def as_column(day, age):
    return f"c{age},{day},{age},{'yes' if age % 3 else 'no'}"


@pytest.mark.parametrize(
    ("contract", "header", "line"),
    [
        (dated.contract(categorical=OF_WEEKDAYS.model_dump()["categorical"]), HEADER, as_parts),
        (OF_WEEKDAYS, HEADER, as_parts),
        (OF_COLUMN, "who,when,age,bought", as_column),
    ],
    ids=["day and month", "weekday and month", "column"],
)
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, cuts=st.sets(st.integers(1, 39), max_size=4), block_bytes=st.sampled_from([60, 1 << 20]))
def test_any_pieces_of_a_file_give_its_rows_in_its_order(
    contract, header, line, tmp_path_factory, monkeypatch, rows, cuts, block_bytes
):
    folder = tmp_path_factory.mktemp("pieces")
    lines = [line(day, age) for day, (_, age) in zip(dates_of(rows), rows, strict=True)]
    whole = folder / "whole.csv"
    whole.write_text("\n".join([header, *lines]) + "\n")
    edges = [0, *sorted(cut for cut in cuts if cut < len(lines)), len(lines)]
    with monkeypatch.context() as patch:
        patch.setattr(reader, "read", functools.partial(reader.read, block_bytes=block_bytes))
        for number, (start, end) in enumerate(itertools.pairwise(edges)):
            piece = folder / f"piece-{number}.csv"
            piece.write_text("\n".join([header, *lines[start:end]]) + "\n")
            spans.add(folder / "spans", piece, contract, source=piece.stem)
        expected, found = (columns.read(path, contract) for path in (whole, folder / "spans"))
    assert list(found) == list(expected)
    for name, column in expected.items():
        np.testing.assert_array_equal(found[name], column, err_msg=name)
    calls = {one.month: one.manifest.calls for one in spans.spans(folder / "spans")}
    days, counts = np.unique(expected[CALL_DAY], return_counts=True)
    assert [(str(day), number) for month in sorted(calls) for day, number in calls[month]] == [
        *zip(days.astype("datetime64[D]").astype(str), counts, strict=True)
    ]


TEXTS = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0\r"), max_size=6)


@pytest.mark.parametrize("quoting", ["nonnumeric", "minimal"])
@settings(deadline=None, max_examples=40)
@given(told=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=8), delimiter=st.sampled_from(",;\t|"))
def test_texts_come_back_as_they_were(tmp_path_factory, told, delimiter, quoting):
    contract = Contract.model_validate(
        {
            "name": "texts",
            "title": "Texts",
            "source": {"delimiter": delimiter, "quoting": quoting},
            "identifiers": ["who, exactly"],
            "categorical": {"colour": {"values": ["red"], "blank": True}},
            "label": {"name": "bought", "positive": 'yes, "gladly"', "negative": "no"},
        }
    )
    folder = tmp_path_factory.mktemp("texts")
    quoted = ['"' + text.replace('"', '""') + '"' for pair in told for text in pair]
    pairs = zip(quoted[::2], quoted[1::2], strict=True)
    file = folder / "texts.csv"
    label = '"yes, ""gladly"""'
    rows = [f"{colour}|{label}|{who}" for who, colour in pairs]
    file.write_text("\n".join(['colour|bought|"who, exactly"', *rows]) + "\n", encoding="utf-8", newline="")
    (span,) = spans.add(folder / "spans", file, contract)
    (block,) = reader.read(span.file, contract)
    cells = zip(block.cells["who, exactly"].to_pylist(), block.batch["colour"].to_pylist(), strict=True)
    assert [*cells] == told
    assert block.batch["bought"].to_pylist() == [1] * len(told)


def test_a_cell_that_csv_without_quotes_cannot_hold_is_named(tmp_path):
    contract = UNDATED.model_copy(
        update={
            "source": UNDATED.source.model_copy(update={"quoting": "none"}),
            "identifiers": ("who",),
        }
    )
    file = tmp_path / "visits.csv"
    file.write_text('who;age;bought\n"a";30;yes\na,b;31;no\n')
    with pytest.raises(BadFileError, match=r"visits.csv: column 'who': got 'a,b', expected no ',' inside a cell"):
        spans.add(tmp_path / "spans", file, contract)
    file.write_text('who;age;bought\n"a";30;yes\n')
    (span,) = spans.add(tmp_path / "spans", file, contract)
    assert span.file.read_text() == 'who,age,bought\n"a",30,yes\n'


class Killed(BaseException):
    """Stands for a process that is gone."""


def test_a_kill_at_any_point_leaves_whole_versions_only(tmp_path, monkeypatch):
    """Whatever call to the operating system is the last one, what is there is whole, and adding again completes it."""
    contract = dated.contract()
    first = calls(tmp_path / "calls.csv", [(30, 5, "feb", "yes"), (31, 5, "feb", "no"), (32, 2, "mar", "no")])
    second = calls(tmp_path / "more.csv", [(40, 3, "mar", "yes"), (41, 1, "dec", "no"), (42, 7, "jan", "no")])
    expected = [30, 31, 32, 40, 41, 42]
    for last in range(200):
        folder = tmp_path / f"spans-{last}"
        spans.add(folder, first, contract)
        left = iter(range(last))

        def one(call, *arguments, left=left, **keywords):
            if next(left, None) is None:
                raise Killed
            return call(*arguments, **keywords)

        with monkeypatch.context() as patch:
            for name in ("rename", "fsync", "mkdir"):
                patch.setattr(os, name, functools.partial(one, getattr(os, name)))
            patch.setattr("shutil.copyfile", functools.partial(one, __import__("shutil").copyfile))
            patch.setattr("shutil.rmtree", lambda *_, **__: None)  # a dead process cleans nothing up
            try:
                spans.add(folder, second, contract)
                killed = False
            except Killed:
                killed = True
        for span in spans.spans(folder):
            for version in spans.versions(folder, span.month):
                content = version.file.read_bytes()
                assert hashlib.sha256(content).hexdigest() == version.manifest.sha256
                assert content.count(b"\n") == version.manifest.rows + 1
        assert ages(folder) == expected[: len(ages(folder))]
        if not killed:
            assert last > 20
            return
        spans.add(folder, second, contract)
        assert ages(folder) == expected
        assert [(span.month, span.version) for span in spans.spans(folder)] == [
            *(("2008-02", 1), ("2008-03", 2), ("2008-12", 1), ("2009-01", 1))
        ]
    pytest.fail("it never came to an end")


def test_many_who_add_at_once_wait_for_each_other(tmp_path, folder):
    contract = dated.contract()
    files = [calls(tmp_path / f"{number}.csv", [(number, 1 + number, "feb", "no")]) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        added = [*pool.map(lambda file: spans.add(folder, file, contract, month="2008-02"), files)]
    assert sorted(span.version for (span,) in added) == [*range(1, 9)]
    assert ages(folder) == [*range(8)]


def test_a_plain_folder_of_files_is_read_as_before(tmp_path):
    calls(tmp_path / "b.csv", [(2, 2, "jan", "no")])
    calls(tmp_path / "a.csv", [(1, 1, "jan", "no")])
    assert ages(tmp_path) == [1, 2]


def test_all_cells_of_training_rows_are_there_where_they_are_asked_for(tmp_path):
    file = calls(tmp_path / "a.csv", [("03.50", 1, "jan", "no")])
    (block,) = reader.read(file, dated.contract(), Role.TRAINING, all_cells=True)
    assert block.cells.to_pylist() == [{"age": "03.50", "day": "1", "month": "jan", "weekday": "mon", "bought": "no"}]


def test_the_command_says_what_it_did(tmp_path, capsys, monkeypatch):
    artifacts = ["--artifacts", str(tmp_path / "artifacts")]
    contract = tmp_path / "visits.yaml"
    contract.write_text(
        "name: visits\ntitle: v\nnumeric: {age: {unit: years, min: 0, max: 120}}\n"
        "label: {name: bought, positive: yes, negative: no}\n"
    )
    file = tmp_path / "visits.csv"
    file.write_text("age,bought\n1,yes\n2,no\n")

    def run(*arguments):
        code = spans.main([*map(str, arguments), *artifacts])
        said = capsys.readouterr()
        return code, said.out or said.err

    assert run("list") == (2, f"{tmp_path / 'artifacts'}: no spans; `python -m data.spans add FILE` makes them\n")
    code, said = run("add", file, "--contract", contract)
    assert code == 0
    assert said.startswith("000001 version 1: 2 rows, 1 positive, from visits: ")
    code, said = run("add", file, "--contract", contract)
    assert (code, said.startswith(f"{file}: nothing new")) == (0, True)
    assert run("list") == (0, "visits 000001 version 1: 2 rows, 1 positive, from visits\n")
    assert run("set-aside", "000001", "--because", "made up")[0] == 0
    assert run("list")[1] == "visits 000001 version 1: 2 rows, 1 positive, from visits; set aside: made up\n"
    code, said = run("accept", "000002")
    assert (code, "no span 000002 (did you mean '000001'?)" in said) == (2, True)
    assert run("accept", "000001", "--contract", "visits")[0] == 0
    assert "set aside" not in run("list")[1]
    file.write_text("age,bought\n1,perhaps\n")
    code, said = run("add", file, "--contract", contract)
    assert (code, "visits.csv:2: column 'bought': got 'perhaps', expected 'yes' or 'no'" in said) == (2, True)


def test_the_real_file_by_month_is_the_real_file(real_data, tmp_path):
    from data import contract as contracts

    contract = contracts.load("bank-additional")
    file = real_data / "bank-additional-full.csv"
    added = spans.add(tmp_path / "spans", file, contract)
    assert (len(added), sum(span.manifest.rows for span in added)) == (26, 41_188)
    expected, found = columns.read(file, contract), columns.read(tmp_path / "spans", contract)
    for name, column in expected.items():
        np.testing.assert_array_equal(found[name], column, err_msg=name)
