"""The stages that every model shares."""

from __future__ import annotations

import pytest
from tfx.components import StatisticsGen

from data import contract as contracts
from pipeline.environment import Environment
from pipeline.graphs.data import checked_data
from pipeline.settings import TrainingData


def test_what_is_asked_of_the_rows_reaches_their_ingestion(tmp_path):
    def settings(**changes) -> str:
        data = TrainingData(tmp_path / "customers.csv", contracts.load("fundfusion"), **changes)
        environment = Environment("bank", str(tmp_path / "artifacts"), str(tmp_path / "serving"))
        return checked_data(data, environment).components[0].exec_properties["custom_config"]

    different = [settings(), settings(quarantine=True), settings(last_row=True)]
    assert len(set(different)) == len(different)


@pytest.mark.parametrize(("flags", "stock"), [((), False), (("--runner=FlinkRunner",), True)])
def test_statistics_are_computed_by_beam_on_an_engine_alone(tmp_path, flags, stock):
    data = TrainingData(tmp_path / "customers.csv", contracts.load("fundfusion"))
    environment = Environment("bank", str(tmp_path / "a"), str(tmp_path / "s"), beam_args=flags)
    (statistics,) = [one for one in checked_data(data, environment).components if one.id == "StatisticsGen"]
    assert isinstance(statistics, StatisticsGen) == stock
