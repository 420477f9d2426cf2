"""The schema comes from the contract, not from the data: an inferred one would find every file normal."""

from google.protobuf import text_format
from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import Schema

from data.contract import Contract
from modules.artifacts import write_text
from modules.schema import from_contract


@component
def ContractSchema(schema: OutputArtifact[Schema], contract: Parameter[str], code: Parameter[str]) -> None:  # noqa: N802
    """Writes the TFMD schema of a contract.

    Args:
      schema: output, `schema.pbtxt`.
      contract: the contract as JSON.
      code: fingerprint of the code behind it, so that the cache notices a change.
    """
    text = text_format.MessageToString(from_contract(Contract.model_validate_json(contract)))
    write_text(text, schema.uri, "schema.pbtxt")
