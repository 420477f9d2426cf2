"""Contracts: what a valid one gives, and which file and key a faulty one is told about."""

from pathlib import Path

import pytest
import yaml

from data import contract as contracts
from data import reader
from data.contract import Contract, Role
from data.errors import UserError

SHOP = """
name: shop-visits
title: Visits of a web shop
source: {delimiter: "%s", quoting: %s}
row_order: date
identifiers: [visit]
numeric:
  spent: {unit: euros, min: 0, max: 1000, blank: true, bands: [10, 100]}
  weekday: {unit: day, min: 1, max: 7, integer: true, one_hot: true}
categorical:
  colour: {values: [rot, blau, grün]}
  returned: {values: [no, yes], blank: true}
label: {name: bought, positive: "1", negative: on}
after_call: [returned]
views:
  taste:
    columns: [colour, spent]
    describe: [weekday, returned]
    published: [{title: A study, columns: [colour, weekday], scaling: standard, clusters: 3, silhouette: 0.4}]
  published: {columns: [weekday, colour], scaling: yeo-johnson}
crosses: [[weekday, colour]]
slices: [colour, spent]
"""


@pytest.fixture
def write(tmp_path):
    def write(text: str, name: str = "shop.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def changed(write):
    """A contract file with some keys replaced; a dotted name reaches into a mapping, None removes."""

    def changed(**changes) -> Path:
        document = yaml.safe_load(
            SHOP.replace("[no, yes]", "['no', 'yes']").replace("negative: on", "negative: 'on'") % (",", "minimal")
        )
        for dotted, value in changes.items():
            *parents, key = dotted.split(".")
            target = document
            for parent in parents:
                target = target[parent]
            if value is None:
                del target[key]
            else:
                target[key] = value
        return write(yaml.safe_dump(document, allow_unicode=True))

    return changed


@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("quoting", ["nonnumeric", "minimal", "none"])
def test_a_contract_never_seen_before_reads_its_file(write, tmp_path, delimiter, quoting):
    contract = contracts.load(write(SHOP % (delimiter, quoting)))
    quote = '"' if quoting == "nonnumeric" else ""
    cells = [["bought", "colour", "visit", "weekday", "returned", "spent"], ["on", "grün", "v1", "7", "no", "2.5"]]
    lines = [delimiter.join(f"{quote}{cell}{quote}" for cell in row) for row in cells]
    file = tmp_path / "visits.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")

    assert contract.header(Role.TRAINING) == set(reader.header(file)[0])
    (block,) = reader.read(file, contract)
    assert block.batch.to_pylist() == [{"spent": 2.5, "weekday": 7, "colour": "grün", "returned": "no", "bought": 0}]
    assert block.bad == ()


def test_features_leave_out_what_is_known_only_after_the_call(write):
    contract = contracts.load(write(SHOP % (",", "none")))
    assert contract.features() == ("spent", "weekday", "colour")
    assert contract.features(with_after_call=True) == ("spent", "weekday", "colour", "returned")


def test_columns_known_only_after_the_call_may_be_blank_unless_the_contract_says_otherwise(changed):
    """The campaign desk makes training rows without them."""
    silent = {"values": ["no", "yes"]}
    contract = contracts.load(changed(**{"categorical.returned": silent}))
    assert contract.categorical["returned"].blank
    assert not contract.categorical["colour"].blank
    assert Contract.model_validate_json(contract.model_dump_json()) == contract
    assert Contract(**dict(contract)) == contract
    strict = contracts.load(changed(**{"categorical.returned": {**silent, "blank": False}}))
    assert not strict.categorical["returned"].blank
    assert contracts.load("bank-full").numeric["duration"].blank


def test_modelling_keys_are_read_from_the_top_level_too_as_earlier_contracts_have_them(changed):
    old = contracts.load(changed(hyperparameters={"width": 8}))
    inside = {"crosses": [["weekday", "colour"]], "slices": ["colour", "spent"], "hyperparameters": {"width": 8}}
    new = contracts.load(changed(crosses=None, slices=None, modelling=inside))
    half = contracts.load(
        changed(crosses=None, modelling={"crosses": inside["crosses"], "hyperparameters": {"width": 8}})
    )
    assert old == new == half
    assert old.modelling.crosses == (("weekday", "colour"),)
    assert old.modelling.slices == ("colour", "spent")
    assert old.modelling.hyperparameters == {"width": 8}


