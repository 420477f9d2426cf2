"""What an exported model of any kind has: two signatures or more, in a form that TF Serving's loader can run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import tensorflow as tf

from data.model_spec import EXAMPLE_INPUT, EXAMPLE_SIGNATURE, RAW_SIGNATURE


class ServingModule(tf.Module):
    """A function from raw customers to the outputs of a model, as one TensorFlow module.

    Args:
      spec: how `tf.io.parse_example` reads the inputs, see `modules.examples.parsing_spec`.
    """

    def __init__(self, spec: Mapping[str, tf.io.FixedLenFeature]):
        super().__init__()
        self._spec = dict(spec)

    def predict(self, features: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The outputs by name of raw columns, each [batch]: float32 or string."""
        raise NotImplementedError

    def signatures(self) -> dict[str, Callable]:
        """The functions that are exported, by name, each with its input signature."""
        examples = tf.TensorSpec([None], tf.string, name=EXAMPLE_INPUT)
        return {
            RAW_SIGNATURE: self.of_raw(self.predict),
            EXAMPLE_SIGNATURE: tf.function(self._predict_examples, input_signature=[examples], autograph=False),
        }

    def of_raw(self, function: Callable[[Mapping[str, tf.Tensor]], dict[str, tf.Tensor]]) -> Callable:
        """A function of raw columns with one [batch] tensor per feature, float32 or string, as its inputs."""
        raw = {name: tf.TensorSpec([None], column.dtype, name=name) for name, column in self._spec.items()}
        return tf.function(function, input_signature=[raw], autograph=False)

    def save(self, path: str) -> None:
        """Writes the SavedModel with its signatures.

        `serving_default` takes raw columns, `tf_examples` takes serialized tf.Examples, string [batch]. Both return
        what :meth:`predict` does.
        """
        tf.saved_model.save(self, path, signatures=self.signatures())

    def _predict_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.predict(tf.io.parse_example(examples, self._spec))
