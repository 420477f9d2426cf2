"""Serves SavedModels over TensorFlow Serving's REST contract; `python -m serving` starts it.

It stands in for `tensorflow_model_server` where no container runs. `serving/README.md` says where it differs.
"""
