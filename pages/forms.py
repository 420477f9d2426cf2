"""Forms of a page, which work without JavaScript. A script of the page may make more of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Slider:
    """A slider beside a number, which only a script shows.

    Attributes:
      label: what it sets.
      value: at the start.
      low, high, step: the numbers that it can set.
      says: its number in words, with `{number}` in the place of the number.
    """

    label: str
    value: int
    low: int
    high: int
    step: int
    says: str


@dataclass(frozen=True)
class Button:
    """Another button of a form: it sends the answers, also such as a browser would not accept, and one of its own."""

    name: str
    value: str
    text: str


@dataclass(frozen=True)
class Field:
    """A question of a form.

    Attributes:
      name: of the answer.
      label: the question.
      kind: of the answer; `password` is not shown, `choice` is one of `choices`, `check` is yes or no.
      value: the answer at the start; that of a checkbox is `yes` or empty.
      hint: stands below the question.
      choices: values and their texts.
      required: whether there must be an answer.
      low, high: limits of a number.
      whole: whether a number has no decimals.
      slider: beside a number.
      drop: invites to drop a file, where a script takes it.
    """

    name: str
    label: str
    kind: Literal["text", "password", "number", "file", "check", "choice"] = "text"
    value: str = ""
    hint: str = ""
    choices: Sequence[tuple[str, str]] = ()
    required: bool = False
    low: float | None = None
    high: float | None = None
    whole: bool = False
    slider: Slider | None = None
    drop: str = ""


@dataclass(frozen=True)
class Form:
    """Questions and a button.

    Attributes:
      name: identifies the form within the page.
      action: the address that it is sent to.
      fields: in their order.
      button: the text on the button.
      hidden: answers that nobody is asked for.
      asks: whether it only asks for another page (`GET`); otherwise it changes something (`POST`).
      quiet: whether the button is not the page's most important one.
      others: more buttons.
      texts: for a script of the page, by the name of the `data-` attribute.
    """

    name: str
    action: str
    fields: Sequence[Field]
    button: str
    hidden: Mapping[str, str] = field(default_factory=dict)
    asks: bool = False
    quiet: bool = False
    others: Sequence[Button] = ()
    texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def uploads(self) -> bool:
        """Whether a file is sent with it."""
        return any(one.kind == "file" for one in self.fields)
