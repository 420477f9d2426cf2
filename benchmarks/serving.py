"""Compares `python -m serving` with a usual hand-made server, in one run on one machine.

    python -m benchmarks.serving [--seconds=4] [--rounds=3]

The model is the one in artifacts/serving, or a stand-in with its signature. The peer is Flask on Waitress with the
same SavedModel (`serving_peer.py`). Client, server and peer share the cores. Rounds alternate between the two servers,
and each ratio is the median over rounds, because other work on the machine moves every figure.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from data import model_folder
from data.model_spec import PURCHASE_MODEL
from data.paths import ARTIFACTS, serving_folder
from tests.support.server import ServerProcess, free_port

HERE = Path(__file__).parent
PUSHED = serving_folder(ARTIFACTS, PURCHASE_MODEL.name)
PATH = f"/v1/models/{PURCHASE_MODEL.name}"
SWAPS = 20
SOAK_REQUESTS = 200_000

BARE_TENSORFLOW = """
import json, sys, time, resource
import tensorflow as tf
print(json.dumps(int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 2**20))
"""
BARE_CALL = """
import json, sys, time
import tensorflow as tf
predict = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
rows = json.load(open(sys.argv[2]))
dtypes = {name: spec.dtype for name, spec in predict.structured_input_signature[1].items()}
inputs = {name: tf.constant([row[name] for row in rows], dtype) for name, dtype in dtypes.items()}
for _ in range(10):
    predict(**inputs)
started, calls = time.perf_counter(), 0
while time.perf_counter() - started < 3:
    predict(**inputs)
    calls += 1
