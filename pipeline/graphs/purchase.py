"""The graph, from raw customers to a pushed model. Pure: it knows settings and no environment."""

from __future__ import annotations

from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx import v1 as tfx
from tfx.types import standard_artifacts

from modules.purchase.evaluation import eval_config
from pipeline.components.anomaly_check import AnomalyCheck
from pipeline.components.benchmark import Benchmark
from pipeline.components.contract_schema import ContractSchema
from pipeline.components.example_gen import ContractExampleGen
from pipeline.components.feature_importance import Importance
from pipeline.components.latest_or_none import LatestIfAnyStrategy
from pipeline.components.pusher import AtomicPusher
from pipeline.components.scorer import Scorer
from pipeline.components.serving_probe import ServingProbe
from pipeline.settings import Settings, code_fingerprint

BASELINE = "LatestBlessedModel"
EARLIER_HYPERPARAMETERS = "LatestHyperparameters"


def create_pipeline(settings: Settings) -> tfx.dsl.Pipeline:
    """The pipeline of one run.

    Args:
      settings: what the run is asked to do.
    """
    contract = settings.contract.model_dump_json()
    code = code_fingerprint(
        "data/contract.py", "data/contract_columns.py", "analysis", "modules", "pipeline/components"
    )
    shared = {"contract": contract, "with_after_call": settings.with_duration, "code": code}
    fitting = {**shared, "seed": settings.seed}

    example_gen = ContractExampleGen(
        data=str(settings.data), contract=contract, split=settings.split, quarantine=settings.quarantine
    )
    examples = example_gen.outputs["examples"]
    statistics_gen = tfx.components.StatisticsGen(examples=examples)
    schema_gen = ContractSchema(contract=contract, code=code)
    schema = schema_gen.outputs["schema"]
    example_validator = tfx.components.ExampleValidator(statistics=statistics_gen.outputs["statistics"], schema=schema)
    anomaly_check = AnomalyCheck(anomalies=example_validator.outputs["anomalies"])

    transform = tfx.components.Transform(
        examples=examples,
        schema=schema,
        preprocessing_fn="modules.purchase.transform.preprocessing_fn",
        splits_config=tfx.proto.SplitsConfig(analyze=["train"]),
        # Raw rows are a tenth of transformed ones, and the graph is cheap to apply, so nothing is written twice.
        materialize=False,
        disable_statistics=True,
        disable_analyzer_cache=True,
        custom_config=shared,
    )
    transform.add_upstream_node(anomaly_check)
    transform_graph = transform.outputs["transform_graph"]

    if settings.trials:
        tuner = tfx.components.Tuner(
            examples=examples,
            transform_graph=transform_graph,
            tuner_fn="modules.purchase.tuner.tuner_fn",
            custom_config={**fitting, "trials": settings.trials},
        )
    else:
        tuner = tfx.dsl.Resolver(
            strategy_class=LatestIfAnyStrategy,
            best_hyperparameters=tfx.dsl.Channel(type=standard_artifacts.HyperParameters),
        ).with_id(EARLIER_HYPERPARAMETERS)
    trainer = tfx.components.Trainer(
        examples=examples,
        transform_graph=transform_graph,
        hyperparameters=tuner.outputs["best_hyperparameters"],
        run_fn="modules.purchase.trainer.run_fn",
        custom_config={**fitting, "synthetic": settings.synthetic, "members": settings.members},
    )
    model = trainer.outputs["model"]

    baseline = tfx.dsl.Resolver(
        strategy_class=tfx.dsl.experimental.LatestBlessedModelStrategy,
        model=tfx.dsl.Channel(type=standard_artifacts.Model),
        model_blessing=tfx.dsl.Channel(type=standard_artifacts.ModelBlessing),
    ).with_id(BASELINE)
    evaluator = tfx.components.Evaluator(
        examples=examples,
        model=model,
        baseline_model=baseline.outputs["model"],
        schema=schema,
        example_splits=["test"],
        eval_config=eval_config(settings.contract, settings.gate),
        module_path="modules.purchase.evaluation",
    )
    scorer = Scorer(examples=examples, model=model, label=settings.contract.required_label.name, code=code)
    probe = ServingProbe(examples=examples, model=model, scores=scorer.outputs["scores"], contract=contract, code=code)
    benchmark = Benchmark(
        examples=examples,
        model=model,
        model_run=trainer.outputs["model_run"],
        scores=scorer.outputs["scores"],
        contract=contract,
        seed=settings.seed,
        code=code,
    )
    importance = Importance(examples=examples, model=model, contract=contract, seed=settings.seed, code=code)
    pusher = AtomicPusher(
        model=model,
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=probe.outputs["blessing"],
        push_destination=tfx.proto.PushDestination(
            filesystem=tfx.proto.PushDestination.Filesystem(base_directory=str(settings.serving))
        ),
        # The run's id keeps the Pusher out of the cache: whether the folder still holds the model is not metadata.
        custom_config={"keep": settings.keep, "run": settings.run_id},
    )
    return tfx.dsl.Pipeline(
        pipeline_name=settings.pipeline_name,
        pipeline_root=str(settings.artifacts / "tfx" / settings.pipeline_name),
        components=[
            example_gen,
            statistics_gen,
            schema_gen,
            example_validator,
            anomaly_check,
            transform,
            tuner,
            trainer,
            baseline,
            evaluator,
            scorer,
            probe,
            *([benchmark] if settings.benchmark else []),
            importance,
            pusher,
        ],
        enable_cache=settings.cache,
        # TFX's helper for this creates the folder as well.
        metadata_connection_config=mlmd.ConnectionConfig(
            sqlite=mlmd.SqliteMetadataSourceConfig(
                filename_uri=str(settings.metadata),
                connection_mode=mlmd.SqliteMetadataSourceConfig.READWRITE_OPENCREATE,
            )
        ),
    )
