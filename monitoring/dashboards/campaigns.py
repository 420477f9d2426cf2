"""The dashboard Campaigns: whether the campaign desk works, and what the calls brought."""

from typing import Any

from monitoring.dashboards.builder import (
    GOOD_IS_ONE,
    STACKED,
    YES_OR_NO,
    Dashboard,
    Marks,
    Panel,
    Row,
    Variable,
    dashed,
    stat,
    thresholds,
)

_OF_DESK = 'job=~"$job",instance=~"$instance"'
"""Label matchers of queries about the desk."""
_ANSWERS = f'{_OF_DESK},route!~"/metrics|/livez|/readyz"'
"""The same of requests of people and programs, without those that only watch the desk."""
_OF_MONTHS = f'{_OF_DESK},model=~"$model",version=~"$version"'
"""Label matchers of queries about what calls brought."""
_MONTH = "{{month}}, version {{version}}"
_SAME = "max by (model, version, month)"

_IN_SELECTION = "model ~ '^(${model:regex})$' AND version ~ '^(${version:regex})$'"
"""The choice of models and versions in SQL; all of them are `.+`."""


def _in_log(value: str) -> str:
    """SQL of a value of the request log by hour and version."""
    return (
        f"SELECT date_trunc('hour', time) AS time, model || ' ' || version AS metric, {value} AS value "
        f"FROM request_log WHERE $__timeFilter(time) AND {_IN_SELECTION} GROUP BY 1, 2 ORDER BY 1, 2"
    )


def _figure(path: str) -> str:
    """SQL of a figure of the calls with known outcomes in the table `performance`."""
    return f"(figures #>> '{{together,{path}}}')::float8"


def _unit(columns: str, unit: str) -> dict[str, Any]:
    """An override of the unit of some columns of a table, by a regular expression."""
    return {"matcher": {"id": "byRegexp", "options": f"/^({columns})$/"}, "properties": [{"id": "unit", "value": unit}]}


_PERFORMANCE = (
    "SELECT month, model, version, "
    f"{_figure('realised,calls')} AS calls, "
    f'{_figure("realised,probability")} AS "expected rate", '
    f'{_figure("realised,rate,value")} AS "realised rate", '
    f'{_figure("realised,rate,low")} AS "from", '
    f'{_figure("realised,rate,high")} AS "to", '
    f'{_figure("auc,value")} AS "AUC", '
    f'{_figure("ece,value")} AS "ECE", '
    f'{_figure("realised,expected_profit,value")} AS "expected profit", '
    f'{_figure("realised,profit")} AS "realised profit", '
    "computed "
    f"FROM performance WHERE {_IN_SELECTION} ORDER BY month DESC, model, version"
)

