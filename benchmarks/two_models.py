"""The purchase model and the segment model in one server: each alone, and both side by side.

    python -m benchmarks.two_models [--artifacts=FOLDER] [--seconds=4] [--rounds=5]

Both models must have been pushed. Rounds alternate, and each ratio is the median over rounds, because other work on the
machine moves every figure. Each of the two loads has eight connections that ask about one row at a time.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from data import model_folder
from data.model_spec import PURCHASE_MODEL, SEGMENT_MODEL
from data.paths import ARTIFACTS, serving_folder
from tests.support.server import ServerProcess

LOAD = Path(__file__).parent / "serving_load.py"
CONNECTIONS = 8
MODELS = (PURCHASE_MODEL.name, SEGMENT_MODEL.name)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.two_models", description=__doc__.splitlines()[0])
    parser.add_argument("--artifacts", type=Path, default=ARTIFACTS, help="where both models were pushed")
    parser.add_argument("--seconds", type=float, default=4.0, help="of one load, default %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="default %(default)s")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        bodies = {model: _prepare(options.artifacts, model, work) for model in MODELS}
        with ServerProcess([], work / "log", cwd=work) as server:
            rounds = [_round(server.port, bodies, options.seconds) for _ in range(options.rounds + 1)][1:]
    for name, figure in {
        "segment model alone / purchase model alone": lambda r: r[MODELS[1]] / r[MODELS[0]],
        "purchase model beside the segment model / alone": lambda r: r[f"{MODELS[0]} beside"] / r[MODELS[0]],
        "segment model beside the purchase model / alone": lambda r: r[f"{MODELS[1]} beside"] / r[MODELS[1]],
    }.items():
        ratios = [figure(r) for r in rounds]
        sys.stdout.write(f"{name}: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})\n")
    alone = {model: statistics.median(r[model] for r in rounds) for model in MODELS}
    sys.stdout.write(f"requests/s alone: {', '.join(f'{model} {rate:,.0f}' for model, rate in alone.items())}\n")


def _prepare(artifacts: Path, model: str, work: Path) -> Path:
    """Copies the newest version to where a server looks, and writes request bodies of one row each."""
    newest = model_folder.newest(serving_folder(artifacts, model))
    golden = newest and newest.golden_request()
    if newest is None or golden is None:
        raise SystemExit(f"no version of {model} in {artifacts}; push one first")
    shutil.copytree(newest.path, serving_folder(work / "artifacts", model) / newest.path.name)
    (row,) = golden.instances
    number = next(name for name, value in row.items() if isinstance(value, float | int))
    rows = [{**row, number: 20.0 + step % 50} for step in range(500)]
    file = work / f"{model}.json"
    file.write_text(json.dumps([json.dumps({"instances": [row]}) for row in rows]))
    return file


def _round(port: int, bodies: dict[str, Path], seconds: float) -> dict[str, float]:
    """Requests per second of each model alone, and of both at once."""
    rates = {model: _rates(port, {model: bodies[model]}, seconds)[model] for model in MODELS}
    return rates | {f"{model} beside": rate for model, rate in _rates(port, bodies, seconds).items()}


def _rates(port: int, bodies: dict[str, Path], seconds: float) -> dict[str, float]:
    loads = {
        model: subprocess.Popen(
            [
                *(sys.executable, LOAD, str(port), f"/v1/models/{model}:predict"),
                *(str(file), str(CONNECTIONS), str(seconds)),
            ],
            stdout=subprocess.PIPE,
        )
        for model, file in bodies.items()
    }
    results = {model: json.loads(load.communicate()[0]) for model, load in loads.items()}
    for model, result in results.items():
        if set(result["statuses"]) != {"200"}:
            raise SystemExit(f"{model}: responses {result['statuses']}")
    return {model: result["per_second"] for model, result in results.items()}


if __name__ == "__main__":
    main()
