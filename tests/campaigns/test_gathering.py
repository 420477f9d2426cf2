"""Small requests share requests to the model server, and each gets its own answer."""

from __future__ import annotations

import asyncio

from campaigns import gathering
from campaigns.gathering import Gathering
from campaigns.request_rows import Rows
from data.errors import RefusedError, ServiceError


class Model:
    """Answers each number with its double, in its own time; notes the rows of each request."""

    def __init__(self):
        self.requests: list[list[float]] = []
        self.under_way = self.most_under_way = 0

    async def __call__(self, columns, has_nan):
        self.requests.append(list(columns["x"]))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0.01)
        self.under_way -= 1
        if -1.0 in columns["x"]:
            raise RefusedError("no row is below zero")
        if -2.0 in columns["x"]:
            raise ServiceError("the model server is down")
        return {"double": [2 * value for value in columns["x"]]}


def rows(*values: float) -> Rows:
    return Rows({"x": list(values)}, [None] * len(values), {}, False)


def ask_all(model: Model, *requests: Rows) -> list:
    async def main():
        ask = Gathering(model)
        return await asyncio.gather(*map(ask, requests), return_exceptions=True)

    return asyncio.run(main())


def test_each_request_gets_the_answers_of_its_rows():
    model = Model()
    requests = [rows(*range(start, start + 1 + start % 3)) for start in range(100)]
    answers = ask_all(model, *requests)
    assert answers == [{"double": [2 * value for value in one.columns["x"]]} for one in requests]
    assert len(model.requests) < 10
    assert model.most_under_way <= gathering.UNDER_WAY


def test_a_request_alone_goes_at_once():
    model = Model()
    assert ask_all(model, rows(1.0, 2.0)) == [{"double": [2.0, 4.0]}]
    assert model.requests == [[1.0, 2.0]]


def test_a_request_to_the_server_has_no_more_rows_than_it_gathers_itself(monkeypatch):
    monkeypatch.setattr(gathering, "MOST_GATHERED", 4)
    model = Model()
    ask_all(model, *(rows(1.0, 2.0, 3.0) for _ in range(10)))
    assert max(map(len, model.requests)) == 3


def test_rows_that_are_refused_do_not_spoil_those_of_others():
    good, bad, other = ask_all(Model(), *[rows(1.0)] * 5, rows(-1.0), rows(3.0))[-3:]
    assert (good, other) == ({"double": [2.0]}, {"double": [6.0]})
    assert isinstance(bad, RefusedError)


def test_a_server_that_is_down_is_said_to_all():
    answers = ask_all(Model(), *[rows(-2.0)] * 8)
    assert [str(one) for one in answers] == ["the model server is down"] * 8
    assert len({id(one) for one in answers}) == 8


def test_whoever_goes_away_takes_no_answer_from_the_others():
    async def main():
        ask = Gathering(Model())
        tasks = [asyncio.create_task(ask(rows(float(value)))) for value in range(8)]
        await asyncio.sleep(0.005)
        tasks[5].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    answers = asyncio.run(main())
    assert isinstance(answers.pop(5), asyncio.CancelledError)
    assert [one["double"] for one in answers] == [[2.0 * value] for value in (0, 1, 2, 3, 4, 6, 7)]


def test_it_goes_on_after_it_was_idle():
    async def main():
        model = Model()
        ask = Gathering(model)
        for _ in range(3):
            assert await ask(rows(1.0)) == {"double": [2.0]}
        return model.requests

    assert asyncio.run(main()) == [[1.0]] * 3


def test_a_request_that_comes_in_the_moment_in_which_all_others_are_answered_is_answered_too():
    async def main():
        loop = asyncio.get_running_loop()
        answers = [loop.create_future() for _ in range(gathering.UNDER_WAY)]
        pending = iter(answers)

        async def model(columns, has_nan):
            if (answer := next(pending, None)) is not None:
                await answer
            return columns

        ask, comes = Gathering(model), loop.create_future()

        async def last():
            await comes
            return await ask(rows(3.0))

        others = []
        for number in range(gathering.UNDER_WAY):
            others.append(asyncio.create_task(ask(rows(float(number)))))
            await asyncio.sleep(0.01)
        others.append(asyncio.create_task(last()))
        await asyncio.sleep(0.01)
        for future in (*answers, comes):
            future.set_result(None)
        return await asyncio.wait_for(asyncio.gather(*others), 5)

    assert asyncio.run(main()) == [{"x": [0.0]}, {"x": [1.0]}, {"x": [3.0]}]
