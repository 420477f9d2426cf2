"""What the desk stores, typed. Times are UTC, money is in euros."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

State = Literal["waiting", "scoring", "ranked", "frozen", "cancelled", "failed"]
"""`waiting` for its job, `scoring` while it runs, `ranked` when every row has a rank, `frozen` when the call list can
change no more; `cancelled` by a person, `failed` with a problem."""


@dataclass(frozen=True)
class Terms:
    """What a person decides about a campaign.

    Attributes:
      name: of the campaign.
      cost: of a call.
      margin: of a buyer before the cost of the call.
      calls: calls that can be made; None leaves it open.
      control_share: share of the calls that go to customers drawn at random instead of the best ones, 0 to 0.5.
      plan: values of the contract's `at_call` columns for the whole list, as text; columns that are not in it are taken
        from the file.
      quarantine: whether bad rows are set aside; otherwise one bad row refuses the list.
    """

    name: str
    cost: float
    margin: float
    calls: int | None = None
    control_share: float = 0.0
    plan: Mapping[str, str] = field(default_factory=dict)
    quarantine: bool = False


@dataclass(frozen=True)
class Campaign:
    """One campaign and how far it is.

    Attributes:
      id: in addresses, counted from 1.
      terms: see above.
      state: see State.
      created: when the list was uploaded.
      source: the file's name as the person has it.
      contract: the served model's data contract, as JSON.
      model, version: the served model that scores the list, once it is known.
      rows: rows in the list, bad ones included, as far as they have been read.
      scored: rows that have a probability.
      bad: rows set aside.
      problem: why it failed, or what a campaign that is being scored waits for; may have several lines.
      frozen: when the call list was frozen.
    """

    id: int
    terms: Terms
    state: State
    created: datetime
    source: str
    contract: str
    model: str | None = None
    version: str | None = None
    rows: int = 0
    scored: int = 0
    bad: int = 0
    problem: str | None = None
    frozen: datetime | None = None


@dataclass(frozen=True)
class Customer:
    """A scored row of a list.

    Attributes:
      row: its place in the file, from 1, bad rows counted.
      identifier: as in the file, or the row's number where the file has none.
      cells: the row as text, by column, with the plan's values.
      probability: calibrated.
      segment: name of the customer's segment; None where no segment model serves.
      warnings: what the model cannot know well: `job: 'astronaut' was not seen in training`.
      rank: from 1, by probability; None until the whole list is scored. Ties go to the earlier row.
      called: part of the frozen call list, as one of the best (`best`) or of the control group (`control`).
    """

    row: int
    identifier: str
    cells: Mapping[str, str]
    probability: float
    segment: str | None = None
    warnings: tuple[str, ...] = ()
    rank: int | None = None
    called: Literal["best", "control"] | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a customer.

    Attributes:
      identifier: as in the list.
      called: whether the customer was called.
      bought: None where it is not known.
      recorded: when it was uploaded; a later one replaces an earlier one.
    """

    identifier: str
    called: bool
    bought: bool | None
    recorded: datetime


@dataclass(frozen=True)
class Bad:
    """A row set aside: its line in the file, the fault in words, and the row as text."""

    line: int
    problem: str
    text: str


@dataclass(frozen=True)
class SoFar:
    """What the known calls of a campaign brought.

    Attributes:
      calls: of the call list whose outcome is known.
      buyers: among them.
      expected, expected_low, expected_high: buyers by the probabilities, with the 95 % interval.
      profit: margin of the buyers less the cost of the calls.
      held: whether the probabilities held.
      beat: whether the best customers bought more often than the control group; None while that is open.
    """

    calls: int
    buyers: int
    expected: float
    expected_low: float
    expected_high: float
    profit: float
    held: bool
    beat: bool | None


@dataclass(frozen=True)
class Standing:
    """How a ranked campaign does, in the figures of the first page.

    Attributes:
      calls: that its terms lead to.
      buyers, buyers_low, buyers_high: expected among them, with the 95 % interval.
      profit: expected.
      repeated: rows of the list whose identifier another row before them has.
      so_far: None while no outcome of a call is known.
    """

    calls: int
    buyers: float
    buyers_low: float
    buyers_high: float
    profit: float
    repeated: int = 0
    so_far: SoFar | None = None


class Scored(NamedTuple):
    """Customers that one request or one batch of a list had scored, for the request log.

    A tuple, since one is made for each request: a frozen dataclass takes six times as long. All values are plain ones
    of Python, not of numpy.

    Attributes:
      time: when they were scored, seconds since 1970.
      request: id of the request; empty for a list.
      caller: see `campaigns.context.caller`.
      campaign_id: of the list; None for a request.
      identifiers: as they came; None where a row has none. They are hashed before they are stored.
      model, version: the model that answered.
      probabilities: calibrated.
      purchases: the model's decisions, 0 or 1.
      seconds: how long the answer took.
      inputs: the rows as JSON texts; None unless the desk was started with `--log-inputs`.
    """

    time: float
    request: str
    caller: str
    campaign_id: int | None
    identifiers: Sequence[str | None]
    model: str
    version: str
    probabilities: Sequence[float]
    purchases: Sequence[int]
    seconds: float
    inputs: Sequence[str] | None = None
