"""The stages that every model shares."""

from __future__ import annotations

from data import contract as contracts
from pipeline.graphs.data import checked_data
from pipeline.settings import TrainingData


def test_what_is_asked_of_the_rows_reaches_their_ingestion(tmp_path):
    def settings(**changes) -> str:
        data = TrainingData(tmp_path / "customers.csv", contracts.load("fundfusion"), **changes)
        return checked_data(data).components[0].exec_properties["custom_config"]

    different = [settings(), settings(quarantine=True), settings(last_row=True)]
    assert len(set(different)) == len(different)
