"""The data contract: what a customer row is, read from `data/contracts/<name>.yaml`.

Everything that depends on columns takes them from the contract: CSV ingestion, the TFDV schema, preprocessing, the
serving signature, request validation and the drift monitors. A new data set is a new YAML file and no new code;
`python -m data.draft` writes a first version of it.

    Contract
    |- source        where the file comes from and how its CSV is written
    |- identifiers   columns that name a customer; never stored
    |- numeric       number columns: unit, range, missing marker
    |- categorical   text columns: allowed values
    |- label         the outcome and its positive value; may be absent
    |- after_call    columns known only after the call, such as its duration; they may be blank
    |- at_call       columns that describe the planned call, such as its channel; a plan may give them for a whole list
    |- calendar      columns that say on which day the call was, such as its month: kept, and no features
    |- clock         columns that say when in time the call was, such as an interest rate: likewise; both may be blank
    |                where the date does not follow from them
    |- call_date     how the date of a call follows from its row
    |- derived       features that follow from the dates of all calls: `list_size`
    |- backtest      the months on which choices are made, and those on which they are stated
    |- sensitive     columns that divide customers into groups whose share of a call list is watched, such as age
    |- views         by which columns customers are segmented, and which others describe the segments
    `- modelling     how models use the columns: crosses, slices, hyperparameters

Rows have a role. TRAINING rows have a label and the columns known only after the call. Rows of CUSTOMERS need neither.
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from data import contract_yaml
from data.contract_columns import (
    BLANKS,
    CALL_DAY,
    LARGEST_NUMBER,
    LIST_SIZE,
    MISSING_NUMBER,
    MISSING_TEXT,
    ONE_COLUMN,
    Backtest,
    CallDate,
    Categorical,
    Frozen,
    Label,
    Numeric,
    Published,
    Source,
    View,
    doubles,
    trimmed,
)
from data.errors import BadContractError, BadOptionError, did_you_mean

__all__ = [
    "BLANKS",
    "CALL_DAY",
    "CONTRACTS",
    "LARGEST_NUMBER",
    "LIST_SIZE",
    "MISSING_NUMBER",
    "MISSING_TEXT",
    "TRIM_HINT",
    "UNSERVABLE",
    "Backtest",
    "CallDate",
    "Categorical",
    "Contract",
    "Label",
    "Modelling",
    "Numeric",
    "Published",
    "Role",
    "Source",
    "View",
    "find",
    "from_inputs",
    "header_difference",
    "load",
    "parse",
    "servable",
]

CONTRACTS = Path(__file__).parent / "contracts"
_SERVABLE = re.compile(r"(?!self$)[A-Za-z0-9.][\w.-]*", re.ASCII)

UNSERVABLE = (
    "{!r} cannot be the name of a model's input; rename the column in file and contract, with letters A to Z, digits, "
    "'.', '_' and '-', neither '_' nor '-' in front, and not 'self'"
)
MOST_CROSSED = 10_000
"""Features of one cross; with more, the training rows would not fit into memory."""
Name = Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]*$")]
"""Of a contract or a view; it becomes a part of file names."""
TRIM_HINT = "trimming the blanks around it would make it fit (`source: {trim: true}` in the contract)"
"""Follows a message about a header or a row that only blanks keep from fitting."""


class Role(enum.Enum):
    """What the rows of a file are."""

    TRAINING = "training"
    """Past calls: the label and the columns known only after the call are there."""
    CUSTOMERS = "customers"
    """People to be called: neither is needed, and all cells of the file stay available as text. What describes the call
    (`at_call`) may come from a plan, see `data.plan`."""


class Modelling(Frozen):
    """How models use the columns."""

    crosses: tuple[tuple[str, str], ...] = ()
    """Pairs of categorical columns, or numbers with one_hot or bins, whose combinations are features of their own."""
    slices: tuple[str, ...] = ()
    """Columns by whose values the evaluation is broken down."""
    half_life_days: Annotated[float, Field(gt=0)] | None = None
    """After so many days a call counts half in training; None where all count alike."""
    hyperparameters: dict[str, Any] = Field(default_factory=dict)
    """For runs without tuning: the values that differ from the defaults in `modules.purchase.hyperparameters`."""


class Contract(Frozen):
    """What a customer row is. Load one with :func:`load`, or let :func:`find` choose it by a file's header."""

    name: Name
    title: str
    source: Source = Source()
    row_order: Literal["date", "none"] = "none"
    """`date` where rows lie in the order in which the calls were made, which `--split time` needs."""
    identifiers: tuple[str, ...] = ()
    numeric: dict[str, Numeric] = Field(default_factory=dict)
    categorical: dict[str, Categorical] = Field(default_factory=dict)
    label: Label | None = None
    after_call: tuple[str, ...] = ()
    at_call: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()
    calendar: tuple[str, ...] = ()
    clock: tuple[str, ...] = ()
    call_date: CallDate | None = None
    derived: Literal["list_size"] | None = None
    backtest: Backtest | None = None
    views: dict[Name, View] = Field(default_factory=dict)
    modelling: Modelling = Modelling()

    @model_validator(mode="before")
    @classmethod
    def _gather_modelling(cls, document: Any) -> Any:
        """Accepts the keys of `modelling` at the top level too, where earlier contracts have them."""
        if not isinstance(document, dict) or not isinstance(document.get("modelling", {}), dict):
            return document
        inside = document.get("modelling", {})
        moved = {key: document[key] for key in Modelling.model_fields if key in document and key not in inside}
        rest = {key: value for key, value in document.items() if key not in moved}
        return {**rest, "modelling": {**inside, **moved}}

    @model_validator(mode="before")
    @classmethod
    def _let_unknown_be_blank(cls, document: Any) -> Any:
        """Lets columns be blank that the calls of the desk lack, unless they say `blank: false`.

        These are the columns known only after the call, and those that say when it was and are not needed to date it.
        """
        if not isinstance(document, dict):
            return document
        date = document.get("call_date")
        parts = date.columns if isinstance(date, CallDate) else [*date.values()] if isinstance(date, dict) else []
        keys = ("after_call", "calendar", "clock")
        named = [name for key in keys if isinstance(document.get(key), list | tuple) for name in document[key]]
        names = [name for name in named if name not in parts]
        changed = dict(document)
        for kind in ("numeric", "categorical"):
            columns = document.get(kind)
            if isinstance(columns, dict):
                changed[kind] = {name: _or_blank(rule) if name in names else rule for name, rule in columns.items()}
        return changed

    @model_validator(mode="before")
    @classmethod
    def _add_derived(cls, document: Any) -> Any:
        """Declares the derived columns like any other; a contract that was written as JSON has them already."""
        if not isinstance(document, dict) or document.get("derived") != "list_size":
            return document
        numeric = document.get("numeric", {})
        if not isinstance(numeric, dict):
            return document
        return {**document, "numeric": {**numeric, **LIST_SIZE}}

    @model_validator(mode="after")
    def _check_dates(self) -> Contract:
        if self.derived and self.call_date is None:
            raise ValueError("derived: list_size needs call_date")
        if self.modelling.half_life_days and self.call_date is None:
            raise ValueError("modelling.half_life_days needs call_date")
        if self.backtest and self.call_date is None:
            raise ValueError("backtest needs call_date")
        if self.call_date is None:
            return self
        if CALL_DAY in {*self.numeric, *self.categorical, *self.identifiers}:
            raise ValueError(f"a column cannot be named {CALL_DAY!r} in a contract with call_date")
        column = self.call_date.column
        if column is None:
            self._check_features("call_date", self.call_date.columns)
        elif column in {*self.numeric, *self.categorical, *self.identifiers}:
            raise ValueError(f"call_date.column: {column!r} is declared elsewhere; a column of dates is no feature")
        if self.row_order != "date":
            raise ValueError("call_date needs row_order: date")
        return self

    @model_validator(mode="after")
    def _check_columns(self) -> Contract:
        label = (self.label.name,) if self.label else ()
        if twice := doubles([*self.identifiers, *self.numeric, *self.categorical, *label]):
            raise ValueError(
                f"numeric, categorical, identifiers, label: columns are declared twice: {', '.join(twice)}"
            )
        self._check_features("after_call", self.after_call)
        self._check_features("at_call", self.at_call)
        self._check_features("calendar", self.calendar)
        self._check_features("clock", self.clock)
        for name in self.at_call:
            if name in self.after_call:
                raise ValueError(f"at_call: {name!r} is known only after the call")
        self._check_features("sensitive", self.sensitive)
        for name in self.sensitive:
            if name not in self._of_customer():
                raise ValueError(f"sensitive: {name!r} does not describe the customer")
            if name in self.numeric and not self.numeric[name].bands:
                raise ValueError(f"sensitive: numeric column {name!r} needs bands")
        roles = [*self.after_call, *self.at_call, *self.calendar, *self.clock]
        if twice := doubles(roles):
            raise ValueError(f"after_call, at_call, calendar, clock: in more than one: {', '.join(twice)}")
        if not self.features():
            raise ValueError("numeric, categorical: at least one column must be known before the call")
        if not self._of_customer():
            raise ValueError("at_call: at least one other column must be known before the call")
        for name in (*self.numeric, *self.categorical, *label):
            if not servable(name):
                raise ValueError(UNSERVABLE.format(name))
        features = (*self.numeric, *self.categorical)
        lowered = doubles([name.lower() for name in features])
        if alike := sorted(name for name in features if name.lower() in lowered):
            raise ValueError(
                f"numeric, categorical: {', '.join(alike)} differ in upper and lower case only, which TensorFlow does "
                "not tell apart in the inputs of a model; rename one in file and contract"
            )
        if self.source.trim:
            texts = {name: column.values for name, column in self.categorical.items()}
            if self.label:
                texts[self.label.name] = (self.label.positive, self.label.negative)
            for name, values in texts.items():
                for value in values:
                    if value != value.strip(BLANKS):
                        raise ValueError(
                            f"{name}: {value!r} never occurs, since source.trim drops the blanks around it"
                        )
        return self

    @model_validator(mode="after")
    def _check_modelling(self) -> Contract:
        slices, crosses = self.modelling.slices, self.modelling.crosses
        self._check_features("modelling.slices", slices)
        for pair in crosses:
            self._check_features("modelling.crosses", pair)
            for name in pair:
                if name in self.numeric and not (self.numeric[name].one_hot or self.numeric[name].bins):
                    raise ValueError(
                        f"modelling.crosses: numeric column {name!r} needs one_hot: true or bins to be crossed"
                    )
            size = math.prod(map(self._categories, pair))
            if size > MOST_CROSSED:
                raise ValueError(
                    f"modelling.crosses: {list(pair)} would be {size:,} features, more than {MOST_CROSSED:,}"
                )
        if twice := doubles([" and ".join(sorted(pair)) for pair in crosses]):
            raise ValueError(f"modelling.crosses: listed twice: {', '.join(twice)}")
        for name in slices:
            if name in self.numeric and not self.numeric[name].bands:
                raise ValueError(f"modelling.slices: numeric column {name!r} needs bands")
        return self

    @model_validator(mode="after")
    def _check_views(self) -> Contract:
        for name, view in self.views.items():
            for key, columns in (("columns", view.columns), ("describe", view.describe)):
                self._check_features(f"views.{name}.{key}", columns)
            for column in view.columns:
                if column in self.after_call:
                    raise ValueError(f"views.{name}.columns: {column!r} is known only after the call")
                if column in self.at_call:
                    raise ValueError(f"views.{name}.columns: {column!r} describes the call, not the customer")
                if column in view.describe:
                    raise ValueError(f"views.{name}: {column!r} is in columns and in describe")
            for number, published in enumerate(view.published):
                self._check_features(f"views.{name}.published.{number}.columns", published.columns)
        return self

    def _check_features(self, key: str, names: Sequence[str]) -> None:
        known = {*self.numeric, *self.categorical}
        for name in names:
            if name not in known:
                raise ValueError(f"{key}: {name!r} is not a declared feature{did_you_mean(name, known)}")
        if twice := doubles(names):
            raise ValueError(f"{key}: listed twice: {', '.join(twice)}")

    def _categories(self, name: str) -> int:
        """How many categories a column has that may be crossed."""
        if name in self.categorical:
            return len(self.categorical[name].domain)
        column = self.numeric[name]
        return column.bins or int(column.max - column.min) + 1

    def view(self, name: str | None = None) -> tuple[str, View]:
        """A view and its name.

        Args:
          name: of the view; None for the first one. A contract without views has one, `all`, of all columns known
            before the call except those of `at_call`.

        Raises:
          BadOptionError: there is no such view.
          BadContractError: the contract has no views and a single column.
        """
        views = self.views
        if not views:
            columns = self._of_customer()
            if len(columns) < 2:
                raise BadContractError(f"contract {self.name} has one column: {ONE_COLUMN}")
            views = {"all": View(columns=columns)}
        if name is None:
            name = next(iter(views))
        if name not in views:
            raise BadOptionError(
                f"contract {self.name} has no view {name!r}{did_you_mean(name, views)}; it has {', '.join(views)}"
            )
        return name, views[name]

    def columns(self, role: Role) -> tuple[str, ...]:
        """The columns with values that a file of this role must have, numbers first."""
        names = (*self.numeric, *self.categorical) if role is Role.TRAINING else self.features()
        return tuple(name for name in names if name not in self.derived_columns)

    @property
    def derived_columns(self) -> tuple[str, ...]:
        """The features that no training file has; ingestion derives them."""
        return tuple(name for name in LIST_SIZE if name in self.numeric) if self.derived else ()

    @property
    def planned(self) -> tuple[str, ...]:
        """The features that a plan may give for a whole list."""
        return (*self.at_call, *self.derived_columns)

    def with_calendar(self) -> Contract:
        """A copy in which `calendar` and `clock` are features that describe the call. It is not validated."""
        at_call = (*self.at_call, *self.calendar, *self.clock)
        return self.model_copy(update={"at_call": at_call, "calendar": (), "clock": ()})

    def header(self, role: Role) -> frozenset[str]:
        """The columns that a file of this role must have, in any order: TRAINING with identifiers and label."""
        return frozenset(self.columns(role) if role is Role.CUSTOMERS else self.training_header)

    @property
    def training_header(self) -> tuple[str, ...]:
        """The columns of a file of TRAINING rows in the order in which this project writes them, the label last."""
        label = (self.label.name,) if self.label else ()
        date = (self.call_date.column,) if self.call_date and self.call_date.column else ()
        return (*self.identifiers, *date, *self.columns(Role.TRAINING), *label)

    def may_be_blank(self, name: str) -> bool:
        """Whether the cells of a feature may be empty."""
        rule = self.numeric.get(name) or self.categorical[name]
        return rule.blank

    def accepts(self, names: Iterable[str], role: Role) -> bool:
        """Whether these are the column names of a file of this role; CUSTOMERS may have more than it needs."""
        names, wanted = set(names), self.header(role)
        return wanted == names if role is Role.TRAINING else wanted <= names

    def with_modelling(self, **changes: Any) -> Contract:
        """A copy with some fields of `modelling` replaced. The new values are not validated."""
        return self.model_copy(update={"modelling": self.modelling.model_copy(update=changes)})

    @property
    def required_label(self) -> Label:
        """The label, for code that learns from it.

        Raises:
          BadContractError: the contract has no label.
        """
        if self.label is None:
            raise BadContractError(f"contract {self.name} has no label, so no purchases can be learned from its rows")
        return self.label

    def features(self, with_after_call: bool = False) -> tuple[str, ...]:
        """Names of the model's inputs, numbers first.

        Args:
          with_after_call: whether to include columns known only after the call, which is for benchmarks.
        """
        hidden = {*self.calendar, *self.clock, *(() if with_after_call else self.after_call)}
        return tuple(name for name in (*self.numeric, *self.categorical) if name not in hidden)

    def _of_customer(self) -> tuple[str, ...]:
        """The features that describe the customer and not the call."""
        return tuple(name for name in self.features() if name not in self.planned)