print(json.dumps(calls * len(rows) / (time.perf_counter() - started)))
"""


def model_and_rows(work: Path) -> tuple[Path, list[dict], str]:
    """The folder of a version, 1,000 different rows, and what the model is."""
    newest = model_folder.newest(PUSHED)
    golden = newest and newest.golden_request()
    if newest and golden:
        rows = [{**golden.instances[0], "age": 18.0 + number % 70} for number in range(1000)]
        return newest.path, rows, "the pushed model"
    from tests.support import toy_models  # imports TensorFlow

    toy_models.purchase_model(work / "stand-in")
    return work / "stand-in", [toy_models.row(number) for number in range(1000)], "a stand-in of the same signature"


class Bench:
    """Files and processes of one run."""

    def __init__(self, work: Path):
        self.work = work
        self.model, self.rows, self.about = model_and_rows(work)
        self.single = self.bodies("single", [{"instances": [row]} for row in self.rows])
        self.thousand = self.bodies("thousand", [{"instances": self.rows}])

    def bodies(self, name: str, documents: list[dict]) -> Path:
        path = self.work / f"{name}.json"
        path.write_text(json.dumps([json.dumps(document) for document in documents]))
        return path

    def base_path(self, name: str) -> Path:
        base = self.work / name
        base.mkdir()
        self.push(base, 1)
        return base

    def push(self, base: Path, version: int) -> None:
        staged = base / f"staged-{version}"
        shutil.copytree(self.model, staged)
        staged.rename(base / str(version))

    def serve(self, base: Path) -> ServerProcess:
        flags = [f"--model_base_path={base}", f"--model_name={PURCHASE_MODEL.name}"]
        return ServerProcess(flags, self.work / f"{base.name}.log")

    def serve_peer(self, port: int) -> subprocess.Popen:
        command = [sys.executable, HERE / "serving_peer.py", self.model, str(port)]
        return subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, "CUDA_VISIBLE_DEVICES": ""})

    def start_load(self, port: int, bodies: Path, connections: int, seconds: float, requests: int = 0):
        arguments = [str(port), f"{PATH}:predict", str(bodies), str(connections), str(seconds), str(requests)]
        return subprocess.Popen([sys.executable, HERE / "serving_load.py", *arguments], stdout=subprocess.PIPE)

    def load(self, *arguments) -> dict:
        return json.loads(self.start_load(*arguments).communicate()[0])


def throughput(bench: Bench, seconds: float, rounds: int) -> dict[str, list[dict]]:
    """Figures of alternating rounds, by server and load."""
    figures: dict[str, list[dict]] = {"ours 1": [], "peer 1": [], "ours 1000": [], "peer 1000": []}
    port = free_port()
    peer = bench.serve_peer(port)
    try:
        with bench.serve(bench.base_path("throughput")) as server:
            wait_for_port(bench, port)
            for target in (server.port, port):
                bench.load(target, bench.single, 8, 1)
                bench.load(target, bench.thousand, 2, 1)
            for _ in range(rounds):
                for name, target in (("ours", server.port), ("peer", port)):
                    figures[f"{name} 1"].append(bench.load(target, bench.single, 32, seconds))
                    figures[f"{name} 1000"].append(bench.load(target, bench.thousand, 4, seconds))
    finally:
        peer.kill()
    return figures


def wait_for_port(bench: Bench, port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if bench.load(port, bench.single, 1, 0.1)["requests"]:
                return
        except ValueError:
            time.sleep(0.5)
    raise RuntimeError("the peer did not start")


def median(figures: list[dict], key: str) -> float:
    return statistics.median(figure[key] for figure in figures)


def soak(bench: Bench) -> dict[str, float]:
    """200,000 requests with 20 version swaps among them, then SIGTERM under load."""
    base = bench.base_path("soak")
    failed = 0
    with bench.serve(base) as server:
        at_start = server.resident_mb()
        first = bench.load(server.port, bench.single, 32, 600, 1000)
        after_first = server.resident_mb()
        for version in range(2, SWAPS + 2):
            running = bench.start_load(server.port, bench.single, 32, 600, SOAK_REQUESTS // SWAPS)
            bench.push(base, version)
            result = json.loads(running.communicate()[0])
            failed += result["requests"] - result["statuses"].get("200", 0) + result["cut_off"]
            wait_for_version(server, version)
        after_soak = server.resident_mb()
        draining = bench.start_load(server.port, bench.single, 32, 30)
        time.sleep(2)
        server.terminate()
        drained = json.loads(draining.communicate()[0])
        code = server.process.wait(30)
    return {
        "resident_at_start": at_start,
        "resident_after_first": after_first,
        "resident_after_soak": after_soak,
        "failed": failed + first["cut_off"],
        "drain_requests": drained["requests"],
        "drain_cut_off": drained["cut_off"],
        "exit_code": code,
    }


def wait_for_version(server: ServerProcess, version: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        states = json.loads(server.request("GET", PATH)[1])["model_version_status"]
        if {item["version"]: item["state"] for item in states}.get(str(version)) == "AVAILABLE":
            return
        time.sleep(0.1)
    raise RuntimeError(f"version {version} did not come up")


def in_python(code: str, *arguments: str) -> float:
    """What a piece of code prints in a fresh interpreter."""
    quiet = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-c", code, *arguments], env=quiet, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="of one round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="per server and load (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory))
        rows = Path(directory) / "rows.json"
        rows.write_text(json.dumps(bench.rows))
        figures = throughput(bench, options.seconds, options.rounds)
        bare_rows = in_python(BARE_CALL, str(bench.model), str(rows))
        bare_memory = in_python(BARE_TENSORFLOW)
        soaked = soak(bench)
    table = Table("measure", "bar", "figure", title=f"python -m serving with {bench.about}")
    for row in (*speed_rows(figures, bare_rows), *soak_rows(soaked, bare_memory)):
        table.add_row(*row)
    rates = [figure["per_second"] for figure in figures["ours 1"]]
    console = Console()
    console.print(table)
    console.print(
        f"single-row rounds from {min(rates):,.0f} to {max(rates):,.0f} requests/s; "
        f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )


def speed_rows(figures: dict[str, list[dict]], bare_rows: float) -> list[tuple[str, str, str]]:
    """The table's rows about throughput and latency."""

    def ratio(load: str) -> float:
        pairs = zip(figures[f"ours {load}"], figures[f"peer {load}"], strict=True)
        return statistics.median(ours["per_second"] / peer["per_second"] for ours, peer in pairs)

    ours, peer = figures["ours 1"], figures["peer 1"]
    many, peer_many = figures["ours 1000"], figures["peer 1000"]
    return [
        (
            "1 row, 32 connections",
            "10 x the peer",
            f"{ratio('1'):.1f} x: {median(ours, 'per_second'):,.0f} against "
            f"{median(peer, 'per_second'):,.0f} requests/s",
        ),
        (
            "its p99",
            "below the peer's p50",
            f"{median(ours, 'p99_ms'):.1f} ms (p50 {median(ours, 'p50_ms'):.1f}); "
            f"peer p50 {median(peer, 'p50_ms'):.1f} ms, p99 {median(peer, 'p99_ms'):.1f}",
        ),
        (
            "1,000 rows, 4 connections",
            "5 x the peer",
            f"{ratio('1000'):.1f} x: {1000 * median(many, 'per_second'):,.0f} against "
            f"{1000 * median(peer_many, 'per_second'):,.0f} rows/s; the bare TensorFlow call alone {bare_rows:,.0f}",
        ),
    ]


def soak_rows(soaked: dict[str, float], bare_memory: float) -> list[tuple[str, str, str]]:
    """The table's rows about version swaps, memory and the end of the server."""
    growth = soaked["resident_after_soak"] / soaked["resident_after_first"] - 1
    return [
        (f"{SWAPS} swaps under load", "0 failed", f"{soaked['failed']} failed"),
        (
            "memory above import tensorflow",
            "150 MB",
            f"{soaked['resident_at_start'] - bare_memory:.0f} MB at start, "
            f"{soaked['resident_after_first'] - bare_memory:.0f} after 1,000 requests",
        ),
        (
            f"memory after {SOAK_REQUESTS:,} requests and {SWAPS} swaps",
            "+10 %",
            f"{growth:+.1%} ({soaked['resident_after_first']:.0f} to {soaked['resident_after_soak']:.0f} MB)",
        ),
        (
            "SIGTERM under load",
            "0 cut off, exit 0",
            f"{soaked['drain_cut_off']} of {soaked['drain_requests']:,} cut off, exit {soaked['exit_code']}",
        ),
    ]


if __name__ == "__main__":
    main()
