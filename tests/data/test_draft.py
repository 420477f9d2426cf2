"""Drafts: a contract that reads its own file, and what a person is told to check."""

import csv
import io
import random
from pathlib import Path

import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data import contract as contracts
from data import draft, reader
from data.errors import UserError

ROWS = 400


def table(columns, delimiter=",", **dialect) -> str:
    """CSV text of columns by name."""
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n", **dialect)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return stream.getvalue()


def shop(**more):
    """Columns of a web shop: nothing in them says anything about the label."""
    pick = random.Random(1)
    return {
        "visit": [f"v{row}" for row in range(ROWS)],
        "spent": [f"{pick.random() * 90 + 5:.2f}" for _ in range(ROWS)],
        "items": [pick.randint(1, 9) for _ in range(ROWS)],
        "city": [pick.choice(["Köln", "Łódź", "東京"]) for _ in range(ROWS)],
        "bought": [pick.choice(["yes", "no", "no"]) for _ in range(ROWS)],
        **more,
    }


@pytest.fixture
def write(tmp_path):
    def write(content, name: str = "Shop Visits.csv") -> Path:
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else table(content), encoding="utf-8", newline="")
        return path

    return write


def drafted(path, label="bought"):
    """The draft of a file; its contract reads the file, and every value lies in its domain."""
    result = draft.draft(path, label)
    contract = result.contract
    assert contracts.parse(result.text, "again") == contract
    rows = 0
    for block in reader.read(path, contract):
        assert block.bad == ()
        rows += block.batch.num_rows
        for name, rule in contract.numeric.items():
            values = [v for v in block.batch.column(block.batch.schema.get_field_index(name)).to_pylist() if v == v]
            assert all(rule.min <= value <= rule.max or value == rule.missing for value in values), name
        for name, category in contract.categorical.items():
            column = block.batch.column(block.batch.schema.get_field_index(name))
            assert set(pc.unique(column).to_pylist()) <= set(category.domain)
    assert rows
    return result


def refused(path, label="bought") -> str:
    with pytest.raises(UserError) as error:
        draft.draft(path, label)
    assert str(path) in str(error.value)
    return str(error.value)


def test_types_ranges_values_and_identifiers_are_guessed(write):
    contract = drafted(write(shop())).contract
    assert contract.name == "shop-visits"
    assert contract.identifiers == ("visit",)
    assert list(contract.numeric) == ["spent", "items"]
    assert not contract.numeric["spent"].integer
    assert contract.numeric["items"].integer
    assert (contract.numeric["items"].min, contract.numeric["items"].max) == (0, 13)
    assert contract.categorical["city"].values == ("Köln", "Łódź", "東京")
    assert (contract.required_label.positive, contract.required_label.negative) == ("yes", "no")
    assert contract.after_call == ()
    assert contract.row_order == "none"
    assert contract.modelling.slices == ("city",)


def test_a_file_without_label_is_drafted_for_segmentation(write):
    columns = shop()
    del columns["bought"]
    result = drafted(write(columns), label=None)
    contract = result.contract
    assert contract.label is None
    assert (contract.after_call, contract.modelling.slices) == ((), ())
    assert (list(contract.numeric), list(contract.categorical)) == (["spent", "items"], ["city"])
    assert contract.title == "Shop Visits.csv, 400 rows"
    assert not any(note.startswith(("label", "slices", "after_call")) for note in result.notes)


@pytest.mark.parametrize("label", ["bought", None])
def test_the_view_in_the_comment_is_the_one_of_a_contract_without_views(write, label):
    result = drafted(write(shop(null=[1, 2] * 200, days=["yes", "no"] * 200)), label)
    text, comment = result.text.split("# views:\n")
    lines = [line.removeprefix("# ") for line in comment.splitlines()]
    uncommented = contracts.parse("\n".join([text, "views:", *lines]), "uncommented")
    assert "null" in uncommented.views["all"].columns
    assert uncommented.view() == result.contract.view()


def test_the_comment_shows_how_to_name_the_columns_that_describe_the_call(write):
    file = write({"age": [20, 30, 41, 52] * 10, "month": ["may", "jun"] * 20, "bought": ["yes", "no", "no", "no"] * 10})
    text = drafted(file, "bought").text
    assert contracts.parse(text, "draft").at_call == ()
    named = text.replace("# at_call: []", "at_call: [month]")
    assert contracts.parse(named, "named").at_call == ("month",)


