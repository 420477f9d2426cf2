"""Which rows are followed by another row of the same customer."""

import functools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data import reader
from data.contract import Contract, Role
from data.csv_parts import divide_all
from modules.repeats import repeated_rows


def shop(*identifiers, trim=False):
    return Contract.model_validate(
        {
            "name": "shop",
            "title": "Shop",
            "source": {"trim": trim},
            "identifiers": identifiers,
            "numeric": {"n": {"unit": "euros", "min": 0, "max": 9}},
        }
    )


@pytest.fixture
def write(tmp_path):
    def write(*files):
        """Files of rows under a header, in order."""
        paths = []
        for number, text in enumerate(files):
            paths.append(tmp_path / f"{number}.csv")
            paths[-1].write_text(text, encoding="utf-8", newline="")
        return paths

    return write


def marked(files, contract):
    return [part.tolist() for part in repeated_rows(divide_all(files, contract, Role.TRAINING), contract)]


def test_a_row_is_marked_if_any_later_row_of_any_file_has_its_identifiers(write):
    files = write("id,n\nA,1\nB,1\nA,1\n", "n,id\r\n1,C\r\n1,A\r\n")
    assert marked(files, shop("id")) == [[True, False, True], [False, False]]


def test_all_identifiers_together_name_the_customer(write):
    files = write("branch,id,n\n1,A,1\n2,A,1\nA,1,1\n1A,,1\n,1A,1\n1,A,1\n")
    assert marked(files, shop("branch", "id")) == [[True, False, False, False, False, False]]
    assert marked(files, shop("id", "branch")) == [[True, False, False, False, False, False]]


def test_rows_without_identifiers_are_customers_of_their_own(write):
    files = write('branch,id,n\n,,1\n,,1\n" ",,1\n" ",,1\nX,,1\nX,,1\n')
    assert marked(files, shop("branch", "id")) == [[False, False, False, False, True, False]]


def test_a_row_that_cannot_be_read_is_no_later_row(write):
    files = write("id,n\nA,1\nA,one\nB,1\n", "id,n\nB,\nC,1\n")
    assert marked(files, shop("id")) == [[False, False], [False]]


def test_trimmed_identifiers_are_the_same_customer(write):
    files = write('id,n\nA,1\n A ,1\n"A",1\n')
    assert marked(files, shop("id", trim=True)) == [[True, True, False]]
    assert marked(files, shop("id")) == [[True, False, False]]


IDENTIFIER = st.one_of(st.sampled_from(["", "1", "2", "A", "é"]), st.text("ab1 é", max_size=4))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.lists(
        st.lists(st.tuples(IDENTIFIER, IDENTIFIER, st.sampled_from("123x")), min_size=1, max_size=25),
        min_size=1,
        max_size=4,
    ),
    block_bytes=st.sampled_from([20, 60, 1 << 20]),
)
def test_the_rows_marked_are_those_of_a_plain_dictionary(write, files, block_bytes):
    paths = write(*("\n".join(["id,n,branch", *(f"{i},{n},{b}" for i, b, n in rows)]) + "\n" for rows in files))
    good = [(file, i, b) for file, rows in enumerate(files) for i, b, n in rows if n != "x"]
    last = {(i, b): place for place, (_, i, b) in enumerate(good)}
    expected = [[] for _ in files]
    for place, (file, i, b) in enumerate(good):
        expected[file].append(bool((i + b).strip(" ")) and last[i, b] != place)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "read", functools.partial(reader.read, block_bytes=block_bytes))
        assert marked(paths, shop("id", "branch")) == expected


def test_a_hundred_thousand_customers_are_told_apart(write):
    names = [f"{number:08d}" for number in range(100_000)]
    np.random.default_rng(0).shuffle(names)
    files = write("id,n\n" + "".join(f"{name},1\n" for name in [*names, names[0]]))
    (found,) = repeated_rows(divide_all(files, shop("id"), Role.TRAINING), shop("id"))
    assert np.flatnonzero(found).tolist() == [0]