def servable(name: str) -> bool:
    """Whether TensorFlow keeps a name as it is when it names the input of a signature."""
    return _SERVABLE.fullmatch(name) is not None


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
    return parse(text, str(path))


def parse(text: str, where: str) -> Contract:
    """Validates the YAML text of a contract.

    Args:
      text: what a contract file holds.
      where: the file's name, for messages.

    Raises:
      BadContractError: not YAML, or a key is wrong; every wrong key is named.
    """
    try:
        document = contract_yaml.load(text)
    except yaml.YAMLError as error:
        raise BadContractError(f"{where}: not valid YAML: {error}") from error
    if not isinstance(document, dict):
        raise BadContractError(f"{where}: expected a mapping of keys such as name, numeric and label")
    try:
        return Contract.model_validate(document)
    except ValidationError as error:
        lines = [_explain(problem) for problem in error.errors()]
        raise BadContractError("\n".join(f"{where}: {line}" for line in lines)) from error


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
    tidy = _tidy(names)
    fitting = [rules for rules in contracts if rules.accepts(tidy if rules.source.trim else names, role)]
    if fitting:
        return max(fitting, key=lambda contract: len(contract.header(role)))

    def likeness(contract: Contract) -> tuple[float, int]:
        wanted = contract.header(role)
        return len(wanted & tidy) / len(wanted | tidy if role is Role.TRAINING else wanted), len(wanted)

    nearest = max(contracts, key=likeness)
    raise BadContractError(
        f"{where}: no contract has these columns. The nearest is {nearest.name}: "
        f"{header_difference(nearest, names, role)}"
    )


