"""The peers of `benchmarks.desk_peers`: two usual ways to put a model behind a web API.

python benchmarks/desk_peer_servers.py fastapi MODEL_DIRECTORY PORT
python benchmarks/desk_peer_servers.py flask MODEL_DIRECTORY PORT DATABASE

Both load the SavedModel in the web process, as the source system does, so that they save the way to a model server.
`fastapi` has a pydantic model for each row, of the request and of the answer. `flask` runs on Waitress and writes each
scored row to PostgreSQL before it answers: one transaction a request, one connection a thread.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

import fastapi
import flask
import psycopg
import pydantic
import tensorflow as tf
import uvicorn
import waitress

THREADS = 8
TABLE = """CREATE TABLE IF NOT EXISTS predictions (id bigserial PRIMARY KEY, time timestamptz DEFAULT now(),
inputs json NOT NULL, probability double precision NOT NULL, purchase integer NOT NULL)"""
INSERT = "INSERT INTO predictions (inputs, probability, purchase) VALUES (%s, %s, %s)"


class Model:
    """A SavedModel that answers rows."""

    def __init__(self, directory: str):
        self._loaded = tf.saved_model.load(directory)
        self._predict = self._loaded.signatures["serving_default"]
        inputs = self._predict.structured_input_signature[1]
        self.types = {name: spec.dtype for name, spec in inputs.items()}

    def __call__(self, columns: dict[str, list]) -> tuple[list[float], list[int]]:
        inputs = {name: tf.constant(columns[name], dtype) for name, dtype in self.types.items()}
        outputs = self._predict(**inputs)
        return outputs["probability"].numpy().tolist(), outputs["purchase"].numpy().tolist()


def fastapi_application(model: Model) -> fastapi.FastAPI:
    fields: dict[str, Any] = {name: (str if dtype == tf.string else float, ...) for name, dtype in model.types.items()}
    customer: Any = pydantic.create_model("Customer", **fields)
    question: Any = pydantic.create_model("Question", instances=(list[customer], ...))

    class Prediction(pydantic.BaseModel):
        probability: float
        purchase: int

    class Answer(pydantic.BaseModel):
        predictions: list[Prediction]

    app = fastapi.FastAPI()

    def score(asked: question) -> Answer:
        rows = [row.model_dump() for row in asked.instances]
        scored = zip(*model({name: [row[name] for row in rows] for name in model.types}), strict=True)
        return Answer(predictions=[Prediction(probability=one, purchase=other) for one, other in scored])

    score.__annotations__ = {"asked": question, "return": Answer}
    app.post("/api/score")(score)
    return app


def flask_application(model: Model, database: str) -> flask.Flask:
    app, mine = flask.Flask(__name__), threading.local()
    with psycopg.connect(database) as connection:
        connection.execute(TABLE)

    @app.post("/api/score")
    def score() -> flask.Response:
        if not hasattr(mine, "connection"):
            mine.connection = psycopg.connect(database)
        rows = flask.request.get_json(force=True)["instances"]
        scored = list(zip(*model({name: [row[name] for row in rows] for name in model.types}), strict=True))
        with mine.connection.transaction(), mine.connection.cursor() as cursor:
            cursor.executemany(INSERT, [(json.dumps(row), *one) for row, one in zip(rows, scored, strict=True)])
        return flask.jsonify(predictions=[{"probability": one, "purchase": other} for one, other in scored])

    return app


def main(kind: str, directory: str, port: str, database: str = "") -> None:
    model = Model(directory)
    if kind == "fastapi":
        uvicorn.run(fastapi_application(model), port=int(port), log_level="warning", access_log=False)
    else:
        waitress.serve(flask_application(model, database), port=int(port), threads=THREADS, _quiet=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
