"""Finds artifacts of earlier runs: the newest of a type, and the baseline that a new model is compared with."""

from ml_metadata import MetadataStore
from tfx.components.evaluator.constants import ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY as MODEL_ID
from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.types import Artifact

Artifacts = dict[str, list[Artifact]]


class LatestOrNone(ResolverStrategy):
    """The newest artifact of each input. TFX's LatestArtifactStrategy fails a run where there is none."""

    def resolve_artifacts(self, store: MetadataStore, input_dict: Artifacts) -> Artifacts:
        """The artifact with the highest id of each input, or an empty list."""
        return {key: sorted(artifacts, key=lambda artifact: artifact.id)[-1:] for key, artifacts in input_dict.items()}


class LatestBlessedTwice(ResolverStrategy):
    """The newest model that both the Evaluator and the ServingProbe have blessed.

    TFX's LatestBlessedModelStrategy asks for one blessing. A model that the probe refused was never pushed, so a new
    model must not be measured against it.
    """

    def resolve_artifacts(self, store: MetadataStore, input_dict: Artifacts) -> Artifacts:
        """Inputs `model`, `model_blessing` and `infra_blessing`; each result has one artifact or none."""
        blessings = {
            key: {
                blessing.get_int_custom_property(MODEL_ID): blessing
                for blessing in sorted(input_dict[key], key=lambda artifact: artifact.id)
                if blessing.get_int_custom_property("blessed") == 1
            }
            for key in ("model_blessing", "infra_blessing")
        }
        for model in sorted(input_dict["model"], key=lambda artifact: artifact.id, reverse=True):
            if all(model.id in by_model for by_model in blessings.values()):
                return {"model": [model], **{key: [by_model[model.id]] for key, by_model in blessings.items()}}
        return {key: [] for key in input_dict}
