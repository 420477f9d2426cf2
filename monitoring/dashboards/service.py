"""The dashboard Service: whether the model server works."""

from monitoring.dashboards.builder import (
    GOOD_IS_ONE,
    OF_SERVER,
    SELECTED,
    SHARE,
    STACKED,
    YES_OR_NO,
    Dashboard,
    Panel,
    Row,
    dashed,
    stat,
    thresholds,
)

_ROWS = [
    Row(
        "Health",
        [
            stat(
                "Server answers",
                "Whether the server answers the exporter's status request.",
                "none",
                f"min(model_server_up{{{SELECTED}}})",
                GOOD_IS_ONE,
                alert="ModelServerDown",
                **YES_OR_NO,
            ),
            stat(
                "Golden request",
                "Whether the golden request gets the answer stored with the model.",
                "none",
                f"min(model_server_golden_request_success{{{SELECTED}}})",
                GOOD_IS_ONE,
                alert="ModelGoldenRequestFailing",
                **YES_OR_NO,
            ),
            stat(
                "Serving version",
                "Number of the newest version that serves.",
                "none",
                f"max by (model_name) (model_server_serving_version_number{{{SELECTED}}})",
                thresholds((None, "blue")),
                "{{model_name}}",
                defaults={"decimals": 0},
                alert="ModelPushNotServing",
            ),
            stat(
                "Age of the version",
                "Time since the serving version was written.",
                "s",
                f"time() - max by (model_name) (model_server_serving_version_pushed_timestamp_seconds{{{SELECTED}}})",
                thresholds((None, "blue")),
                "{{model_name}}",
            ),
            stat(
                "Server errors",
                "Share of the requests of the last five minutes that ended in a server error. Client errors do not "
                "count.",
                "percentunit",
                f"max(instance_model:server_error_ratio:rate5m{{{SELECTED}}})",
                thresholds((None, "green"), (0.01, "orange"), (0.05, "red")),
                alert="ModelHighErrorRatio",
            ),
            stat(
                "p95 latency",
                "95th percentile of the time of a prediction in the server over five minutes, without the network.",
                "s",
                f"max(instance_model:prediction_latency_seconds:p95_5m{{{SELECTED}}})",
                thresholds((None, "green"), (0.05, "orange"), (0.1, "red")),
                alert="ModelHighLatency",
            ),
        ],
    ),
    Row(
        "Requests",
        [
            Panel(
                "Rate",
                "Predictions per second, and all requests per second, with status requests.",
                "reqps",
                {
                    "predictions {{instance}}": "sum by (instance) (rate(:tensorflow:serving:request_latency_count"
                    f'{{{SELECTED},API=~"predict|Predict"}}[$__rate_interval]))',
                    "all {{instance}}": "sum by (instance) (rate(:tensorflow:serving:request_count"
                    f"{{{SELECTED}}}[$__rate_interval]))",
                },
                alert="ModelNoTraffic",
            ),
            Panel(
                "Results",
                "Requests per second by TensorFlow Serving's status: OK, client errors such as INVALID_ARGUMENT and "
                "NOT_FOUND, server errors such as INTERNAL and UNAVAILABLE.",
                "reqps",
                {
                    "{{status}}": "sum by (status) (rate(:tensorflow:serving:request_count"
                    f"{{{SELECTED}}}[$__rate_interval]))"
                },
                defaults=STACKED,
            ),
            Panel(
                "Errors",
                "Share of the requests of the last five minutes that ended in a server error or a client error.",
                "percentunit",
                {
                    "server": f"max(instance_model:server_error_ratio:rate5m{{{SELECTED}}})",
                    "client": f"max(instance_model:client_error_ratio:rate5m{{{SELECTED}}})",
                },
                defaults=SHARE,
                alert="ModelHighErrorRatio",
            ),
            Panel(
                "Latency",
                "Quantiles of the time of a prediction in the server over five minutes. The limits of TensorFlow "
                "Serving's buckets grow by a factor of 1.8, so a quantile may be up to 80 % too high.",
                "s",
                {
                    f"p{quantile}": f"max(instance_model:prediction_latency_seconds:p{quantile}_5m{{{SELECTED}}})"
                    for quantile in (50, 95, 99)
                },
                defaults={"min": 0},
                alert="ModelHighLatency",
            ),
            Panel(
                "Latency of all predictions",
                "Number of predictions by the time they took; darker means more.",
                "µs",
                {
                    "{{le}}": "sum by (le) (increase(:tensorflow:serving:request_latency_bucket"
                    f'{{{SELECTED},API=~"predict|Predict"}}[$__rate_interval]))'
                },
                kind="heatmap",
                format="heatmap",
                options={
                    "calculate": False,
                    "yAxis": {"unit": "µs"},
                    "color": {"mode": "scheme", "scheme": "Blues", "steps": 64},
                    "tooltip": {"mode": "single", "yHistogram": True},
                },
            ),
            Panel(
                "Time in the model",
                "p99 of a prediction and p99 of the model's run alone. The difference is JSON and waiting.",
                "s",
                {
                    "prediction p99": f"max(instance_model:prediction_latency_seconds:p99_5m{{{SELECTED}}})",
                    "model p99": f"max(instance_model:run_latency_seconds:p99_5m{{{SELECTED}}})",
                },
                defaults={"min": 0},
            ),
        ],
    ),
    Row(
        "Serving process",
        [
            Panel(
                "Memory",
                "Resident memory (RSS) of the serving process and its limit. It rises for a short time while one "
                "version replaces another.",
                "bytes",
                {
                    "RSS": f"max(model_server_process_resident_memory_bytes{{{OF_SERVER}}})",
                    "limit": f"min(model_server_process_memory_limit_bytes{{{OF_SERVER}}})",
                },
                width=12,
                defaults={"min": 0},
                overrides=[dashed("limit", "red")],
                alert="ModelMemoryNearLimit",
            ),
            Panel(
                "CPU",
                "Cores that the serving process uses.",
                "short",
                {"cores": f"sum(rate(model_server_process_cpu_seconds_total{{{OF_SERVER}}}[$__rate_interval]))"},
                width=6,
                defaults={"min": 0},
            ),
            Panel(
                "Threads and open files",
                "Of the serving process. If one of them rises steadily, there is a leak.",
                "short",
                {
                    "threads": f"max(model_server_process_threads{{{OF_SERVER}}})",
                    "open files": f"max(model_server_process_open_fds{{{OF_SERVER}}})",
                },
                width=6,
                defaults={"min": 0},
            ),
        ],
    ),
    Row(
        "Versions",
        [
            Panel(
                "State of each version",
                "The versions that the server knows, their states, and why a version could not be loaded.",
                "none",
                {"{{model_name}} {{version}} {{state}} {{error_code}}": f"model_server_version_state{{{SELECTED}}}"},
                kind="state-timeline",
                width=12,
                options={"mergeValues": True, "showValue": "never", "legend": {"showLegend": False}},
                defaults={"color": {"mode": "continuous-GrYlRd"}, "custom": {"fillOpacity": 70}},
                alert="ModelPushNotServing",
            ),
            Panel(
                "Loads",
                "Attempts to load a version of the models since the server started, by result.",
                "short",
                {
                    "{{status}}": "sum by (status) (:tensorflow:cc:saved_model:load_attempt_count"
                    '{job=~"$job",instance=~"$instance",model_path=~".+/$model/.+"})'
                },
                width=6,
                defaults={"min": 0, "decimals": 0, "custom": {"lineInterpolation": "stepAfter"}},
                alert="ModelLoadFailed",
            ),
            Panel(
                "Golden request latency",
                "Time of the golden request, measured on the exporter's host.",
                "s",
                {"{{model_name}}": f"max by (model_name) (model_server_golden_request_duration_seconds{{{SELECTED}}})"},
                width=6,
                defaults={"min": 0},
                alert="ModelGoldenRequestFailing",
            ),
        ],
    ),
]


SERVICE = Dashboard(
    "service",
    "model-service",
    "Service",
    "Whether the model server works: requests, latency, errors, memory, versions.",
    _ROWS,
)
