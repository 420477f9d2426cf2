"""The TensorFlow Metadata schema of a contract's rows, which ExampleValidator, Evaluator and Transform use."""

from __future__ import annotations

from tensorflow_metadata.proto.v0 import schema_pb2

from data.contract import CALL_DAY, Contract, Numeric


def from_contract(contract: Contract) -> schema_pb2.Schema:
    """Every column is one scalar per row: numbers are float32, texts are bytes, the label, if any, is int64 0 or 1,
    the date of the call, if any, int64 days since 1970-01-01.

    Ranges and allowed values become the domains that ExampleValidator checks. A number's missing marker is inside its
    domain, so it is not an anomaly.
    """
    schema = schema_pb2.Schema()
    for name, number in contract.numeric.items():
        feature = _scalar(schema, name, schema_pb2.FLOAT)
        low, high = _domain(number)
        feature.float_domain.CopyFrom(
            schema_pb2.FloatDomain(min=low, max=high, disallow_nan=not number.blank, disallow_inf=True)
        )
    for name, category in contract.categorical.items():
        feature = _scalar(schema, name, schema_pb2.BYTES)
        feature.string_domain.CopyFrom(schema_pb2.StringDomain(name=name, value=category.domain))
    if contract.label:
        label = _scalar(schema, contract.label.name, schema_pb2.INT)
        label.int_domain.CopyFrom(schema_pb2.IntDomain(min=0, max=1))
    if contract.call_date:
        _scalar(schema, CALL_DAY, schema_pb2.INT)
    return schema


def _scalar(schema: schema_pb2.Schema, name: str, kind: int) -> schema_pb2.Feature:
    feature = schema.feature.add(name=name, type=kind)
    feature.presence.min_fraction = 1.0
    feature.shape.SetInParent()
    return feature


def _domain(column: Numeric) -> tuple[float, float]:
    if column.missing is None:
        return column.min, column.max
    return min(column.min, column.missing), max(column.max, column.missing)
