"""The schedule as a Prefect flow: `python -m schedule.flow`, in Prefect's environment (`make orchestrate`).

Prefect does not install beside TFX, so this module runs in an environment of its own, with the project on its path.
Each training is a process of the product's environment, see `schedule.retrain`. The product's own lock decides that one
training runs at a time: what Prefect knows of a run may be out of date after a crash.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from prefect import State, flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType, TaskRun
from prefect.states import Completed, Crashed, Failed

from schedule.retrain import Outcome, retrain

DEPLOYMENT = "purchase-model"
RETRIES = 2
"""Further tries of a step that failed for a reason that may pass."""

EPILOG = """\
examples:
  make orchestrate                                            every morning at 6, and whenever the page says "Run"
  make orchestrate ARGS="--cron '0 */2 * * *' -- --inbox inbox"    every two hours; options after -- are the schedule's
  make orchestrate ARGS="--once -- --train"                   one training now, without a Prefect server

PREFECT_API_URL names the server, such as http://127.0.0.1:4200/api; `.venv-orchestrate/bin/prefect server start` starts
one on this machine. The product's options are those of `python -m schedule --help`.
"""


class StepFailedError(RuntimeError):
    """A training failed for a reason that may pass."""


@flow(name="retrain", description="One step of the schedule: take new calls in, train if it is due, judge, promote.")
def retrain_flow(arguments: list[str], retry_after: int) -> State:
    """Runs one step; the state's name is its outcome.

    Args:
      arguments: of `python -m schedule --once`.
      retry_after: seconds before another try.
    """
    outcome = _step.with_options(retry_delay_seconds=retry_after)(arguments)
    create_markdown_artifact(key="retraining", markdown=outcome.text, description=outcome.kind)
    if outcome.kind == "bad input":
        return Failed(message=_last_line(outcome))
    return Completed(name=outcome.kind.capitalize(), message=_last_line(outcome))


def _may_pass(task: object, run: TaskRun, state: State) -> bool:
    """Whether another try makes sense."""
    return isinstance(state.result(raise_on_failure=False), StepFailedError)


@task(name="step", retries=RETRIES, retry_condition_fn=_may_pass)
def _step(arguments: list[str]) -> Outcome:
    outcome = retrain(arguments, get_run_logger().info)
    if outcome.kind == "failed":
        raise StepFailedError(_last_line(outcome))
    return outcome


def _last_line(outcome: Outcome) -> str:
    return outcome.text.strip().rpartition("\n")[2] or outcome.kind


def end_lost_runs() -> list[str]:
    """Marks the runs as crashed that an earlier process of this deployment left; returns their names.

    Prefect would show them as running for ever. One process serves the deployment, so none of them can be alive.
    """
    with get_client(sync_client=True) as client:
        lost: list[FlowRun] = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                state=FlowRunFilterState(
                    type=FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING, StateType.CANCELLING])
                )
            ),
            deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[DEPLOYMENT])),
        )
        for run in lost:
            client.set_flow_run_state(run.id, Crashed(message="the process that ran it ended"), force=True)
    return [run.name for run in lost]


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    os.environ.setdefault("DO_NOT_TRACK", "1")
    if options.once:
        state = retrain_flow(options.arguments, options.retry_after, return_state=True)
        return 0 if state.is_completed() else 1
    for name in end_lost_runs():
        sys.stderr.write(f"run {name} was lost with the process that ran it\n")
    retrain_flow.serve(
        name=DEPLOYMENT,
        cron=options.cron,
        parameters={"arguments": options.arguments, "retry_after": options.retry_after},
        limit=1,
        pause_on_shutdown=False,
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m schedule.flow",
        description="Runs the schedule of trainings as a Prefect flow.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--cron", default="0 6 * * *", help="when a step is due, in UTC (default: %(default)s)")
    when.add_argument("--once", action="store_true", help="one step now, without a Prefect server")
    parser.add_argument(
        "--retry-after",
        type=int,
        default=300,
        metavar="SECONDS",
        help=f"wait before another try, of {RETRIES}, of a step that failed (default: %(default)s)",
    )
    parser.add_argument("arguments", nargs="*", metavar="-- OPTION", help="options of `python -m schedule`")
    return parser


if __name__ == "__main__":
    sys.exit(main())