def test_views_are_chosen_by_name_and_the_first_one_is_the_default(write):
    contract = contracts.load(write(SHOP % (",", "none")))
    name, view = contract.view()
    assert (name, view.columns, view.describe) == ("taste", ("colour", "spent"), ("weekday", "returned"))
    assert view.scaling == "rank-normal"
    (published,) = view.published
    assert (published.title, published.columns, published.clusters) == ("A study", ("colour", "weekday"), 3)
    assert contract.view("published") == ("published", contract.views["published"])
    with pytest.raises(UserError, match=r"no view 'tasty' \(did you mean 'taste'\?\); it has taste, published"):
        contract.view("tasty")


def test_without_views_there_is_one_of_all_columns_known_before_the_call(changed):
    contract = contracts.load(changed(views=None))
    name, view = contract.view()
    assert (name, view.columns) == ("all", ("spent", "weekday", "colour"))
    with pytest.raises(UserError, match="no view 'taste'; it has all"):
        contract.view("taste")
    assert contracts.load(changed(views=None, at_call=["weekday"])).view()[1].columns == ("spent", "colour")
    single = contracts.load(changed(views=None, crosses=None, slices=None, after_call=["returned", "spent", "weekday"]))
    with pytest.raises(UserError, match="has one column: bands of one column are no segments"):
        single.view()


def test_words_of_the_data_stay_text(write):
    contract = contracts.load(write(SHOP % (",", "none")))
    assert contract.categorical["returned"].values == ("no", "yes")
    assert contract.categorical["returned"].domain == ("no", "yes", "")
    assert (contract.label.positive, contract.label.negative) == ("1", "on")
    assert contract.numeric["spent"].blank is True


def test_a_contract_survives_json(write):
    contract = contracts.load(write(SHOP % (",", "none")))
    assert Contract.model_validate_json(contract.model_dump_json()) == contract