def from_inputs(name: str, inputs: Mapping[str, bool]) -> Contract:
    """A contract that says no more than the inputs of a served model do, for reading a file of CUSTOMERS.

    Any finite number and any text will do, and every cell may be blank. A text column has empty `values`, which stand
    for any text; a contract read from YAML cannot have that. A file need not have the size of the list, see `derived`.
    The contract is for the reader: it has no label, and no model can be trained from it.

    Args:
      name: how messages speak of the contract, such as the model's name.
      inputs: for each input of the model whether it is text.
    """
    numeric = {
        column: Numeric(unit="", min=-LARGEST_NUMBER, max=LARGEST_NUMBER, blank=True)
        for column, is_text in inputs.items()
        if not is_text
    }
    categorical = {
        column: Categorical.model_construct(values=(), blank=True) for column, is_text in inputs.items() if is_text
    }
    title = f"inputs of the model {name}"
    if LIST_SIZE.keys() <= numeric.keys():
        numeric, derived = {**numeric, **LIST_SIZE}, "list_size"
    else:
        derived = None
    return Contract.model_construct(name=name, title=title, numeric=numeric, categorical=categorical, derived=derived)


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


def _or_blank(rule: Any) -> Any:
    """The rule of a column with `blank: true`, unless it says something about blanks."""
    if isinstance(rule, Numeric | Categorical):
        return rule if "blank" in rule.model_fields_set else rule.model_copy(update={"blank": True})
    return {"blank": True, **rule} if isinstance(rule, dict) else rule


def _tidy(names: Iterable[str]) -> set[str]:
    return set(map(trimmed, names))


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
            "views": View if len(place) == 3 else Published,
            "call_date": CallDate,
            "backtest": Backtest,
        }
        model = Contract if len(place) == 1 else models[place[0]]
        return f"{key}: unknown key{did_you_mean(str(place[-1]), model.model_fields)}"
    if problem["type"] == "missing":
        return f"{key}: this key is required"
    message = problem["msg"].removeprefix("Value error, ")
    value = "" if isinstance(problem["input"], dict | BaseModel) else f", got {problem['input']!r}"
    return f"{key}: {message}{value}" if key else message
