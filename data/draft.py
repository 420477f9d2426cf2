"""Writes a contract to begin with from a CSV file: `python -m data.draft customers.csv --label bought`."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml

from data import contract as contracts
from data import reader
from data.command import DONE, guarded
from data.contract import BLANKS, Contract, Role, Source
from data.draft_columns import LEAK_AUC, Column, Guess, auc_alone, guess
from data.errors import BadFileError, BadOptionError, did_you_mean

POSITIVE = {"yes", "y", "true", "t", "1", "1.0", "positive", "success", "ja", "j", "si", "sí", "s", "oui", "o", "sim"}
"""Words for the positive value of a label."""
NEGATIVE = {"no", "n", "false", "f", "0", "0.0", "negative", "failure", "nein", "non", "não"}
MOST_SLICES, MOST_SLICE_VALUES = 4, 12
"""Categories by which the evaluation is broken down: at most so many, each with at most so many values."""

EPILOG = """\
The contract says what each column of the file is: a number with its range, a category with its values, an identifier,
the label, or a column known only after the call, which no model may use to choose whom to call. The command guesses
all of this from the cells, writes it to a YAML file and lists what to check. Then:

  1. open the YAML file and follow the list
  2. python -m pipeline.run --data customers.csv --contract customers.yaml
     without --label: python -m pipeline.segment --data customers.csv --contract customers.yaml

exit codes: 0 written, 2 the file or an option is wrong, 1 anything else
"""


@dataclass(frozen=True)
class Draft:
    """A contract to begin with."""

    text: str
    """The YAML file."""
    contract: Contract
    notes: tuple[str, ...]
    """What was guessed and should be checked, one sentence each."""


def draft(file: Path, label: str | None = None) -> Draft:
    """Guesses the contract of a CSV file.

    Args:
      file: CSV with a header, with cells separated by one of `, ; tab |`.
      label: the column to learn; None for rows that are only segmented.

    Raises:
      BadFileError: the file cannot be read; it has no such column; the label does not have two values; or a column
        cannot be used as it is, and the message says what to change.
    """
    source, columns = _read(file, label)
    outcome, hits = ({}, None) if label is None else _outcome(file, columns.pop(label))
    guesses = _guesses(file, label, columns)
    features = {name: columns[name] for name, judged in guesses.items() if judged.rule}
    if not features:
        besides = "" if label is None else f" besides {label!r}"
        raise BadFileError(f"{file}: no column{besides} is a number or a category")
    ranking = {} if hits is None else _ranking(features, hits)
    after_call = _leaks(ranking)
    slices = _slices(guesses, ranking, after_call)
    document = {
        "name": re.sub(r"[^a-z0-9]+", "-", file.stem.lower()).strip("-") or "customers",
        "title": f"{file.name}, {len(next(iter(features.values())).codes):,} rows",
        "source": source,
        "row_order": "none",
        "identifiers": [name for name, judged in guesses.items() if judged.kind == "identifiers"],
        **{
            kind: {name: judged.rule for name, judged in guesses.items() if judged.kind == kind}
            for kind in ("numeric", "categorical")
        },
        "label": outcome,
        "after_call": after_call,
        "modelling": {"slices": slices} if slices else {},
    }
    text = _yaml(file, document)
    contract = contracts.parse(text, f"draft of {file}")
    notes = []
    if hits is not None:
        notes.append(
            f"label: {outcome['positive']!r} is taken for the positive value of {label!r} ({hits.mean():.1%} of the "
            f"rows), {outcome['negative']!r} for the negative one"
        )
    for name, auc in ranking.items():
        if auc >= LEAK_AUC:
            advice = "delete it there if it is known before" if name in after_call else "kept, as no other is left"
            notes.append(f"after_call: {name!r} alone ranks the label with AUC {auc:.2f}; {advice}")
    notes += [f"{judged.kind}: {name!r}: {judged.note}" for name, judged in guesses.items() if judged.note]
    return Draft(text + _at_call(contract) + _view(contract), contract, (*notes, *_general_notes(document)))


def _read(file: Path, label: str | None) -> tuple[dict[str, Any], dict[str, Column]]:
    """The contract's `source` and the columns of a file, read without blanks around the cells."""
    names, delimiter = reader.header(file, trim=True)
    if label is not None and label not in names:
        hint = did_you_mean(label, names)
        raise BadFileError(f"{file}:1: no column {label!r}{hint}; the columns are {', '.join(names)}")
    source = Source(delimiter=delimiter, trim=True)
    loose = contracts.from_inputs("draft", {label or names[0]: True}).model_copy(update={"source": source})
    parts: dict[str, list[pa.DictionaryArray]] = {name: [] for name in names}
    for block in reader.read(file, loose, Role.CUSTOMERS):
        if block.bad:
            raise BadFileError(str(block.bad[0]))
        assert block.cells is not None
        for name, cells in zip(names, block.cells.columns, strict=True):
            parts[name].append(cells.dictionary_encode())
    columns = {}
    for name, arrays in parts.items():
        encoded = pa.chunked_array(arrays).unify_dictionaries().combine_chunks()
        arrays.clear()
        columns[name] = Column(name, encoded.dictionary.to_pylist(), encoded.indices.to_numpy())
    return {"delimiter": delimiter, **({"trim": True} if _has_outer_blanks(file, delimiter) else {})}, columns