def test_one_column_makes_no_view(write):
    text = drafted(write({"n": [*range(9)] * 3}), label=None).text
    assert "views" not in text
    assert "at_call" not in text


@pytest.mark.parametrize("delimiter", list(",;\t|"))
@pytest.mark.parametrize("quoting", [csv.QUOTE_ALL, csv.QUOTE_MINIMAL])
def test_any_delimiter_and_quoted_cells(write, delimiter, quoting):
    columns = shop(note=['a "b", c;|\td', "line\nbreak"] * (ROWS // 2))
    contract = drafted(write(table(columns, delimiter, quoting=quoting))).contract
    assert contract.source.delimiter == delimiter
    assert contract.categorical["note"].values == ('a "b", c;|\td', "line\nbreak")


@pytest.mark.parametrize(
    ("values", "marker", "low", "high"),
    [
        ([-1, 3, 40, 80], -1, 0, 120),
        ([999, 0, 3, 27], 999, 0, 41),
        ([-99, -5, 2, 3], -99, -9, 7),
        ([-1, -5, 2, 3], None, -9, 7),
        ([18, 40, 80, 99], None, 0, 140),
        ([0, 1, 2, 9], None, 0, 14),
        ([-1, -2, -3, -4], None, -6, 0),
    ],
)
def test_missing_markers_and_room_in_the_range(write, values, marker, low, high):
    rule = drafted(write(shop(days=values * (ROWS // 4)))).contract.numeric["days"]
    assert rule.missing == marker
    assert (rule.min, rule.max) == (low, high)


def test_a_marker_is_told_with_its_share_and_a_rare_number_is_none(write):
    notes = drafted(write(shop(days=[-1, 3, 4, 5] * (ROWS // 4)))).notes
    assert "numeric: 'days': -1 in 25.0% of the rows is taken for a missing value" in notes
    assert drafted(write(shop(days=[-1, *[3, 4, 5] * (ROWS // 3)]))).contract.numeric["days"].missing is None


def test_blank_cells_of_numbers_and_categories(write):
    columns = shop(days=["", "7"] * (ROWS // 2), colour=["rot", ""] * (ROWS // 2), never=[""] * ROWS)
    result = drafted(write(columns))
    assert result.contract.numeric["days"].blank
    assert result.contract.categorical["colour"].blank
    assert not result.contract.numeric["items"].blank
    assert "never" in result.contract.identifiers
    assert any("'never': every cell is blank" in note for note in result.notes)


def test_constant_columns_are_kept_and_told(write):
    result = drafted(write(shop(country=["PT"] * ROWS, version=[3] * ROWS, zero=["0"] * ROWS)))
    assert result.contract.categorical["country"].values == ("PT",)
    assert result.contract.numeric["version"].min < 3 < result.contract.numeric["version"].max
    assert {"categorical: 'country': every row has 'PT'", "numeric: 'version': every row has 3"} < {*result.notes}


def test_numbers_that_name_the_row_are_identifiers_and_others_are_not(write):
    pick = random.Random(2)
    columns = shop(
        row=range(ROWS),
        customer_id=pick.sample(range(10**8), ROWS),
        balance=pick.sample(range(10**8), ROWS),
        weight=[f"{row}.5" for row in range(ROWS)],
    )
    result = drafted(write(columns))
    assert result.contract.identifiers == ("visit", "row", "customer_id")
    assert {"balance", "weight"} < result.contract.numeric.keys()
    assert any("'balance': nearly every row" in note and "identifiers" in note for note in result.notes)


def test_too_many_texts_are_left_out_and_told(write):
    result = drafted(write(shop(street=[f"street {row % 250}" for row in range(ROWS)])))
    assert "street" in result.contract.identifiers
    assert any("'street': 250 different texts are too many" in note for note in result.notes)


def test_columns_that_rank_the_label_are_taken_for_after_the_call(write):
    columns = shop()
    pick = random.Random(3)
    bought = [value == "yes" for value in columns["bought"]]
    columns["minutes"] = [abs(round(pick.gauss(30, 5))) if hit else pick.choice([0, 1, 90, 99]) for hit in bought]
    columns["outcome"] = ["signed" if hit and pick.random() < 0.9 else "open" for hit in bought]
    columns["mood"] = ["good" if hit and pick.random() < 0.4 else "bad" for hit in bought]
    result = drafted(write(columns))
    assert set(result.contract.after_call) == {"minutes", "outcome"}
    assert sum(note.startswith("after_call: ") for note in result.notes) == 2
    assert set(result.contract.modelling.slices) == {"city", "mood"}


def test_the_last_column_left_is_a_feature_however_well_it_ranks(write):
    columns = shop()
    path = write({"result": [value.upper() for value in columns["bought"]], "bought": columns["bought"]})
    result = drafted(path)
    assert result.contract.after_call == ()
    assert "after_call: 'result' alone ranks the label with AUC 1.00; kept, as no other is left" in result.notes


def test_blanks_around_cells_are_trimmed_and_told(write):
    text = table(shop()).replace(",", " , ")
    result = drafted(write(text))
    assert result.contract.source.trim
    assert list(result.contract.numeric) == ["spent", "items"]
    assert any(note.startswith("source: ") for note in result.notes)
    assert not drafted(write(shop(), "tidy.csv")).contract.source.trim


@pytest.mark.parametrize(
    ("values", "positive"),
    [
        (["1", "0"], "1"),
        (["Ja", "Nein"], "Ja"),
        (["true", "false"], "true"),
        (["stays", "leaves", "stays"], "leaves"),
        (["no", "perhaps"], "perhaps"),
        (["null", "on"], None),
    ],
)
def test_the_positive_value_is_guessed_by_its_word_else_it_is_the_rarer(write, values, positive):
    columns = {"items": list(range(9)) * 11, "bought": (values * 99)[:99]}
    label = drafted(write(columns)).contract.required_label
    assert {label.positive, label.negative} == set(values)
    assert positive in (label.positive, None)


@pytest.mark.parametrize(
    ("more", "label", "message"),
    [
        ({}, "bougth", "no column 'bougth' (did you mean 'bought'?); the columns are visit, spent"),
        ({"bought": ["yes"] * ROWS}, "bought", "must have two values, got 1: 'yes'"),
        ({"bought": ["yes", "no", "call again", "?"] * 100}, "bought", "must have two values, got 4: 'yes', 'no'"),
        ({"bought": ["yes", "", "no", "no"] * 100}, "bought", "is blank in 100 rows"),
        ({"age": ["NA", *range(18, 57)] * 10}, "bought", "column 'age': numbers and 'NA'; leave a cell without"),
        ({"price": [f"{row},5" for row in range(ROWS)]}, "bought", "column 'price': numbers with a comma"),
        ({"mass": ["2e30", "1"] * 200}, "bought", "column 'mass': numbers beyond 1e+30"),
        ({"Items": [1, 2] * 200}, "bought", "Items, items differ in upper and lower case only"),
        ({"größe": [1, 2] * 200}, "bought", "'größe' cannot be the name of a model's input"),
        ({"it bought": ["a", "b"] * 200}, "it bought", "'it bought' cannot be the name of a model's input"),
    ],
)
def test_what_cannot_be_drafted_is_told_in_words(write, more, label, message):
    assert message in refused(write(shop(**more)), label)


def test_all_columns_that_cannot_be_used_are_told_at_once(write):
    message = refused(write(shop(größe=[1, 2] * 200, price=[f"{row},5" for row in range(ROWS)])))
    assert len(message.splitlines()) == 2


def test_files_that_are_no_table_of_features(write):
    assert "no column besides 'bought'" in refused(write({"bought": ["yes", "no"]}))
    assert "no column is a number or a category" in refused(write({"id": [f"a{i}" for i in range(40)]}), label=None)
    assert "no column besides 'bought'" in refused(
        write({"id": [f"a{i}" for i in range(40)], "bought": ["yes", "no"] * 20})
    )
    assert "3 cells separated by ',', not 2" in refused(write("a,b,bought\n1,2,yes\n1,2\n"))
    assert "a header but no rows" in refused(write("a,bought\n"))
    assert "the file is empty" in refused(write(""))


def test_the_command_writes_the_draft_and_lists_what_to_check(write, tmp_path, monkeypatch, capsys):
    path = write(shop())
    monkeypatch.chdir(tmp_path)
    assert draft.main([str(path), "--label", "bought"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Shop Visits.yaml: a draft with 2 numeric, 1 categorical, 1 identifiers")
    assert "- unit: " in printed
    assert "- row_order: " in printed
    assert f"--data '{path}' --contract 'Shop Visits.yaml'" in printed
    assert contracts.load(tmp_path / "Shop Visits.yaml").title == "Shop Visits.csv, 400 rows"

    assert draft.main([str(path), "--out", "customers.yaml"]) == 0
    assert f"-m pipeline.segment --data '{path}' --contract customers.yaml\n" in capsys.readouterr().out

    (tmp_path / "Shop Visits.yaml").write_text("edited by hand")
    assert draft.main([str(path), "--label", "bought"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "Shop Visits.yaml").read_text() == "edited by hand"
    assert draft.main([str(path), "--label", "bought", "--out", str(tmp_path / "none" / "a.yaml")]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert draft.main([str(path), "--label", "bought", "--out", "a.txt"]) == 2
    assert "ends in .yaml" in capsys.readouterr().err
    assert draft.main(["nowhere.csv", "--label", "bought"]) == 2
    assert "nowhere.csv: no such file" in capsys.readouterr().err


CELL = st.one_of(
    st.sampled_from(
        ["", "-1", "999", "yes", "no", "null", "~", "1e3", "0x1", "2020-01-01", "1:30", "- a", "#", "true"]
    ),
    st.integers(-(10**9), 10**9).map(str),
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=8),
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(
        st.sampled_from(["n", "y", "On", "1", ".5", "null", "a-b", "a.b"]), min_size=1, max_size=4, unique=True
    ),
    data=st.data(),
)
def test_any_draft_reads_its_own_file(write, names, data):
    rows = data.draw(st.integers(2, 30))
    columns = {name: data.draw(st.lists(CELL, min_size=rows, max_size=rows)) for name in names}
    path = write(table({**columns, "bought": ["yes", "no"] + ["no"] * (rows - 2)}, quoting=csv.QUOTE_ALL))
    for label in ("bought", None):
        try:
            draft.draft(path, label)
        except UserError:
            continue  # told in words; which ones is tested above
        drafted(path, label)


@pytest.mark.parametrize(
    ("file", "label", "after_call", "missing"),
    [
        ("bank-full.csv", "y", "duration", {"pdays": -1}),
        ("bank-additional-full.csv", "y", "duration", {"pdays": 999}),
        ("hackerearth-train.csv", "term_deposit_subscribed", "last_contact_duration", {}),
    ],
)
def test_drafts_of_the_real_files_agree_with_their_contracts(real_data, file, label, after_call, missing):
    path = real_data / file
    contract = drafted(path, label).contract
    written = contracts.find(reader.header(path)[0])
    assert contract.after_call == (after_call,) == written.after_call
    assert {name: rule.missing for name, rule in contract.numeric.items() if rule.missing is not None} == missing
    assert contract.identifiers == written.identifiers
    in_file = {name: rule for name, rule in written.numeric.items() if name not in written.derived_columns}
    assert list(contract.numeric) == list(in_file)
    assert {n: (r.integer, r.blank) for n, r in contract.numeric.items()} == {
        # Clock columns may be blank for the calls of the campaign desk; in the file they are not.
        n: (r.integer, r.blank and n not in written.clock)
        for n, r in in_file.items()
    }
    for name, category in contract.categorical.items():
        assert set(category.domain) <= set(written.categorical[name].domain)
    assert (contract.required_label.positive, contract.required_label.negative) == (
        written.required_label.positive,
        written.required_label.negative,
    )


@pytest.mark.parametrize("name", ["fundfusion", "cc-general"])
def test_drafts_of_the_real_files_without_label_agree_with_their_contracts(real_data, name):
    contract = drafted(real_data / f"{name}.csv", label=None).contract
    written = contracts.load(name)
    assert contract.identifiers == written.identifiers
    assert set(contract.features()) == set(written.features())
