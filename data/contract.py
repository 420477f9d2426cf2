"""The data contract: what a customer row is, read from `data/contracts/<name>.yaml`.

Everything that has to know about columns asks the contract: CSV ingestion, the TFDV schema, preprocessing, the
serving signature, request validation and the drift monitors. A new data set is a new YAML file and no new code.

    Contract
    |- source        where the file comes from and how its CSV is written
    |- identifiers   columns that name a customer; read past, never stored
    |- numeric       number columns: unit, range, missing marker
    |- categorical   text columns: allowed values
    |- label         the outcome and its positive value; may be absent
    |- after_call    columns known only after the call, such as its duration
    `- modelling     what a model makes of the columns: crosses, slices, hyperparameters

A row has a role: a TRAINING row has its label and the columns known after the call, a row of CUSTOMERS has neither.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from data.errors import BadContractError, did_you_mean

CONTRACTS = Path(__file__).parent / "contracts"
_SERVABLE = re.compile(r"(?!self$)[A-Za-z0-9.][\w.-]*", re.ASCII)
"""Names that TensorFlow keeps as they are when they name the inputs of a signature."""

FLOAT32_MAX = 2.0**128 - 2.0**104
"""The largest number that a float32 holds."""
TRIM_HINT = "trimming the blanks around it would make it fit (`source: {trim: true}` in the contract)"
"""Follows a message about a header or a row that only blanks keep from fitting."""

MISSING_NUMBER = float("nan")
"""How a missing number travels in tf.Examples and requests."""
MISSING_TEXT = ""
"""How a missing category travels in tf.Examples and requests."""


class Role(enum.Enum):
    """What the rows of a file are."""

    TRAINING = "training"
    """Past calls: the label and the columns known only after the call are there."""
    CUSTOMERS = "customers"
    """People who have not been called: neither is there, and columns that the contract does not ask for are kept."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True, allow_inf_nan=False)


class Source(_Frozen):
    """Where the file comes from and how its CSV is written."""

    url: str | None = None
    member: tuple[str, ...] = ()
    """Path inside the downloaded archive; more than one name where a zip holds a zip."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """Of the CSV file itself, not of the archive, which the publisher may repack."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    quoting: Literal["nonnumeric", "minimal", "none"] = "minimal"
    """How the publisher writes text: always quoted, quoted where needed, or never. All three are read alike, except
    that under `none` a quote is an ordinary character."""
    trim: bool = False
    """Whether blanks around cells and column names are dropped."""
    licence: str = ""
    citation: str = ""


_Float32 = Annotated[float, Field(ge=-1e30, le=1e30)]
"""Numbers travel as float32, and so do the products of two distances in an encoding."""


class Numeric(_Frozen):
    """A number column."""

    unit: str
    min: _Float32
    max: _Float32
    integer: bool = False
    missing: _Float32 | None = None
    """The number that stands for "no value", such as -1 or 999 in `pdays`; blank cells need `blank: true`."""
    blank: bool = False
    """Whether a cell may be empty."""
    one_hot: bool = False
    """Whether each whole number from min to max is also a category, as for a day of the month."""
    bins: Annotated[int, Field(ge=2, le=256)] | None = None
    """Into how many categories of about as many rows each it is also divided, as for a daily rate, which says when a
    call was made."""
    bands: tuple[float, ...] = ()
    """Inner edges of the bands in which the evaluation reports this column, when it is a slice."""

    @model_validator(mode="after")
    def _check(self) -> Numeric:
        if self.min >= self.max:
            raise ValueError(f"min {self.min:g} must be below max {self.max:g}")
        if list(self.bands) != sorted(set(self.bands)):
            raise ValueError(f"bands must rise, got {list(self.bands)}")
        whole = self.integer and self.min.is_integer() and self.max.is_integer()
        if self.one_hot and not (whole and self.max - self.min < 64):
            raise ValueError("one_hot needs an integer column with fewer than 65 values and whole bounds")
        if self.one_hot and self.bins:
            raise ValueError("one_hot and bins exclude each other")
        return self


