"""Finds artifacts of earlier runs: the newest of a type, and the baseline that a new model is compared with."""

from ml_metadata import MetadataStore
from tfx.components.evaluator.constants import ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY as MODEL_ID
from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.types import Artifact

Artifacts = dict[str, list[Artifact]]
_TRIALS = ("trial_blessing", "earlier_trial_blessing")


class LatestOrNone(ResolverStrategy):
    """The newest artifact of each input. TFX's LatestArtifactStrategy fails a run where there is none."""

    def resolve_artifacts(self, store: MetadataStore, input_dict: Artifacts) -> Artifacts:
        """The artifact with the highest id of each input, or an empty list."""
        return {key: sorted(artifacts, key=lambda artifact: artifact.id)[-1:] for key, artifacts in input_dict.items()}


class LatestBlessedTwice(ResolverStrategy):
    """The newest model that both the Evaluator and the ServingProbe have blessed, and NewestMonths has not refused.

    TFX's LatestBlessedModelStrategy asks for one blessing. A model that another judge refused was never pushed, so a
    new model must not be measured against it. NewestMonths may judge a model again, against another champion: then the
    last verdict counts.
    """

    def resolve_artifacts(self, store: MetadataStore, input_dict: Artifacts) -> Artifacts:
        """Finds the model and its blessings: each result has one artifact or none.

        Args:
          store: not used.
          input_dict: all artifacts of `model`, `model_blessing`, `infra_blessing`, `trial_blessing`, and of
            `earlier_trial_blessing`, the same under the type's former name.
        """
        blessings = {
            key: {
                blessing.get_int_custom_property(MODEL_ID): blessing
                for blessing in sorted(input_dict[key], key=lambda artifact: artifact.id)
                if blessing.get_int_custom_property("blessed") == 1
            }
            for key in ("model_blessing", "infra_blessing")
        }
        trials = {
            trial.get_int_custom_property(MODEL_ID): trial
            for trial in sorted((one for key in _TRIALS for one in input_dict[key]), key=lambda artifact: artifact.id)
        }
        refused = {model for model, trial in trials.items() if not trial.get_int_custom_property("blessed")}
        for model in sorted(input_dict["model"], key=lambda artifact: artifact.id, reverse=True):
            if model.id not in refused and all(model.id in by_model for by_model in blessings.values()):
                return {
                    "model": [model],
                    **{key: [by_model[model.id]] for key, by_model in blessings.items()},
                    **{key: [trial for trial in input_dict[key] if trials.get(model.id) is trial] for key in _TRIALS},
                }
        return {key: [] for key in input_dict}
