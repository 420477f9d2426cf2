"""From raw customers to blessed, pushed segments: `python -m pipeline.segment`."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.segmentation import METHODS
from data.model_spec import SEGMENT_MODEL
from pipeline.launch import Kind, launch, settings_of_run, training_data
from pipeline.options import add_data_options, add_push_options, add_run_options
from pipeline.settings import SegmentSettings, Settings

if TYPE_CHECKING:
    from tfx.orchestration.pipeline import Pipeline

    from pipeline.environment import Environment
    from runs.outputs import RunOutputs
    from runs.summary import SegmentSummary, Stage

MOST_CLUSTERS = 20
"""More segments than this are more than a marketing team can treat differently."""

EPILOG = f"""\
examples:
  python -m pipeline.segment                                   the synthetic sample (offline)
  python -m pipeline.segment --data customers.csv              a file of yours; its header chooses the contract
  python -m pipeline.segment --data customers.csv --view products --model-name segment-products
  python -m pipeline.segment --clusters 4 --method kmedoids    four segments, each around a real customer

A view says which columns form the segments and which others describe them; the contract lists its views.
Segments are pushed if they are more than chance, stable and large enough; --help of pipeline.run explains the rest.

exit codes: 0 done, 2 bad input, 3 not blessed or refused (nothing pushed), 1 anything else (the log says what)
{SEGMENT_MODEL.name} is served beside the purchase model: python -m serving
"""


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    return launch(Kind(_graph, _summarize), lambda: _settings(options), options.verbose)


def _graph(settings: Settings[SegmentSettings], environment: Environment) -> Pipeline:
    from pipeline.graphs.segments import create_pipeline

    return create_pipeline(settings.spec, settings.data, environment)


def _summarize(
    settings: Settings[SegmentSettings], outputs: RunOutputs, stages: Sequence[Stage], seconds: float
) -> SegmentSummary:
    from pipeline.summarize.segments import summarize

    return summarize(settings, outputs, stages, seconds)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.segment",
        description="Divides customers into segments, and pushes the model that assigns them if it passes the gate.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_data_options(parser)
    parser.add_argument("--view", metavar="NAME", help="the contract's view to segment by (default: its first)")
    parser.add_argument(
        "--clusters",
        type=_numbers,
        default=(2, 10),
        metavar="N|N..M",
        help="numbers of segments to try (default: 2..10)",
    )
    parser.add_argument(
        "--method", choices=("auto", *METHODS), default="auto", help="auto tries all of them (default: auto)"
    )
    parser.add_argument(
        "--names",
        type=Path,
        metavar="FILE",
        help="YAML with the marketing team's names for segments: `name in the report: new name`",
    )
    add_push_options(parser, SEGMENT_MODEL.name)
    add_run_options(parser)
    return parser


def _numbers(text: str) -> tuple[int, int]:
    fewest, dots, most = text.partition("..")
    try:
        low, high = int(fewest), int(most if dots else fewest)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number or a range such as 2..10, got {text!r}") from None
    if not 2 <= low <= high <= MOST_CLUSTERS:
        raise argparse.ArgumentTypeError(f"expected numbers from 2 to {MOST_CLUSTERS} in rising order, got {text!r}")
    return low, high


def _settings(options: argparse.Namespace) -> Settings[SegmentSettings]:
    from modules.segments.naming import read_overrides

    data = training_data(options, labelled=False)
    view, _ = data.contract.view(options.view)
    fewest, most = options.clusters
    spec = SegmentSettings(
        model=dataclasses.replace(SEGMENT_MODEL, name=options.model_name),
        seed=options.seed,
        replace_inputs=options.replace_inputs,
        keep=options.keep,
        view=view,
        method=options.method,
        fewest=fewest,
        most=most,
        names=read_overrides(options.names) if options.names else {},
    )
    return settings_of_run(spec, data, options)


if __name__ == "__main__":
    sys.exit(main())