class Categorical(_Frozen):
    """A text column with a closed list of values."""

    values: Annotated[tuple[str, ...], Field(min_length=1)]
    ordered: bool = False
    """Whether the values rise in the order given, as levels of education do."""
    cyclic: bool = False
    """Whether the values, in the order given, form a circle, as months do."""
    blank: bool = False
    """Whether a cell may be empty."""

    @model_validator(mode="after")
    def _check(self) -> Categorical:
        doubles = sorted({value for value in self.values if self.values.count(value) > 1})
        if doubles:
            raise ValueError(f"values are listed twice: {', '.join(doubles)}")
        if MISSING_TEXT in self.values:
            raise ValueError("an empty value is written as `blank: true`, not listed")
        if self.ordered and self.cyclic:
            raise ValueError("ordered and cyclic exclude each other")
        return self

    @property
    def domain(self) -> tuple[str, ...]:
        """The values a row may carry, the empty text included where cells may be blank."""
        return (*self.values, MISSING_TEXT) if self.blank else self.values


class Label(_Frozen):
    """The outcome column."""

    name: str
    positive: str
    negative: str
    one: str = "buyer"
    """What a row with the positive value is called."""
    many: str = "buyers"
    """The plural of it."""

    @model_validator(mode="after")
    def _check(self) -> Label:
        if self.positive == self.negative:
            raise ValueError(f"positive and negative are both {self.positive!r}")
        return self


class Modelling(_Frozen):
    """What a model makes of the columns."""

    crosses: tuple[tuple[str, str], ...] = ()
    """Pairs of categorical columns, or numbers with one_hot or bins, whose combinations are features of their own."""
    slices: tuple[str, ...] = ()
    """Columns by whose values the evaluation is broken down."""
    hyperparameters: dict[str, Any] = {}
    """What a run without tuning trains with, where it differs from `modules.purchase.hyperparameters`."""