def _has_outer_blanks(file: Path, delimiter: str) -> bool:
    """Whether a blank stands at the beginning or the end of any cell."""
    blanks = BLANKS.replace(delimiter, "").encode()
    is_blank, is_edge = np.zeros(256, bool), np.zeros(256, bool)
    is_blank[[*blanks]] = True
    is_edge[[*f'{delimiter}\r\n"'.encode()]] = True
    before = b"\n"
    with file.open("rb") as stream:
        while chunk := stream.read(reader.BLOCK_BYTES):
            characters = np.frombuffer(before + chunk, np.uint8)
            blank, edge = is_blank[characters], is_edge[characters]
            if (blank[1:] & edge[:-1]).any() or (blank[:-1] & edge[1:]).any():
                return True
            before = chunk[-1:]
    return before in blanks


def _outcome(file: Path, label: Column) -> tuple[dict[str, str], np.ndarray]:
    """The contract's `label`, and whether each row has its positive value."""
    positive, negative = _label_values(file, label)
    words = {"name": label.name, "positive": positive, "negative": negative, "one": "buyer", "many": "buyers"}
    return words, label.codes == label.values.index(positive)


def _label_values(file: Path, label: Column) -> tuple[str, str]:
    """The positive and the negative value: by their words, else the rarer one is positive."""
    counts = Counter(dict(zip(label.values, np.bincount(label.codes).tolist(), strict=True)))
    if "" in counts:
        raise BadFileError(
            f"{file}: the label {label.name!r} is blank in {counts['']:,} rows; give each row its outcome"
        )
    if len(counts) != 2:
        values = ", ".join(repr(value) for value, _ in counts.most_common(5)) + (", ..." if len(counts) > 5 else "")
        raise BadFileError(f"{file}: the label {label.name!r} must have two values, got {len(counts):,}: {values}")
    (common, _), (rare, _) = counts.most_common()
    for positive, negative in ((rare, common), (common, rare)):
        if positive.lower() in POSITIVE or negative.lower() in NEGATIVE:
            return positive, negative
    return rare, common


def _guesses(file: Path, label: str | None, columns: dict[str, Column]) -> dict[str, Guess]:
    guesses = {name: guess(column) for name, column in columns.items()}
    faults = [f"{file}: column {name!r}: {judged.note}" for name, judged in guesses.items() if not judged.kind]
    inputs = [name for name, judged in guesses.items() if judged.rule] + ([] if label is None else [label])
    faults += [f"{file}:1: {contracts.UNSERVABLE.format(name)}" for name in inputs if not contracts.servable(name)]
    if faults:
        raise BadFileError("\n".join(faults))
    return guesses


def _ranking(features: dict[str, Column], hits: np.ndarray) -> dict[str, float]:
    """The AUC of each column alone, the best first."""
    scores = {name: auc_alone(column, hits) for name, column in features.items()}
    return dict(sorted(scores.items(), key=lambda item: -item[1]))


def _leaks(ranking: dict[str, float]) -> list[str]:
    """The columns that rank the label too well, unless no other column would be left."""
    leaks = [name for name, auc in ranking.items() if auc >= LEAK_AUC]
    return leaks if len(leaks) < len(ranking) else leaks[:-1]


