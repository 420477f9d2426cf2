"""Finds the newest artifact of a kind, or none on a first run."""

from ml_metadata import MetadataStore
from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.types import Artifact


class LatestIfAnyStrategy(ResolverStrategy):
    """As TFX's LatestArtifactStrategy, which however fails a run that has nothing to find."""

    def resolve_artifacts(
        self, store: MetadataStore, input_dict: dict[str, list[Artifact]]
    ) -> dict[str, list[Artifact]]:
        """The artifact with the highest id of each channel, or an empty list."""
        return {key: sorted(artifacts, key=lambda artifact: artifact.id)[-1:] for key, artifacts in input_dict.items()}
