"""tf.Examples are read back as the columns that were written, with a label or without."""

import numpy as np
import pytest
import tensorflow as tf

from data import contract as contracts
from modules.examples import read_raw
from tests.support.training import write_examples

CONTRACT = contracts.load("bank-full")


@pytest.fixture
def file(tmp_path):
    """Two customers on two days: the second has no age and no job."""
    first = {
        "age": tf.train.Feature(float_list=tf.train.FloatList(value=[40.0])),
        "job": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"management"])),
        "y": tf.train.Feature(int64_list=tf.train.Int64List(value=[1])),
        "call_day": tf.train.Feature(int64_list=tf.train.Int64List(value=[14_004])),
    }
    second = {
        "y": tf.train.Feature(int64_list=tf.train.Int64List(value=[0])),
        "call_day": tf.train.Feature(int64_list=tf.train.Int64List(value=[14_005])),
    }
    with tf.io.TFRecordWriter(str(tmp_path / "rows.gz"), "GZIP") as writer:
        for feature in (first, second):
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    return str(tmp_path / "*")


def test_columns_and_label_are_read_and_absent_cells_are_missing(file):
    columns = read_raw([file], CONTRACT, ["age", "job"])
    np.testing.assert_array_equal(columns["age"], np.array([40.0, np.nan], np.float32))
    assert columns["job"].tolist() == [b"management", b""]
    assert columns["y"].tolist() == [1, 0]
    assert columns["call_day"].tolist() == [14_004, 14_005]


def test_without_a_label_in_the_contract_none_is_read(file):
    undated = {"call_date": None, "derived": None}
    columns = read_raw([file], CONTRACT.model_copy(update={"label": None, **undated}), ["age", "job"])
    assert list(columns) == ["age", "job"]


def test_a_text_takes_a_byte_and_rows_can_be_taken(file):
    columns = read_raw([file], CONTRACT, ["age", "job"])
    assert columns.cells["job"].dtype == np.uint8
    assert columns.rows == 2
    second = columns.take(np.array([1]))
    assert (second["job"].tolist(), second["y"].tolist()) == ([b""], [0])
    older = columns.replaced({"age": np.array([41.0, 42.0], np.float32)})
    assert older["age"].tolist() == [41.0, 42.0]
    assert older["job"].tolist() == columns["job"].tolist()


def test_a_text_that_the_contract_lacks_is_named(tmp_path):
    rows = {"job": np.array([b"ontslagnemer"], object), "y": np.array([1]), "call_day": np.array([14_004])}
    write_examples(tmp_path / "rows", rows)
    with pytest.raises(ValueError, match="column job: the contract has no value 'ontslagnemer'"):
        read_raw([str(tmp_path / "rows")], CONTRACT, ["job"])