def _slices(guesses: dict[str, Guess], ranking: dict[str, float], after_call: list[str]) -> list[str]:
    """The categories with few values that say most about the label."""
    few = [name for name in ranking if 1 < len(guesses[name].rule.get("values", ())) <= MOST_SLICE_VALUES]
    return [name for name in few if name not in after_call][:MOST_SLICES]


def _general_notes(document: dict[str, Any]) -> list[str]:
    notes = ["row_order: set it to `date` if the rows lie in the order in which the calls were made"]
    if document["numeric"]:
        notes.append('unit: replace each "?" by the unit of the number, such as years; widen or narrow its range')
    if document["categorical"]:
        notes.append(
            "values: add what is not in the file but may come; a rising scale gets its order and `ordered: true`"
        )
    if document["source"].get("trim"):
        notes.append("source: `trim: true`, because blanks stand around cells of the file")
    if document["modelling"]:
        notes.append("slices: the evaluation is broken down by " + ", ".join(document["modelling"]["slices"]))
    return notes


def _yaml(file: Path, document: dict[str, Any]) -> str:
    comment = (
        f"# A draft, guessed from {file.name!r} by `python -m data.draft`. Check every line.\n"
        '# The keys are explained in data/README.md. Replace each unit "?".\n\n'
    )
    return comment + _dump({key: value for key, value in document.items() if value})


def _at_call(contract: Contract) -> str:
    """A comment that shows how columns that describe the call are named; nothing without a label or for one column."""
    if contract.label is None or len(contract.features()) < 2:
        return ""
    return (
        "\n# Columns that describe the call and not the customer, such as its month, belong in the brackets; remove\n"
        "# the `# ` in front. A plan may then give one value of such a column for a whole list of customers.\n"
        "# at_call: []\n"
    )


def _view(contract: Contract) -> str:
    """A comment that shows how the columns by which customers are segmented are chosen; nothing for one column."""
    columns = [*contract.features()]
    if len(columns) < 2:
        return ""
    lines = _dump({"views": {"all": {"columns": columns, "describe": []}}}).splitlines()
    return (
        "\n# All of these columns form the segments. To choose some of them, remove the `# ` before the lines below,\n"
        "# and move the columns that only describe a segment to `describe`.\n"
        + "".join(f"# {line}\n" for line in lines)
    )


def _dump(document: dict[str, Any]) -> str:
    return yaml.dump(document, Dumper=_Dumper, default_flow_style=None, sort_keys=False, allow_unicode=True, width=100)


class _Dumper(yaml.SafeDumper):
    """Escapes characters that are not printable, such as Unicode line breaks, which PyYAML would turn into spaces."""

    def represent_str(self, text: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", text, None if text.isprintable() else '"')


_Dumper.add_representer(str, _Dumper.represent_str)


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    return guarded(lambda: _write(options.file, options.label, options.out))


def _write(file: Path, label: str | None, out: Path | None) -> int:
    target = out or Path(f"{file.stem}.yaml")
    if target.suffix not in (".yaml", ".yml"):
        raise BadOptionError(f"--out {target}: the name of a contract ends in .yaml")
    if target.exists():
        raise BadOptionError(f"{target}: is there already; remove it, or name another file with --out")
    result = draft(file, label)
    try:
        target.write_text(result.text, encoding="utf-8")
    except OSError as error:
        raise BadOptionError(f"{target}: cannot be written: {error.strerror}") from error
    counted = ((len(getattr(result.contract, key)), key) for key in ("numeric", "categorical", "identifiers"))
    data, contract = shlex.quote(str(file)), shlex.quote(str(target))
    command, name = (
        ("pipeline.segment", "") if label is None else ("pipeline.run", f" --model-name {result.contract.name}")
    )
    sys.stdout.write(
        f"{target}: a draft with {', '.join(f'{count} {key}' for count, key in counted)}. Please check:\n"
        + "".join(f"- {note}\n" for note in result.notes)
        + f"next: .venv/bin/python -m {command} --data {data} --contract {contract}{name}\n"
    )
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m data.draft",
        description="Writes a contract to begin with, guessed from a CSV file of customers.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="CSV file with a header")
    parser.add_argument(
        "--label",
        metavar="COLUMN",
        help="the column to learn, with two values; without it the contract is for segmentation only",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the contract (default: the name of the CSV file with .yaml, here)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