class Contract(_Frozen):
    """What a customer row is. Load one with :func:`load`, or let :func:`find` choose it by a file's header."""

    name: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]*$")]
    title: str
    source: Source = Source()
    row_order: Literal["date", "none"] = "none"
    """`date` where rows lie in the order in which the calls were made, which `--split time` needs."""
    identifiers: tuple[str, ...] = ()
    numeric: dict[str, Numeric] = {}
    categorical: dict[str, Categorical] = {}
    label: Label | None = None
    after_call: tuple[str, ...] = ()
    modelling: Modelling = Modelling()

    @model_validator(mode="before")
    @classmethod
    def _gather_modelling(cls, document: Any) -> Any:
        """Takes the keys of `modelling` from the top level too, where earlier contracts have them."""
        if not isinstance(document, dict) or not isinstance(document.get("modelling", {}), dict):
            return document
        inside = document.get("modelling", {})
        moved = {key: document[key] for key in Modelling.model_fields if key in document and key not in inside}
        rest = {key: value for key, value in document.items() if key not in moved}
        return {**rest, "modelling": {**inside, **moved}}

    @model_validator(mode="after")
    def _check(self) -> Contract:
        label = (self.label.name,) if self.label else ()
        columns = [*self.identifiers, *self.numeric, *self.categorical, *label]
        doubles = sorted({name for name in columns if columns.count(name) > 1})
        if doubles:
            raise ValueError(
                f"numeric, categorical, identifiers, label: columns are declared twice: {', '.join(doubles)}"
            )
        if not self.features():
            raise ValueError("numeric, categorical: at least one column must be known before the call")
        for name in (*self.numeric, *self.categorical, *label):
            if not _SERVABLE.fullmatch(name):
                raise ValueError(
                    f"{name!r} cannot be the name of a model's input; rename the column in file and contract, to "
                    "letters A to Z, digits, '.', '_' and '-', the first being no '_' or '-', and not 'self'"
                )
        known = {*self.numeric, *self.categorical}
        lowered = [name.lower() for name in known]
        if alike := sorted(name for name in known if lowered.count(name.lower()) > 1):
            raise ValueError(
                f"numeric, categorical: {', '.join(alike)} differ in upper and lower case only, which TensorFlow does "
                "not tell apart in the inputs of a model; rename one in file and contract"
            )
        for key, names in (
            ("after_call", self.after_call),
            ("slices", self.modelling.slices),
            ("crosses", [name for pair in self.modelling.crosses for name in pair]),
        ):
            for name in names:
                if name not in known:
                    raise ValueError(f"{key}: {name!r} is not a declared feature{did_you_mean(name, known)}")
        for name in (name for pair in self.modelling.crosses for name in pair):
            if name in self.numeric and not (self.numeric[name].one_hot or self.numeric[name].bins):
                raise ValueError(f"crosses: numeric column {name!r} needs one_hot: true or bins to be crossed")
        for name in self.modelling.slices:
            if name in self.numeric and not self.numeric[name].bands:
                raise ValueError(f"slices: numeric column {name!r} needs bands")
        return self

    def columns(self, role: Role) -> tuple[str, ...]:
        """The columns that a file of this role must have, in any order, without the label and the identifiers.

        A file of CUSTOMERS may have identifiers, the label and columns known only after the call; they are kept aside.
        """
        return self.features(with_after_call=role is Role.TRAINING)

    def header(self, role: Role) -> frozenset[str]:
        """Every column that a file of this role must have: TRAINING with identifiers and label, CUSTOMERS without."""
        if role is Role.CUSTOMERS:
            return frozenset(self.columns(role))
        label = (self.label.name,) if self.label else ()
        return frozenset((*self.identifiers, *self.columns(role), *label))

    def accepts(self, names: Iterable[str], role: Role) -> bool:
        """Whether a file with these column names has what this role needs, and for TRAINING nothing else."""
        names, wanted = set(names), self.header(role)
        return wanted == names if role is Role.TRAINING else wanted <= names

    def with_modelling(self, **changes: Any) -> Contract:
        """A copy with other fields of `modelling`, which are not validated again."""
        return self.model_copy(update={"modelling": self.modelling.model_copy(update=changes)})

    @property
    def required_label(self) -> Label:
        """The label of a contract whose rows are learned from.

        Raises:
          BadContractError: the contract has none.
        """
        if self.label is None:
            raise BadContractError(f"contract {self.name} has no label, so no purchase can be learned from its rows")
        return self.label

    def features(self, with_after_call: bool = False) -> tuple[str, ...]:
        """Names of the model's inputs, numbers first.

        Args:
          with_after_call: also those known only after the call (`--with-after-call`), for benchmarks.
        """
        hidden = () if with_after_call else self.after_call
        return tuple(name for name in (*self.numeric, *self.categorical) if name not in hidden)


def load(name_or_path: str | Path) -> Contract:
    """Reads and validates one contract.

    Args:
      name_or_path: `bank-full` for a contract of this project, or the path of a YAML file.

    Raises:
      BadContractError: no such contract, not YAML, or a key is wrong; every wrong key is named with the file.
    """
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = CONTRACTS / f"{name_or_path}.yaml"
        if not path.is_file():
            known = sorted(file.stem for file in CONTRACTS.glob("*.yaml"))
            raise BadContractError(
                f"no contract named {str(name_or_path)!r}; known are {', '.join(known)}, "
                "or give the path of a .yaml file"
            )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadContractError(f"{path}: the contract cannot be read: {error}") from error
    try:
        document = yaml.load(text, Loader=_UniqueKeyLoader)
    except yaml.YAMLError as error:
        raise BadContractError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(document, dict):
        raise BadContractError(f"{path}: expected a mapping of keys such as name, numeric and label")
    try:
        return Contract.model_validate(document)
    except ValidationError as error:
        lines = [_explain(problem) for problem in error.errors()]
        raise BadContractError("\n".join(f"{path}: {line}" for line in lines)) from error


