"""From raw customers to a blessed, pushed purchase model: `python -m pipeline.run`."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from data.model_spec import PURCHASE_MODEL
from pipeline.launch import Kind, launch, settings_of_run, training_data
from pipeline.options import (
    add_columns_options,
    add_data_options,
    add_push_options,
    add_run_options,
    positive,
)
from pipeline.settings import PurchaseSettings, Settings, TrainingData
from report import add_money

if TYPE_CHECKING:
    from tfx.orchestration.pipeline import Pipeline

    from pipeline.environment import Environment
    from runs.outputs import RunOutputs
    from runs.summary import PurchaseSummary, Stage

THOROUGH = {"trials": 24, "members": 8}
"""What `--thorough` asks of the Tuner and the Trainer."""

EPILOG = """\
examples:
  python -m pipeline.run                              train on the synthetic sample (offline)
  python -m pipeline.run --data customers.csv         a file of yours; its header chooses the contract
  python -m pipeline.run --data bank-full             download the UCI data, verify it, train
  python -m pipeline.run --data calls/ --split time   a folder of files; the newest rows are the test
  python -m pipeline.run --no-tune                    with the best hyperparameters of the newest run

exit codes: 0 done, 2 bad input, 3 not blessed or refused (nothing pushed), 1 anything else (the log says what)
"""


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    return launch(Kind(_graph, _summarize), lambda: _settings(options), options.verbose)


def _graph(settings: Settings[PurchaseSettings], environment: Environment) -> Pipeline:
    from pipeline.graphs.purchase import create_pipeline

    return create_pipeline(settings.spec, settings.data, environment)


def _summarize(
    settings: Settings[PurchaseSettings], outputs: RunOutputs, stages: Sequence[Stage], seconds: float
) -> PurchaseSummary:
    from pipeline.summarize.purchase import summarize

    return summarize(settings, outputs, stages, seconds)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.run",
        description="Learns from past campaigns who is likely to purchase, and pushes the model if it passes the gate.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_data_options(parser)
    add_purchase_options(parser)
    add_push_options(parser, PURCHASE_MODEL.name)
    add_money(parser)
    add_run_options(parser)
    return parser


def add_purchase_options(parser: argparse.ArgumentParser) -> None:
    """Options of the purchase model's graph: which columns, the search for hyperparameters, the baselines, the push."""
    add_columns_options(parser)
    tuning = parser.add_mutually_exclusive_group()
    tuning.add_argument(
        "--trials",
        type=positive,
        metavar="N",
        help=f"hyperparameter sets to try (default: {PurchaseSettings.trials})",
    )
    tuning.add_argument(
        "--no-tune",
        dest="trials",
        action="store_const",
        const=0,
        help="use the best hyperparameters of the newest run, else the contract's",
    )
    tuning.add_argument(
        "--thorough",
        action="store_true",
        help=f"try {THOROUGH['trials']} hyperparameter sets and average {THOROUGH['members']} nets; takes minutes more",
    )
    parser.add_argument(
        "--no-benchmark", dest="benchmark", action="store_false", help="do not measure the baselines beside our model"
    )
    parser.add_argument(
        "--push-anyway", action="store_true", help="push also a model trained --with-after-call columns"
    )


def _settings(options: argparse.Namespace) -> Settings[PurchaseSettings]:
    money = {name: value for name in ("cost", "margin") if (value := getattr(options, name))}
    spec, data = purchase(options)
    return settings_of_run(dataclasses.replace(spec, **money), data, options)


def purchase(options: argparse.Namespace) -> tuple[PurchaseSettings, TrainingData]:
    """The model and its rows, from options.

    Args:
      options: those of :func:`add_purchase_options`, and of `pipeline.options` those about data, rows, versions and the
        ones of all commands.

    Raises:
      UserError: the files, the contract or an option cannot be used.
    """
    search = {} if options.trials is None else {"trials": options.trials}
    data = training_data(options, labelled=True)
    if options.with_calendar:
        data = dataclasses.replace(data, contract=data.contract.with_calendar())
    spec = PurchaseSettings(
        model=dataclasses.replace(PURCHASE_MODEL, name=options.model_name),
        with_after_call=options.with_after_call,
        with_calendar=options.with_calendar,
        seed=options.seed,
        benchmark=options.benchmark,
        push=options.push_anyway or not (options.with_after_call and data.contract.after_call),
        replace_inputs=options.replace_inputs,
        keep=options.keep,
        **(THOROUGH if options.thorough else search),
    )
    return spec, data


if __name__ == "__main__":
    sys.exit(main())
