"""The verdicts of our own judges, which the Pusher and the search for a baseline ask for."""

from tfx.types.artifact import Artifact

BLESSED, NOT_BLESSED = "BLESSED", "NOT_BLESSED"
"""The file in a blessing, as TFX's Evaluator names it."""


class TrialBlessing(Artifact):
    """The verdict of NewestMonths on a model.

    It has the properties and the files of a ModelBlessing and another type, since a model may have a blessing of the
    Evaluator and none of this judge.
    """

    TYPE_NAME = "pipeline.TrialBlessing"


class EarlierTrialBlessing(Artifact):
    """A TrialBlessing in metadata that was written when the type had this name. Its verdict still counts."""

    TYPE_NAME = "TrialBlessing"
