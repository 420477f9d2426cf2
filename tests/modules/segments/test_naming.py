"""Names of segments say what is special about them, are different, and stay the same over retrainings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.contract import View
from data.errors import BadOptionError
from modules.segments import naming
from tests.support.properties import RELAXED
from tests.support.segment_rows import CONTRACT, VIEW, columns, customers, drawn, take


def test_a_name_says_what_sets_a_segment_apart():
    assert naming.name(*drawn(), 3, CONTRACT, VIEW) == ("job retired", "high income", "with loan")


def test_a_value_that_two_columns_have_is_told_with_its_column():
    raw = columns(job=["retired"] * 5 + ["worker"] * 5)
    first, _ = naming.name(raw, np.repeat([0, 1], 5), 2, CONTRACT, VIEW)
    assert first == "job retired"


def test_zero_is_no_and_more_is_with():
    raw = columns(visits=[0] * 5 + [1, 2, 3, 4, 5])
    assert naming.name(raw, np.repeat([0, 1], 5), 2, CONTRACT, VIEW) == ("no visits", "with visits")


def test_a_second_part_does_not_repeat_the_first_one():
    raw = columns(visits=[0] * 5 + [5] * 5, income=[0] * 5 + [1000] * 5, loan=["yes"] * 5 + ["no"] * 5)
    assert all("," not in name for name in naming.name(raw, np.repeat([0, 1], 5), 2, CONTRACT, VIEW))


def test_a_name_that_fits_another_segment_too_gets_a_part_that_tells_them_apart():
    raw = columns(
        loan=["yes"] * 20 + ["no"] * 20, age=[30] * 10 + [70] * 10 + [30] * 10 + [70] * 10, visits=[0, 1] * 20
    )
    names = naming.name(raw, np.repeat([0, 1, 2], [10, 10, 20]), 3, CONTRACT, VIEW)
    assert "with loan" in names[0]
    assert "with loan" in names[1]
    assert "30 years" in names[0]
    assert "70 years" in names[1]


def test_the_same_customers_in_two_segments_get_numbered_names():
    raw = columns(loan=["yes", "no"] * 6)
    names = naming.name(raw, np.repeat([0, 1], 6), 2, CONTRACT, VIEW)
    assert names == (naming.AVERAGE, f"{naming.AVERAGE} (2)")


def test_a_comma_within_a_value_does_not_read_as_two_parts():
    raw = columns(job=["Ärztin, Köln"] * 3 + ["worker"] * 3)
    assert naming.name(raw, np.repeat([0, 1], 3), 2, CONTRACT, VIEW)[0] == "Ärztin Köln"


def test_segments_without_customers_and_with_all_of_them():
    assert naming.name(columns(loan=["yes", "no"]), np.ones(2, int), 3, CONTRACT, VIEW) == (
        "no customers",
        "all customers",
        "no customers (2)",
    )


@RELAXED
@given(customers())
def test_names_are_different_short_and_independent_of_the_order_of_rows_and_columns(drawn):
    raw, segments, order = drawn
    names = naming.name(raw, segments, 4, CONTRACT, VIEW)
    assert len({*names}) == 4
    assert all(0 < len(name) <= naming.LONGEST + 4 and len(name.split(", ")) <= naming.MOST_PARTS for name in names)
    backwards = View(columns=VIEW.columns[::-1])
    shuffled = dict(reversed(take(raw, np.array(order)).items()))
    assert naming.name(shuffled, segments[order], 4, CONTRACT, backwards) == names


@RELAXED
@given(st.integers(2, 8), st.integers(1, 5), st.integers(0, 100))
def test_segments_that_moved_little_continue_the_earlier_ones(clusters, width, seed):
    generator = np.random.default_rng(seed)
    earlier = 10.0 * np.arange(clusters)[:, None] + generator.uniform(-1, 1, (clusters, width))
    order = generator.permutation(clusters)
    moved = earlier[order] + generator.uniform(-0.5, 0.5, (clusters, width))
    assert naming.match(moved, earlier) == order.tolist()


def test_a_segment_far_from_all_earlier_ones_is_new():
    earlier = np.array([[0.0, 0.0], [10.0, 0.0]])
    assert naming.match(np.array([[0.5, 0.0], [9.0, 0.0], [5.0, 8.0]]), earlier) == [0, 1, None]


def test_a_segment_half_way_between_two_earlier_ones_continues_neither():
    assert naming.match(np.array([[5.1], [30.0]]), np.array([[0.0], [10.0]])) == [None, None]


def test_nothing_continues_where_columns_changed_or_a_segment_has_no_customers():
    assert naming.match(np.zeros((2, 3)), np.zeros((2, 4))) == [None, None]
    assert naming.match(np.zeros((2, 3)), np.empty((0, 3))) == [None, None]
    assert naming.match(np.array([[np.nan], [1.0]]), np.array([[0.0], [1.0]])) == [None, 1]


def test_names_are_kept_then_overridden_and_stay_different():
    names = naming.final(
        ["over 60 years", "with loan", "no loan"], [None, 0, None], ["no loan"], {"over 60 years": "Pensioners"}
    )
    assert names == ("Pensioners", "no loan", "no loan (2)")
    assert naming.final(["a", "b"], [None, 0], ["Pensioners"], {"a": "Pensioners"}) == ("Pensioners (2)", "Pensioners")


def test_a_new_name_in_the_file_may_be_changed_after_the_segment_has_taken_the_first_one():
    overrides = {"over 60 years": "Seniors"}
    assert naming.final(["over 60 years"], [0], ["Pensioners"], overrides) == ("Seniors",)
    assert naming.final(["with loan"], [0], ["over 60 years"], overrides) == ("Seniors",)
    kept = naming.final(["over 60 years", "with loan"], [0, 1], ["Pensioners", "over 60 years"], overrides)
    assert kept == ("Pensioners", "Seniors")


@RELAXED
@given(st.lists(st.sampled_from(["a", "a (2)", "b"]), min_size=3, max_size=3), st.booleans())
def test_final_names_are_always_different(names, renamed):
    overrides = {"a": "b"} if renamed else {}
    assert len({*naming.final(names, [None, 1, None], ["a", "a (2)"], overrides)}) == 3


def test_overrides_are_read_with_yes_and_no_as_texts(tmp_path):
    file = tmp_path / "names.yaml"
    file.write_text("over 60 years, retired: Rentner über 60\n'no': yes\n", encoding="utf-8")
    assert naming.read_overrides(file) == {"over 60 years, retired": "Rentner über 60", "no": "yes"}
    file.write_text("# nothing yet\n")
    assert naming.read_overrides(file) == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [b", "cannot be read"),
        ("- a\n- b", "old name: new name"),
        ("a: 5", "5 is not a text"),
        ("5: a", "5 is not a text"),
        ("a: {b: c}", "is not a text"),
        ("a:", "None is not a text"),
        ("a: '  '", "is empty"),
        (f"a: {'b' * 61}", "61 characters"),
        ('a: "b\\nc"', "control character"),
        ('a: "b\\u2028c"', "control character"),
        ("a: c\nb: 'c '", "same name: 'c'"),
        ("a: b\na: c", "given twice"),
    ],
)
def test_a_bad_file_of_overrides_is_refused_with_file_and_reason(tmp_path, text, reason):
    file = tmp_path / "names.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadOptionError, match=r"names\.yaml") as caught:
        naming.read_overrides(file)
    assert reason in str(caught.value)


def test_a_file_of_overrides_that_is_not_there_or_not_text_is_refused(tmp_path):
    for content in (None, b"\xff\xfe\x00"):
        file = tmp_path / "names.yaml"
        if content:
            file.write_bytes(content)
        with pytest.raises(BadOptionError, match="cannot be read"):
            naming.read_overrides(file)