def find(header: Iterable[str], where: str = "the file", role: Role = Role.TRAINING) -> Contract:
    """The contract of this project that a CSV header fits; if several do, the one with the most columns.

    Args:
      header: column names as the file has them.
      where: the file's name, for the message.
      role: what the rows of the file are.

    Raises:
      BadContractError: no contract fits; the nearest one and the differing columns are named.
    """
    names = set(header)
    contracts = [load(path) for path in sorted(CONTRACTS.glob("*.yaml"))]
    fitting = [contract for contract in contracts if contract.accepts(_trimmed(names, contract), role)]
    if fitting:
        return max(fitting, key=lambda contract: len(contract.header(role)))

    def likeness(contract: Contract) -> float:
        wanted, tidy = contract.header(role), _tidy(names)
        return len(wanted & tidy) / len(wanted | tidy if role is Role.TRAINING else wanted)

    nearest = max(contracts, key=likeness)
    raise BadContractError(
        f"{where}: no contract has these columns. The nearest is {nearest.name}: "
        f"{header_difference(nearest, names, role)}"
    )


def from_inputs(name: str, inputs: Mapping[str, bool]) -> Contract:
    """A contract that says no more than the inputs of a served model do, for reading a file of CUSTOMERS.

    Any finite number and any text will do, and every cell may be blank. A text column has empty `values`, which stand
    for any text; a contract read from YAML cannot have that. The contract is for the reader: it has no label, and no
    model can be trained from it.

    Args:
      name: how messages speak of the contract, such as the model's name.
      inputs: for each input of the model whether it is text.
    """
    numeric = {
        column: Numeric(unit="", min=-FLOAT32_MAX, max=FLOAT32_MAX, blank=True)
        for column, is_text in inputs.items()
        if not is_text
    }
    categorical = {
        column: Categorical.model_construct(values=(), blank=True) for column, is_text in inputs.items() if is_text
    }
    return Contract.model_construct(
        name=name, title=f"inputs of the model {name}", numeric=numeric, categorical=categorical
    )


def header_difference(contract: Contract, names: Iterable[str], role: Role = Role.TRAINING) -> str:
    """Says in words why a header does not fit a contract."""
    names = set(names)
    if not contract.source.trim and contract.accepts(_tidy(names), role):
        return f"blanks stand around a column name; {TRIM_HINT}"
    wanted = contract.header(role)
    missing, extra = sorted(wanted - names), sorted(names - wanted)
    parts = []
    if missing:
        parts.append("missing " + ", ".join(f"{name!r}{did_you_mean(name, extra)}" for name in missing))
    if extra and role is Role.TRAINING:
        parts.append("not in the contract " + ", ".join(map(repr, extra)))
    return "; ".join(parts) or "the same columns"


def _trimmed(names: set[str], contract: Contract) -> set[str]:
    return _tidy(names) if contract.source.trim else names


def _tidy(names: set[str]) -> set[str]:
    """Column names as they are read under `source: {trim: true}`."""
    stripped = (name.strip(" \t") for name in names)
    return {name[1:-1].strip(" \t") if len(name) > 1 and name[0] == name[-1] == '"' else name for name in stripped}


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML as contracts use it: no key twice, and `yes`/`no` are text, as they are in the data."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for index, key in enumerate(keys):
            if any(key.value == earlier.value for earlier in keys[:index]):
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} is given twice", key.start_mark)
        return super().construct_mapping(node, deep)


_UniqueKeyLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_UniqueKeyLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))


def _explain(problem: ErrorDetails) -> str:
    place = problem["loc"]
    key = ".".join(map(str, place))
    if problem["type"] == "extra_forbidden":
        models: dict[int | str, type[BaseModel]] = {
            "source": Source,
            "numeric": Numeric,
            "categorical": Categorical,
            "label": Label,
            "modelling": Modelling,
        }
        model = Contract if len(place) == 1 else models[place[0]]
        return f"{key}: unknown key{did_you_mean(str(place[-1]), model.model_fields)}"
    if problem["type"] == "missing":
        return f"{key}: this key is required"
    message = problem["msg"].removeprefix("Value error, ")
    shown = "" if isinstance(problem["input"], dict | BaseModel) else f", got {problem['input']!r}"
    return f"{key}: {message}{shown}" if key else message