_ROWS = [
    Row(
        "Health",
        [
            stat(
                "Desk answers",
                "Whether Prometheus can scrape the desk.",
                "none",
                f"min(up{{{_OF_DESK}}})",
                GOOD_IS_ONE,
                alert="CampaignsDeskDown",
                **YES_OR_NO,
            ),
            stat(
                "Database answers",
                "Whether the desk can read its database.",
                "none",
                f"min(campaigns_database_up{{{_OF_DESK}}})",
                GOOD_IS_ONE,
                alert="CampaignsDatabaseDown",
                **YES_OR_NO,
            ),
            stat(
                "Server errors",
                "Share of the requests that end in an error of the desk (5xx).",
                "percentunit",
                f'(sum(rate(campaigns_requests_total{{{_ANSWERS},status=~"5.."}}[$__rate_interval])) or vector(0)) '
                f"/ (sum(rate(campaigns_requests_total{{{_ANSWERS}}}[$__rate_interval])) > 0 or vector(1))",
                thresholds((None, "green"), (0.01, "orange"), (0.05, "red")),
                alert="CampaignsHighErrorRatio",
            ),
            stat(
                "Rows of the log that wait",
                "Scored customers that are not yet in the request log, nor in its spool on disk.",
                "short",
                f"sum(campaigns_request_log_queued{{{_OF_DESK}}})",
                thresholds((None, "green"), (1000, "orange"), (100_000, "red")),
                defaults={"decimals": 0},
                alert="CampaignsLogBehind",
            ),
            stat(
                "Since the last outcome",
                "Time since the last upload of outcomes.",
                "s",
                f"time() - max(campaigns_last_outcome_timestamp_seconds{{{_OF_DESK}}})",
                thresholds((None, "blue")),
                alert="CampaignsNoOutcomes",
            ),
            stat(
                "Memory",
                "Resident memory (RSS) of the desk.",
                "bytes",
                f"max(process_resident_memory_bytes{{{_OF_DESK}}})",
                thresholds((None, "green"), (600 * 2**20, "orange")),
                defaults={"decimals": 0},
            ),
        ],
    ),
    Row(
        "Lists",
        [
            Panel(
                "Lists by state",
                "Campaigns by the state of their list.",
                "short",
                {"{{state}}": f"sum by (state) (campaigns_lists{{{_OF_DESK}}})"},
                defaults={**STACKED, "min": 0, "decimals": 0},
            ),
            Panel(
                "Customers scored",
                "Customers per second that the desk had scored, in lists and in requests of the API.",
                "short",
                {"{{source}}": f"sum by (source) (rate(campaigns_rows_scored_total{{{_OF_DESK}}}[$__rate_interval]))"},
                defaults=STACKED,
            ),
            Panel(
                "Oldest call list without outcomes",
                "Time since the freeze of the oldest call list without a known outcome. Empty where there is none.",
                "s",
                {
                    "{{instance}}": "time() - max by (instance) "
                    f"(campaigns_oldest_list_without_outcomes_timestamp_seconds{{{_OF_DESK}}})"
                },
                defaults={"min": 0},
                alert="CampaignsNoOutcomes",
            ),
        ],
    ),
    Row(
        "Requests",
        [
            Panel(
                "Rate by route",
                "Requests per second to each page and address of the API.",
                "reqps",
                {"{{route}}": f"sum by (route) (rate(campaigns_requests_total{{{_ANSWERS}}}[$__rate_interval]))"},
                width=12,
                defaults=STACKED,
            ),
            Panel(
                "Errors by route",
                "Requests per second that end in a client error (4xx) or an error of the desk (5xx).",
                "reqps",
                {
                    "{{status}} {{route}}": "sum by (status, route) "
                    f'(rate(campaigns_requests_total{{{_ANSWERS},status=~"[45].."}}[$__rate_interval]))'
                },
                width=12,
                defaults=STACKED,
                alert="CampaignsHighErrorRatio",
            ),
            *(
                Panel(
                    f"{title} by route",
                    f"{text} of the time until an answer begins. The upload of a long list takes long.",
                    "s",
                    {
                        "{{route}}": f"histogram_quantile({quantile}, sum by (route, le) "
                        f"(rate(campaigns_request_seconds_bucket{{{_ANSWERS}}}[$__rate_interval])))"
                    },
                    width=12,
                    defaults={"min": 0},
                    alert="CampaignsHighLatency",
                )
                for title, text, quantile in (
                    ("Median latency", "Median", 0.5),
                    ("p99 latency", "99th percentile", 0.99),
                )
            ),
        ],
    ),
    Row(
        "Request log and process",
        [
            Panel(
                "Rows written and lost",
                "Rows per second that came into the database, and those lost because neither the queue nor the spool "
                "took them.",
                "short",
                {
                    "written": f"sum(rate(campaigns_request_log_written_total{{{_OF_DESK}}}[$__rate_interval]))",
                    "lost": f"sum(rate(campaigns_request_log_dropped_total{{{_OF_DESK}}}[$__rate_interval]))",
                },
                width=6,
                defaults={"min": 0},
                alert="CampaignsLogRowsDropped",
            ),
            Panel(
                "Rows in the queue",
                "Rows that are neither in the database nor in the spool.",
                "short",
                {"{{instance}}": f"max by (instance) (campaigns_request_log_queued{{{_OF_DESK}}})"},
                width=6,
                defaults={"min": 0, "decimals": 0},
                alert="CampaignsLogBehind",
            ),
            Panel(
                "Spool on disk",
                "Size of the rows that wait on disk until the database is back.",
                "bytes",
                {"{{instance}}": f"max by (instance) (campaigns_request_log_spooled_bytes{{{_OF_DESK}}})"},
                width=6,
                defaults={"min": 0},
                alert="CampaignsLogBehind",
            ),
            Panel(
                "CPU",
                "Cores that the desk uses, without the process that writes the request log.",
                "short",
                {"{{instance}}": f"rate(process_cpu_seconds_total{{{_OF_DESK}}}[$__rate_interval])"},
                width=6,
                defaults={"min": 0},
            ),
        ],
    ),
    Row(
        "What the calls brought, by month of the freeze and version of the model",
        [
            Panel(
                "Realised against expected rate",
                "Share of buyers among the calls with known outcomes, what the model expected, and the interval in "
                "which the realised share lies if the probabilities hold.",
                "percentunit",
                {
                    f"realised {_MONTH}": f"{_SAME} (campaigns_realised_rate{{{_OF_MONTHS}}})",
                    f"expected {_MONTH}": f"{_SAME} (campaigns_expected_rate{{{_OF_MONTHS}}})",
                    f"lower line {_MONTH}": f"{_SAME} (campaigns_expected_rate_low{{{_OF_MONTHS}}})",
                    f"upper line {_MONTH}": f"{_SAME} (campaigns_expected_rate_high{{{_OF_MONTHS}}})",
                },
                width=12,
                height=10,
                overrides=[dashed("(lower|upper) line.*", "text")],
                defaults={"min": 0},
                alert="CampaignsRateOutsideInterval",
            ),
            Panel(
                "Interval of the realised rate",
                "Wilson interval of the share of buyers among the calls.",
                "percentunit",
                {
                    f"from, {_MONTH}": f"{_SAME} (campaigns_realised_rate_low{{{_OF_MONTHS}}})",
                    f"to, {_MONTH}": f"{_SAME} (campaigns_realised_rate_high{{{_OF_MONTHS}}})",
                },
                width=6,
                height=10,
                defaults={"min": 0},
            ),
            Panel(
                "Calls",
                "Calls with known outcomes.",
                "short",
                {_MONTH: f"{_SAME} (campaigns_calls{{{_OF_MONTHS}}})"},
                width=6,
                height=10,
                defaults={"min": 0, "decimals": 0},
            ),
            Panel(
                "Profit",
                "Profit of the calls with known outcomes, and what the model expected of them.",
                "currencyEUR",
                {
                    f"realised {_MONTH}": f"{_SAME} (campaigns_realised_profit_euros{{{_OF_MONTHS}}})",
                    f"expected line {_MONTH}": f"{_SAME} (campaigns_expected_profit_euros{{{_OF_MONTHS}}})",
                },
                overrides=[dashed("expected line.*", "text")],
            ),
            Panel(
                "AUC",
                "Chance that a buyer among the calls had a higher probability than a customer who did not buy. It is "
                "lower than on a whole list, since the calls went to the best-scored customers.",
                "none",
                {_MONTH: f"{_SAME} (campaigns_auc{{{_OF_MONTHS}}})"},
                defaults={"max": 1},
            ),
            Panel(
                "Calibration",
                "Expected calibration error and Brier score of the calls.",
                "none",
                {
                    f"ECE {_MONTH}": f"{_SAME} (campaigns_ece{{{_OF_MONTHS}}})",
                    f"Brier {_MONTH}": f"{_SAME} (campaigns_brier{{{_OF_MONTHS}}})",
                },
                defaults={"min": 0},
            ),
        ],
    ),
    Row(
        "In the database",
        [
            Panel(
                "Scored customers per hour",
                "Rows of the request log by hour and version: customers of lists and of requests.",
                "short",
                {"": _in_log("count(*)")},
                width=12,
                defaults={"custom": {"drawStyle": "bars", "fillOpacity": 60}, "min": 0, "decimals": 0},
                language="sql",
            ),
            Panel(
                "Mean probability",
                "Mean probability of the customers scored in an hour, by version.",
                "percentunit",
                {"": _in_log("avg(probability)")},
                width=12,
                defaults={"min": 0, "custom": {"showPoints": "always"}},
                language="sql",
            ),
            Panel(
                "Performance",
                "The stored figures of the calls with known outcomes, by month of the freeze and version.",
                "none",
                {"": _PERFORMANCE},
                kind="table",
                width=24,
                overrides=[
                    _unit(".*rate|from|to|ECE", "percentunit"),
                    _unit(".*profit", "currencyEUR"),
                    _unit("computed", "dateTimeAsIso"),
                ],
                format="table",
                language="sql",
            ),
        ],
    ),
]


CAMPAIGNS = Dashboard(
    "campaigns",
    "campaigns",
    "Campaigns",
    "Whether the campaign desk works: lists, requests, request log; and what the calls brought against what was "
    "expected.",
    _ROWS,
    variables=(
        Variable("job", 'label_values(up{job=~"campaign-.+"}, job)', "campaign-.+"),
        Variable("instance", 'label_values(up{job=~"$job"}, instance)'),
        Variable("model", 'label_values(campaigns_calls{job=~"$job",instance=~"$instance"}, model)'),
        Variable("version", 'label_values(campaigns_calls{job=~"$job",instance=~"$instance"}, version)'),
    ),
    marks=(
        Marks(
            "Outcomes",
            f"changes(campaigns_last_outcome_timestamp_seconds{{{_OF_DESK}}}[$__rate_interval]) > 0",
            "Outcomes were recorded",
        ),
    ),
)
