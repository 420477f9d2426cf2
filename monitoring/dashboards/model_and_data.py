"""The dashboard Model and data: whether recent customers are like those the model learned from."""

from monitoring.dashboards.builder import (
    DECISIONS,
    DEPLOYS,
    FROM_SOURCE,
    OF_MODELS,
    SELECTED,
    SHARE,
    STACKED,
    YES_OR_NO,
    Dashboard,
    Panel,
    Row,
    Variable,
    dashed,
    stat,
    thresholds,
)

_BARS = {"orientation": "horizontal", "displayMode": "basic", "reduceOptions": {"calcs": ["lastNotNull"]}}

_OF_SEGMENTS = f"and on (job, instance, model_name) model_segment_ratio{{{SELECTED}}}"
"""Keeps the series of segment models."""

_ROWS = [
    Row(
        "Quality of the served version on its test split",
        [
            *(
                stat(
                    title,
                    description,
                    unit,
                    f'max(model_quality{{{SELECTED},metric="{metric}"}})',
                    thresholds((None, "blue")),
                    defaults={"decimals": 3},
                )
                for title, description, unit, metric in (
                    ("Accuracy", "Share of right answers at a threshold of 0.5.", "percentunit", "accuracy"),
                    (
                        "Majority",
                        "Accuracy of always predicting the more frequent label.",
                        "percentunit",
                        "majority_accuracy",
                    ),
                    ("AUC", "Chance that a positive row scores above a negative one.", "none", "auc"),
                    ("PR-AUC", "Area under precision over recall.", "none", "pr_auc"),
                    (
                        "Calibration error",
                        "Mean difference between score and label rate (ECE).",
                        "percentunit",
                        "ece",
                    ),
                )
            ),
            stat(
                "Real data",
                "Whether the version learned from real customers, not from the synthetic sample.",
                "none",
                f'1 - max(model_training_info{{{SELECTED},synthetic="true"}} or 0 * model_training_info{{{SELECTED}}})',
                thresholds((None, "orange"), (1, "green")),
                **YES_OR_NO,
            ),
        ],
    ),
    Row(
        "Champion, challenger and training",
        [
            stat(
                "Champion",
                "Number of the version with the label stable, which scores campaigns. Requests without a label go to "
                "the challenger while there is one.",
                "none",
                f"max(model_champion_version_number{{{SELECTED}}})",
                thresholds((None, "blue")),
                defaults={"decimals": 0},
            ),
            stat(
                "Challenger",
                "Number of the version on trial, with the label canary.",
                "none",
                f"max(model_challenger_version_number{{{SELECTED}}})",
                thresholds((None, "text"), (1, "orange")),
                defaults={"decimals": 0, "mappings": [{"type": "value", "options": {"0": {"text": "none"}}}]},
            ),
            stat(
                "Since the last training",
                "Time since a training ended with a model, whether it was promoted or refused.",
                "s",
                f"time() - max(model_schedule_last_training_timestamp_seconds{{{SELECTED}}})",
                thresholds((None, "green"), (40 * 86_400, "orange")),
                alert="ModelRetrainingOverdue",
            ),
            stat(
                "Newest month",
                "The newest month with labelled calls.",
                "dateTimeAsIso",
                f"1000 * max(model_spans_newest_month_timestamp_seconds{{{SELECTED}}})",
                thresholds((None, "blue")),
                alert="ModelSpanMissing",
            ),
            stat(
                "Months set aside",
                "Months whose labels are not believed. They wait for a person.",
                "none",
                f"max(model_spans_set_aside{{{SELECTED}}})",
                thresholds((None, "green"), (1, "orange")),
                defaults={"decimals": 0},
                alert="ModelMonthSetAside",
            ),
            stat(
                "Failed in a row",
                "Trainings in a row, up to now, that failed.",
                "none",
                f"max(model_schedule_consecutive_failures{{{SELECTED}}})",
                thresholds((None, "green"), (1, "red")),
                defaults={"decimals": 0},
                alert="ModelRetrainingFailed",
            ),
            Panel(
                "Decisions",
                "What the schedule and persons decided: trainings that began or failed, months set aside, challengers "
                "refused, put on trial, promoted and withdrawn.",
                "short",
                {
                    "{{action}}": "sum by (action) "
                    f"(increase(model_schedule_decisions_total{{{SELECTED}}}[$__rate_interval]))"
                },
                width=16,
                height=6,
                defaults={"min": 0, **STACKED},
            ),
            Panel(
                "Refused in a row",
                "Challengers in a row, up to now, that the gate refused or that were withdrawn from their trial.",
                "short",
                {"{{model_name}}": f"max by (model_name) (model_schedule_consecutive_refusals{{{SELECTED}}})"},
                height=6,
                defaults={"min": 0, "decimals": 0},
                alert="ModelChallengerRefused",
            ),
        ],
    ),
    Row(
        "Scores",
        [
            Panel(
                "Mean score",
                "Mean score of recent customers and of the training split. If they differ much, the scores may no "
                "longer be calibrated.",
                "percentunit",
                {
                    "recent {{source}}": f"max by (source) (model_drift_mean_score{{{FROM_SOURCE}}})",
                    "training": f"max(model_drift_reference_mean_score{{{FROM_SOURCE}}})",
                },
                overrides=[dashed("training", "text")],
                defaults={"min": 0},
            ),
            Panel(
                "Score distribution",
                "Share of recent scores in each decile of the training scores; the label is the upper limit. Without "
                "drift every bar is 10 %.",
                "percentunit",
                {
                    "{{upper}}": f'max by (upper) (model_drift_score_ratio{{{SELECTED},window="recent"}})',
                },
                kind="bargauge",
                instant=True,
                options={**_BARS, "orientation": "vertical"},
                defaults={"min": 0, "thresholds": thresholds((None, "blue")), "color": {"mode": "thresholds"}},
            ),
            Panel(
                "Score drift",
                "PSI of the score, or of the segments' shares, against the training split, and the line above which "
                "it is large and not due to chance.",
                "short",
                {
                    "PSI {{model_name}} {{source}}": "max by (model_name, source) "
                    f"(model_drift_score_psi{{{FROM_SOURCE}}})",
                    "alarm line": f"max(model_drift_score_psi_alarm_line{{{FROM_SOURCE}}})",
                },
                overrides=[dashed("alarm line", "red")],
                defaults={"min": 0},
                alert="ModelScoreDrift",
            ),
        ],
    ),
    Row(
        "Segments",
        [
            *(
                stat(
                    title,
                    description,
                    unit,
                    f'max(model_quality{{{SELECTED},metric="{metric}"}})',
                    thresholds((None, "blue")),
                    defaults={"decimals": 3},
                    width=6,
                )
                for title, description, unit, metric in (
                    (
                        "Silhouette",
                        "Mean silhouette of the customers of the test split, in the space of the served version.",
                        "none",
                        "silhouette",
                    ),
                    (
                        "Macro silhouette",
                        "Mean over segments of their mean silhouette, so that a large segment hides no small one.",
                        "none",
                        "macro_silhouette",
                    ),
                    (
                        "Stability",
                        "Mean adjusted Rand index between segmentations of half-samples of the training split. 1: "
                        "always the same segments.",
                        "none",
                        "stability",
                    ),
                    (
                        "Smallest segment",
                        "Share of the customers of the test split in the smallest segment.",
                        "percentunit",
                        "smallest_share",
                    ),
                )
            ),
            Panel(
                "Share of each segment",
                "Share of recent customers in each segment.",
                "percentunit",
                {"{{segment}}": f'max by (segment) (model_segment_ratio{{{SELECTED},window="recent"}})'},
                defaults={**SHARE, **STACKED},
                alert="ModelScoreDrift",
            ),
            Panel(
                "Change against the training split",
                "Share of recent customers in each segment minus its share in the training split. Without drift it is "
                "near 0.",
                "percentunit",
                {
                    "{{segment}}": f'max by (segment) (model_segment_ratio{{{SELECTED},window="recent"}}) - '
                    f'max by (segment) (model_segment_ratio{{{SELECTED},window="training"}})'
                },
                kind="bargauge",
                instant=True,
                options=_BARS,
                defaults={
                    "min": -0.5,
                    "max": 0.5,
                    "thresholds": thresholds((None, "blue")),
                    "color": {"mode": "thresholds"},
                },
                alert="ModelScoreDrift",
            ),
            Panel(
                "Drift of the shares",
                "PSI of the segments' shares against the training split, and the line above which it is large and not "
                "due to chance.",
                "short",
                {
                    "PSI {{source}}": f"max by (source) (model_drift_score_psi{{{FROM_SOURCE}}} {_OF_SEGMENTS})",
                    "alarm line": f"max(model_drift_score_psi_alarm_line{{{FROM_SOURCE}}} {_OF_SEGMENTS})",
                },
                overrides=[dashed("alarm line", "red")],
                defaults={"min": 0},
                alert="ModelScoreDrift",
            ),
        ],
    ),
    Row(
        "Customers",
        [
            Panel(
                "Drift by feature",
                "PSI of each feature divided by its alarm line, the largest first. A feature above 1 has moved.",
                "short",
                {
                    "{{feature}}": "sort_desc(max by (feature) "
                    f"(model_drift_psi{{{FROM_SOURCE}}} / model_drift_psi_alarm_line{{{FROM_SOURCE}}}))"
                },
                kind="bargauge",
                width=8,
                height=12,
                instant=True,
                options=_BARS,
                defaults={
                    "min": 0,
                    "max": 5,
                    "thresholds": thresholds((None, "green"), (1, "orange"), (2.5, "red")),
                    "color": {"mode": "thresholds"},
                },
                alert="ModelFeatureDrift",
            ),
            Panel(
                "Drift over time",
                "PSI of each feature against the training split; the dashed line is the highest alarm line.",
                "short",
                {
                    "{{feature}}": f"max by (feature) (model_drift_psi{{{FROM_SOURCE}}})",
                    "alarm line": f"max(model_drift_psi_alarm_line{{{FROM_SOURCE}}})",
                },
                width=16,
                height=12,
                overrides=[dashed("alarm line", "red")],
                defaults={"min": 0},
                alert="ModelFeatureDrift",
            ),
            Panel(
                "Unseen values",
                "Share of recent customers whose value does not occur in the training split, by feature.",
                "percentunit",
                {"{{feature}}": f"max by (feature) (model_drift_unseen_ratio{{{FROM_SOURCE}}})"},
                defaults=SHARE,
            ),
            Panel(
                "Missing values",
                "Share of recent customers without a value, by feature.",
                "percentunit",
                {"{{feature}}": f"max by (feature) (model_drift_missing_ratio{{{FROM_SOURCE}}})"},
                defaults=SHARE,
            ),
            Panel(
                "Out of range",
                "Share of recent customers whose value is outside the range of the training split, by feature.",
                "percentunit",
                {"{{feature}}": f"max by (feature) (model_drift_out_of_range_ratio{{{FROM_SOURCE}}})"},
                defaults=SHARE,
            ),
            Panel(
                "Rows compared",
                "Number of recent customers whose drift is measured. Below 200 there is no alarm.",
                "short",
                {"{{source}}": f"max by (source) (model_drift_rows{{{FROM_SOURCE}}})"},
                width=12,
                defaults={"min": 0},
            ),
            Panel(
                "Features above their line",
                "Number of features whose PSI is above the alarm line.",
                "short",
                {"{{source}}": f"sum by (source) (model_drift_alarm{{{FROM_SOURCE}}})"},
                width=12,
                defaults={"min": 0, "decimals": 0},
                alert="ModelFeatureDrift",
            ),
        ],
    ),
]


MODEL_AND_DATA = Dashboard(
    "model-and-data",
    "model-data",
    "Model and data",
    "Whether recent customers are like those the model learned from, how it scores them, their segments, and when the "
    "model learns again.",
    _ROWS,
    marks=(DEPLOYS, *DECISIONS),
    variables=(*OF_MODELS, Variable("source", f"label_values(model_drift_rows{{{SELECTED}}}, source)")),
)
