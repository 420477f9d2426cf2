"""The page of the API, made from its OpenAPI document."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from campaigns.views.screen import API, Screen
from data.contract import Contract
from pages.blocks import Block, Command, Link, Links, Paragraph, Section, Table
from pages.formatting import number
from pages.language import tr

DOCUMENT = "/api/openapi.json"
_JSON, _FORM = "application/json", "multipart/form-data"
_EXAMPLES = {"name": "spring", "cost": "5", "margin": "80", "calls": "200", "control_share": "0.1", "quarantine": "no"}


def screen(document: Mapping[str, Any], server: str, contract: Contract | None) -> Screen:
    """The page.

    Args:
      document: the OpenAPI document.
      server: address of the desk.
      contract: of the model that serves, for examples of rows; None where none serves.
    """
    routes = [
        (method.upper(), path, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    texts = [
        tr(
            "Answers are JSON unless a route gives a file. An error is {form}, with status 400 or 422 for what you can "
            "put right, 404 for what is not there, 409 where the campaign's state does not allow it, 413 for a body "
            "that is too large, and 503 where the model server does not answer.",
            form='{"error": "..."}',
        ),
        tr("Where the desk asks for a key, send it as {header}.", header="Authorization: Bearer KEY"),
    ]
    blocks: list[Block] = [Paragraph(f"text-{place}", text) for place, text in enumerate(texts)]
    blocks.append(Links("document", [Link(tr("The OpenAPI document"), DOCUMENT)]))
    head = (tr("Route"), tr("What it does"))
    rows = [
        (Link(f"{method} {path}", f"#{_name(method, path)}"), _first(operation)) for method, path, operation in routes
    ]
    blocks.append(Table("routes", tr("Routes"), head, rows, frozenset({0, 1})))
    return Screen(
        tr("The API of the desk"),
        [
            Section("overview", tr("Overview"), blocks),
            *(
                Section(
                    _name(method, path), f"{method} {path}", list(_route(method, path, operation, server, contract))
                )
                for method, path, operation in routes
            ),
        ],
        here=API,
    )


def _route(
    method: str, path: str, operation: Mapping[str, Any], server: str, contract: Contract | None
) -> Iterator[Block]:
    name, route = _name(method, path), f"{method} {path}"
    yield Paragraph(f"{name}-what", _text(operation))
    takes = [
        (one["name"], {"path": tr("address"), "query": tr("query")}.get(one["in"], one["in"]), one["schema"], one)
        for one in operation.get("parameters", ())
    ]
    content = operation.get("requestBody", {}).get("content", {})
    for kind, body in content.items():
        schema, where = body["schema"], {_JSON: tr("JSON"), _FORM: tr("form")}.get(kind, kind)
        needed = schema.get("required", ())
        takes += [
            (member, where, inner, {"required": member in needed}) for member, inner in schema["properties"].items()
        ]
    if takes:
        head = (tr("Name"), tr("Where"), tr("Value"), tr("Needed"))
        cells = [
            (one, where, _value(schema), tr("yes") if more.get("required") else tr("no"))
            for one, where, schema, more in takes
        ]
        yield Table(f"{name}-takes", tr("What {route} takes", route=route), head, cells, frozenset({0, 1, 2, 3}))
    yield Command(f"{name}-example", _curl(method, server + path, operation, content, contract))
    answer: Mapping[str, Any] = next(
        (one for status, one in operation["responses"].items() if status.startswith("2")), {}
    )
    members = answer.get("content", {}).get(_JSON, {}).get("schema", {}).get("properties", {})
    if members:
        found = [(one, _value(schema)) for one, schema in _flat(members)]
        names = (tr("Name"), tr("Value"))
        yield Table(
            f"{name}-answers", tr("What {route} answers", route=route), names, found, frozenset({0, 1}), narrow=True
        )


def _flat(members: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The members of an answer, those of inner objects with the name of the outer one: `predictions.purchase`."""
    for name, schema in members.items():
        inner = schema.get("properties") or schema.get("items", {}).get("properties")
        if inner:
            yield from _flat(inner, f"{before}{name}.")
        else:
            yield before + name, schema


def _value(schema: Mapping[str, Any]) -> str:
    """What a value must be: `whole number, 1 to 1,000; 100 by default`."""
    kinds = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    schema = {**schema, **kinds[0]} if kinds else schema
    types = schema.get("type", "")
    names = {
        "integer": tr("whole number"),
        "number": tr("number"),
        "string": tr("file") if schema.get("format") == "binary" else tr("text"),
        "boolean": tr("true or false"),
        "array": tr("list"),
        "object": tr("object"),
        "null": tr("null"),
    }
    text = ", ".join(names.get(kind, kind) for kind in ([types] if isinstance(types, str) else types))
    if "enum" in schema:
        text = ", ".join(map(str, schema["enum"]))
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        text += ", " + tr("{low} to {high}", low=number(low), high=number(high))
    if schema.get("default") is not None:
        text += "; " + tr("{value} by default", value=json.dumps(schema["default"]).strip('"'))
    return text + (f"; {schema['description']}" if "description" in schema else "")


def _curl(
    method: str, address: str, operation: Mapping[str, Any], content: Mapping[str, Any], contract: Contract | None
) -> str:
    """A line for a terminal that calls the route."""
    words = ["curl"]
    if _FORM in content:
        schema = content[_FORM]["schema"]
        for member in schema["properties"]:
            if member == "file":
                words += ["-F", "file=@list.csv"]
            elif member in schema.get("required", ()):
                words += ["-F", f"{member}={_EXAMPLES.get(member, '1')}"]
    elif _JSON in content:
        body = json.dumps({"instances": [_row(contract)]})
        words += ["-H", f"Content-Type: {_JSON}", "-d", body]
    elif method != "GET":
        words += ["-X", method]
    files = operation["responses"].get("200", {}).get("content", {})
    if address.rpartition("/")[2].partition(".")[2] in ("csv", "xlsx") and _JSON not in files:
        words += ["-O"]
    return shlex.join([*words, re.sub(r"\{[^}]*\}", "1", address)])


def _row(contract: Contract | None) -> dict[str, float | str]:
    """A row that the model takes."""
    if contract is None:
        return {}
    numbers: dict[str, float | str] = {
        name: int(value) if (value := min(max(0.0, rule.min), rule.max)).is_integer() else value
        for name, rule in contract.numeric.items()
    }
    texts = {name: rule.values[0] if rule.values else "" for name, rule in contract.categorical.items()}
    row = numbers | texts
    return {name: row[name] for name in contract.features()}


def _name(method: str, path: str) -> str:
    """The place of a route on the page."""
    return re.sub(r"[^a-z0-9]+", "-", f"{method}{path}".lower()).strip("-")


def _first(operation: Mapping[str, Any]) -> str:
    """The first part of a description."""
    return _text(operation).partition("; ")[0].partition(". ")[0].rstrip(".")


def _text(operation: Mapping[str, Any]) -> str:
    """A description as one line, without the marks of code, which a paragraph does not show."""
    return " ".join(operation.get("description", operation.get("summary", "")).replace("`", "").split())