@pytest.mark.parametrize("path", sorted(contracts.CONTRACTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_contracts_of_the_project_are_named_like_their_file_and_found_by_their_columns(path):
    contract = contracts.load(path.stem)
    assert contract.name == path.stem
    assert contracts.find(contract.header(Role.TRAINING)) is not None
    assert contracts.find(sorted(contract.header(Role.TRAINING))) == contract


def test_find_names_the_nearest_contract_and_what_differs():
    columns = set(contracts.load("bank-full").header(Role.TRAINING)) - {"balance"} | {"ballance"}
    with pytest.raises(UserError) as error:
        contracts.find(columns, where="mine.csv")
    assert str(error.value) == (
        "mine.csv: no contract has these columns. The nearest is bank-full: "
        "missing 'balance' (did you mean 'ballance'?); not in the contract 'ballance'"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lable": {}}, "lable: unknown key (did you mean 'label'?)"),
        ({"numeric.spent.maximum": 5}, "numeric.spent.maximum: unknown key (did you mean 'max'?)"),
        ({"label.negativ": "x"}, "label.negativ: unknown key (did you mean 'negative'?)"),
        ({"title": None}, "title: this key is required"),
        ({"numeric.spent.unit": None}, "numeric.spent.unit: this key is required"),
        ({"numeric.spent.min": "low"}, "numeric.spent.min: "),
        ({"numeric.spent.min": float("nan")}, "numeric.spent.min: "),
        ({"numeric.spent.min": 1000}, "numeric.spent: min 1000 must be below max 1000"),
        ({"numeric.spent.bands": [100, 10]}, "numeric.spent: bands must rise"),
        ({"numeric.spent.one_hot": True}, "numeric.spent: one_hot needs an integer column"),
        ({"numeric.spent.bins": 1}, "numeric.spent.bins: "),
        ({"numeric.weekday.bins": 4}, "numeric.weekday: one_hot and bins exclude each other"),
        ({"categorical.colour.values": []}, "categorical.colour.values: "),
        ({"categorical.colour.values": ["rot", "rot"]}, "categorical.colour: values are listed twice: rot"),
        ({"categorical.colour.ordered": 2}, "categorical.colour.ordered: "),
        (
            {"categorical.colour.ordered": True, "categorical.colour.cyclic": True},
            "categorical.colour: ordered and cyclic exclude each other",
        ),
        ({"categorical.colour.values": ["rot", ""]}, "categorical.colour: an empty value is written as `blank: true`"),
        (
            {"categorical.spent": {"values": ["x"]}},
            "numeric, categorical, identifiers, label: columns are declared twice: spent",
        ),
        ({"label.negative": "1"}, "label: positive and negative are both '1'"),
        ({"name": "Shop Visits"}, "name: "),
        ({"row_order": "sorted"}, "row_order: "),
        ({"source.delimiter": "||"}, "source.delimiter: "),
        ({"source.quoting": "always"}, "source.quoting: "),
        ({"source.sha256": "abc"}, "source.sha256: "),
        ({"after_call": ["retuned"]}, "after_call: 'retuned' is not a declared feature (did you mean 'returned'?)"),
        ({"slices": ["visit"]}, "modelling.slices: 'visit' is not a declared feature"),
        ({"slices": ["weekday"]}, "modelling.slices: numeric column 'weekday' needs bands"),
        ({"crosses": [["spent", "colour"]]}, "modelling.crosses: numeric column 'spent' needs one_hot: true or bins"),
        ({"crosses": [["weekday"]]}, "modelling.crosses.0"),
        ({"modelling": {"slices": ["colour"]}}, "slices: unknown key"),
        ({"modelling": {"slicess": ["colour"]}}, "modelling.slicess: unknown key (did you mean 'slices'?)"),
        ({"modelling": ["colour"]}, "modelling: "),
        ({"crosses": [["colour", "colour"]]}, "modelling.crosses: listed twice: colour"),
        (
            {"crosses": [["weekday", "colour"], ["colour", "weekday"]]},
            "modelling.crosses: listed twice: colour and weekday",
        ),
        (
            {
                "numeric.spent.bins": 256,
                "categorical.colour.values": [*map(str, range(40))],
                "crosses": [["spent", "colour"]],
            },
            "modelling.crosses: ['spent', 'colour'] would be 10,240 features, more than 10,000",
        ),
        ({"slices": ["colour", "colour"]}, "modelling.slices: listed twice: colour"),
        ({"after_call": ["returned", "returned"]}, "after_call: listed twice: returned"),
        ({"at_call": ["weekdy"]}, "at_call: 'weekdy' is not a declared feature (did you mean 'weekday'?)"),
        ({"at_call": ["weekday", "weekday"], "views": {}}, "at_call: listed twice: weekday"),
        ({"at_call": ["returned"]}, "at_call: 'returned' is known only after the call"),
        ({"at_call": ["spent"]}, "views.taste.columns: 'spent' describes the call, not the customer"),
        (
            {"at_call": ["spent", "weekday", "colour"], "views": {}},
            "at_call: at least one other column must be known before the call",
        ),
        ({"after_call": ["returned", "spent", "weekday", "colour"]}, "numeric, categorical: at least one column"),
        ({"numeric.weekday.missing": 0.5}, "numeric.weekday: missing 0.5 never occurs in a column with integer: true"),
        ({"numeric.weekday.min": 0.5}, "numeric.weekday: one_hot needs an integer column"),
        ({"numeric.spent.max": 1e39}, "numeric.spent.max: "),
        ({"source.delimiter": '"'}, "source.delimiter: the delimiter must be an ASCII character"),
        ({"source.delimiter": "·"}, "source.delimiter: the delimiter must be an ASCII character"),
        ({"source.trim": True, "label.positive": "1 "}, "bought: '1 ' never occurs, since source.trim drops"),
        ({"source.trim": True, "categorical.colour.values": [" rot"]}, "colour: ' rot' never occurs"),
        ({"view": {}}, "view: unknown key (did you mean 'views'?)"),
        ({"views.taste.column": ["spent"]}, "views.taste.column: unknown key (did you mean 'columns'?)"),
        ({"views.published.colums": []}, "views.published.colums: unknown key (did you mean 'columns'?)"),
        ({"views.published.silhouette": 0.5}, "views.published.silhouette: unknown key"),
        (
            {"views.taste.published": [{"title": "x", "clusters": 3, "scale": "standard"}]},
            "views.taste.published.0.scale: unknown key (did you mean 'scaling'?)",
        ),
        ({"views.taste.published": [{"title": "x"}]}, "views.taste.published.0.clusters: this key is required"),
        ({"views.taste.published": [{"title": "x", "clusters": 1}]}, "views.taste.published.0.clusters: "),
        (
            {"views.taste.published": [{"title": "x", "clusters": 3, "silhouette": 50}]},
            "views.taste.published.0.silhouette: ",
        ),
        (
            {"views.taste.published": [{"title": "x", "clusters": 3, "columns": ["spend"]}]},
            "views.taste.published.0.columns: 'spend' is not a declared feature (did you mean 'spent'?)",
        ),
        ({"views.taste.columns": None}, "views.taste.columns: this key is required"),
        (
            {"views.taste.columns": ["spent"]},
            "views.taste.columns: bands of one column are no segments; at least two columns are needed, got ['spent']",
        ),
        ({"views.taste.columns": []}, "views.taste.columns: bands of one column are no segments; at least two"),
        ({"views.taste.columns": ["spent", "spent"]}, "views.taste.columns: listed twice: spent"),
        (
            {"views.taste.columns": ["spent", "color"]},
            "views.taste.columns: 'color' is not a declared feature (did you mean 'colour'?)",
        ),
        ({"views.taste.columns": ["spent", "visit"]}, "views.taste.columns: 'visit' is not a declared feature"),
        ({"views.taste.columns": ["spent", "bought"]}, "views.taste.columns: 'bought' is not a declared feature"),
        (
            {"views.taste.columns": ["spent", "returned"]},
            "views.taste.columns: 'returned' is known only after the call",
        ),
        ({"views.taste.describe": ["weekdays"]}, "views.taste.describe: 'weekdays' is not a declared feature"),
        ({"views.taste.describe": ["spent"]}, "views.taste: 'spent' is in columns and in describe"),
        ({"views.taste.scaling": "minmax"}, "views.taste.scaling: "),
        ({"views.Good Taste": {"columns": ["spent", "colour"]}}, "views.Good Taste.[key]: "),
        ({"views": ["taste"]}, "views: "),
        ({"views.taste": ["spent", "colour"]}, "views.taste: "),
        ({"label.name": "bought it"}, "'bought it' cannot be the name of a model's input"),
        ({"numeric.größe": {"unit": "cm", "min": 0, "max": 9}}, "'größe' cannot be the name of a model's input"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_every_error_names_file_and_key(changed, changes, message):
    path = changed(**changes)
    with pytest.raises(UserError) as error:
        contracts.load(path)
    assert f"{path}: {message}" in str(error.value)


def test_all_wrong_keys_are_named_at_once(changed):
    path = changed(**{"title": None, "numeric.spent.unit": None, "label.name": None})
    with pytest.raises(UserError) as error:
        contracts.load(path)
    assert len(str(error.value).splitlines()) == 3


def test_a_key_given_twice_is_named_with_its_line(write):
    path = write((SHOP % (",", "none")).replace("row_order: date", "title: again"))
    with pytest.raises(UserError, match=r"(?s)key 'title' is given twice.*line 5"):
        contracts.load(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name: [", "not valid YAML"),
        (b"- a\n- b\n", "expected a mapping"),
        (b"", "expected a mapping"),
        (b"? [a, b]\n: c\n", "not valid YAML"),
        ("title: Köln".encode("latin-1"), "cannot be read"),
    ],
)
def test_what_is_no_contract_at_all_is_refused_by_name(tmp_path, content, message):
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        contracts.load(path)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)


def test_unknown_names_and_missing_files(tmp_path):
    with pytest.raises(UserError, match=r"no contract named 'bank-fulll'.*bank-additional, bank-full"):
        contracts.load("bank-fulll")
    with pytest.raises(UserError, match="cannot be read"):
        contracts.load(tmp_path / "none.yaml")
