"""The metrics page has TensorFlow Serving's format."""

from __future__ import annotations

from serving.metrics import Metrics


def lines(metrics: Metrics, start: str) -> list[str]:
    return [line for line in metrics.page().decode().splitlines() if line.startswith(start)]


def test_latency_buckets_are_those_of_tensorflow_serving():
    metrics = Metrics()
    metrics.request_latency.observe(150.0, "m", "predict", "REST")
    buckets = lines(metrics, ":tensorflow:serving:request_latency_bucket")
    limits = [line.split('le="')[1].split('"')[0] for line in buckets]
    assert limits[:7] == ["10", "18", "32.4", "58.32", "104.976", "188.957", "340.122"]
    assert limits[-3:] == ["8.19309e+08", "1.47476e+09", "+Inf"]
    assert [int(line.rsplit(" ", 1)[1]) for line in buckets] == [0] * 5 + [1] * 29
    assert lines(metrics, ":tensorflow:serving:request_latency_sum") == [
        ':tensorflow:serving:request_latency_sum{model_name="m",API="predict",entrypoint="REST"} 150'
    ]


def test_a_metric_without_samples_has_its_type_line_and_there_is_no_help():
    page = Metrics().page().decode()
    assert "# TYPE :tensorflow:serving:request_count counter\n" in page
    assert "# HELP" not in page


def test_label_values_are_escaped():
    metrics = Metrics()
    metrics.request_count.add('a"b\\c\nd', "OK")
    assert lines(metrics, ":tensorflow:serving:request_count{") == [
        ':tensorflow:serving:request_count{model_name="a\\"b\\\\c\\nd",status="OK"} 1'
    ]


def test_only_so_many_unknown_names_become_label_values():
    metrics = Metrics()
    labels = [metrics.model_label(f"scan-{number}", {"real": None}) for number in range(100)]
    assert labels[:64] == [f"scan-{number}" for number in range(64)]
    assert set(labels[64:]) == {"_other"}
    assert metrics.model_label("scan-3", {}) == "scan-3"
    assert metrics.model_label("real", {"real": None}) == "real"
    assert metrics.model_label("", {}) == ""


def test_the_process_is_measured():
    metrics = Metrics()
    (resident,) = lines(metrics, "process_resident_memory_bytes{}")
    assert float(resident.split()[1]) > 1e6
    assert lines(metrics, "process_start_time_seconds{}")
