"""The server answers as TensorFlow Serving's contract says, case by case."""

from __future__ import annotations

import os

import pytest

from tests.serving import conformance

CASES = conformance.load_cases()


def parameter(case):
    """Cases for another server than the main one cost a start of their own."""
    marks = () if case.get("server", "main") == "main" else pytest.mark.e2e
    return pytest.param(case, id=case["id"], marks=marks)


@pytest.mark.parametrize("case", map(parameter, CASES))
def test_case(case, start_server):
    outcome = conformance.run_case(case, start_server(case.get("server", "main")).url)
    assert not outcome.problems


def test_the_shared_cases_take_part():
    if not conformance.SHARED_CASES.is_file():
        if os.environ.get("CI"):
            pytest.fail(f"{conformance.SHARED_CASES} is absent")
        pytest.skip(f"{conformance.SHARED_CASES} is absent; only the cases of this repository were run")
    assert len(CASES) > 180
