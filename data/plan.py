"""A plan of the calls: one value for all customers of a list in columns that describe the call, such as its month."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import pyarrow as pa

from data.contract import LARGEST_NUMBER, MISSING_TEXT, Categorical, Contract, Numeric, Role
from data.csv_records import garbled
from data.csv_rows import Block, number
from data.errors import BadOptionError, did_you_mean


def parse(pairs: Iterable[str]) -> dict[str, str]:
    """A plan from texts such as `contact=cellular`, as a command line has them.

    Raises:
      BadOptionError: a text has no `=`, or a column is given twice.
    """
    plan: dict[str, str] = {}
    for pair in pairs:
        column, equals, value = pair.partition("=")
        if not column or not equals:
            raise BadOptionError(f"plan of the call: got {pair!r}, expected COLUMN=VALUE, such as contact=cellular")
        if column in plan:
            raise BadOptionError(f"plan of the call: column {column!r} is given twice")
        plan[column] = value
    return plan


def values(contract: Contract, plan: Mapping[str, str]) -> dict[str, float | str]:
    """The values of a plan by column: numbers as float (blank is NaN), texts as they are.

    Args:
      contract: says which columns may be planned, and which values they may have. One without `at_call`, such as that
        of an older model, lets any column be planned that is known before the call.
      plan: texts by column.

    Raises:
      BadOptionError: a column may not be planned, a value does not fit its column, or no column is left that comes from
        the list.
    """
    allowed = contract.planned if contract.at_call else contract.features()
    for column in plan:
        if column not in allowed:
            raise BadOptionError(
                f"plan of the call: column {column!r} cannot be planned{did_you_mean(column, allowed)}; "
                f"expected one of {', '.join(allowed)}"
            )
    if plan.keys() >= {*contract.columns(Role.CUSTOMERS)}:
        raise BadOptionError("plan of the call: all columns are planned; at least one must come from the list")
    return {column: _value(contract, column, text) for column, text in plan.items()}


def unplanned(contract: Contract, plan: Iterable[str]) -> Contract:
    """The contract of what must still come from the list: a copy without the planned columns. It is not validated."""
    kept = {
        kind: {name: rule for name, rule in columns.items() if name not in plan}
        for kind, columns in (("numeric", contract.numeric), ("categorical", contract.categorical))
    }
    return contract.model_copy(update=kept)


def fill(block: Block, schema: pa.Schema, plan: Mapping[str, str], planned: Mapping[str, float | str]) -> Block:
    """A block with the planned columns, in its values and in its cells; they replace columns of the list.

    Args:
      block: rows of CUSTOMERS as they stand in the list.
      schema: of the values, see `data.reader.schema`.
      plan: texts by column.
      planned: the same as :func:`values` reads them.
    """
    rows, cells = block.batch.num_rows, block.cells
    assert cells is not None
    arrays = [
        pa.repeat(pa.scalar(planned[name], kind), rows) if name in planned else block.batch[name]
        for name, kind in zip(schema.names, schema.types, strict=True)
    ]
    names = [*cells.schema.names, *(name for name in plan if name not in cells.schema.names)]
    texts = [pa.repeat(plan[name], rows) if name in plan else cells[name] for name in names]
    return Block(
        pa.RecordBatch.from_arrays(arrays, schema=schema),
        block.bad,
        pa.RecordBatch.from_arrays(texts, names=names),
    )


def _value(contract: Contract, column: str, text: str) -> float | str:
    rule = contract.numeric.get(column) or contract.categorical[column]
    value = _number(rule, text) if isinstance(rule, Numeric) else _category(rule, text)
    if value is None:
        raise BadOptionError(f"plan of the call: column {column!r}: got {text!r}, expected {_expected(rule, text)}")
    return value


def _number(rule: Numeric, text: str) -> float | None:
    value = number(text)
    if value is None or (math.isnan(value) and not rule.blank) or (rule.integer and value % 1 > 0):
        return None
    return value if math.isnan(value) or value == rule.missing or rule.min <= value <= rule.max else None


def _category(rule: Categorical, text: str) -> str | None:
    if text == MISSING_TEXT:
        return text if rule.blank else None
    if not rule.values:
        return None if garbled(text) else text
    return text if text in rule.values else None


def _expected(rule: Numeric | Categorical, text: str) -> str:
    blank = " or a blank" if rule.blank else ""
    if isinstance(rule, Categorical):
        if not rule.values:
            return f"UTF-8 text{blank}"
        return f"one of {', '.join(rule.values)}{blank}{did_you_mean(text, rule.values)}"
    kind = "a whole number" if rule.integer else "a number"
    bounds = "" if rule.max == LARGEST_NUMBER else f" from {rule.min:g} to {rule.max:g}"
    missing = "" if rule.missing is None else f", {rule.missing:g} for no value"
    return f"{kind}{bounds}{missing}{blank}"
