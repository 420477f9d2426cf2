"""What an attacker sends stays text: nothing is rendered, nothing is run, nothing is unpacked, and the desk goes on."""

from __future__ import annotations

import csv
import gzip
import http.client
import io
import json
import select
import zipfile
from collections.abc import Iterator
from urllib.parse import quote

import openpyxl
import pytest
from sqlalchemy import inspect
from starlette.testclient import TestClient

from campaigns import app
from campaigns.settings import Settings
from campaigns.store import keys, tables
from tests.campaigns.browsing import ADDRESS, TERMS, Browser
from tests.campaigns.conftest import ROW, list_text
from tests.support.desk_process import DeskProcess

HTML = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "</title></style><iframe src=//elsewhere.example>",
    "{{7*7}}{% raw %}",
    "javascript:alert(1)",
]
FORMULAS = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", '=HYPERLINK("http://elsewhere.example")', "=cmd|' /C calc'!A0"]
SQL = [
    "'; DROP TABLE campaigns; --",
    "' OR '1'='1",
    '" OR 1=1 --',
    "1; DELETE FROM customers",
    "x' UNION SELECT hash FROM keys --",
    "%' OR name LIKE '%",
    "\\'; DROP TABLE keys; --",
]
NAMES = [
    "../../etc/passwd", "..\\..\\boot.ini", "C:\\x", "/etc/shadow", "....//x.csv", "%2e%2e%2fx.csv", "x\0.csv", ".",
    "..", "CON", "a" * 5_000, "\N{RIGHT-TO-LEFT OVERRIDE}vsc.exe", "x\r\nSet-Cookie: a=b", "$(id).csv", "1.csv/../../2",
]  # fmt: skip
BOMB = bytes(64 << 20)
HUGE = 2 << 30
OWN = ("log.key", "spool")
"""What the desk's request log writes."""


@pytest.fixture
def client(tmp_path, model_server) -> Iterator[TestClient]:
    model_server.explains = True
    with TestClient(app.create(Settings(model_server.url, artifacts=tmp_path)), base_url=ADDRESS) as client:
        yield client


@pytest.fixture
def frozen(client) -> TestClient:
    """With a campaign whose customers have attacks as identifiers and in a column of their own."""
    attacks = HTML + FORMULAS + SQL
    rows = [{"id": cell(attack), "age": str(20 + place), "note": cell(attack)} for place, attack in enumerate(attacks)]
    bad = [{"id": cell(attack), "age": cell(attack), "note": ""} for attack in attacks]
    browser = Browser(client)
    browser.start(list_text([*rows, *bad]), name=HTML[0], calls=str(len(attacks)), quarantine="yes")
    browser.ended()
    assert client.post("/api/campaigns/1/freeze").json()["state"] == "frozen"
    return client


def cell(text: str) -> str:
    """A cell of a CSV file."""
    return '"' + text.replace('"', '""') + '"'


def unharmed(client: TestClient, campaigns: int) -> None:
    """Nothing was run by the database."""
    engine = client.app.state.desk.engine
    assert {*tables.metadata.tables} <= {*inspect(engine).get_table_names()}
    assert len(client.get("/api/campaigns").json()) == campaigns


def test_pages_show_attacks_as_text(frozen):
    browser = Browser(frozen)
    pages = ["/", "/campaigns/1", "/campaigns/1/budget", "/campaigns/1/outcomes", "/campaigns/1/customers/1"]
    for path in pages:
        page = browser.open(path)
        assert page.status == 200
        assert not {"img", "iframe"} & page.tags
        assert page.scripts == ["/static/desk.js"]
        assert "<script>alert" not in page.html
        assert "<svg/onload" not in page.html
        assert "<iframe" not in page.html
    shown = browser.open("/campaigns/1").text
    for attack in (*HTML, *FORMULAS, *SQL):
        assert attack in shown


def test_files_hold_attacks_as_text(frozen):
    count = len(HTML + FORMULAS + SQL)
    for name, rows in (("calls.csv", count), ("bad.csv", count)):
        text = frozen.get(f"/campaigns/1/{name}").content.decode("utf-8-sig")
        lines = list(csv.reader(io.StringIO(text)))
        assert len(lines) == rows + 1
        assert not [one for line in lines for one in line if one.startswith(("=", "+", "@", "-1+", "\t", "\r"))]
    book = openpyxl.load_workbook(io.BytesIO(frozen.get("/campaigns/1/calls.xlsx").content))
    cells = [one for sheet in book for row in sheet.rows for one in row]
    assert {one.data_type for one in cells} <= {"s", "n"}
    assert {*FORMULAS} <= {one.value for one in cells}
    assert not any(one.hyperlink for one in cells)


@pytest.mark.parametrize("attack", SQL)
def test_sql_is_text_wherever_it_is_sent(frozen, attack):
    engine = frozen.app.state.desk.engine
    keys.add(engine, "ana", "admin")
    told = quote(attack)
    answers = [
        *(frozen.get(f"/campaigns/1?{name}={told}") for name in ("segment", "sort", "decile", "page", "follow")),
        *(
            frozen.get(f"/api/campaigns/1/customers?{name}={told}")
            for name in ("segment", "sort", "decile", "offset", "limit")
        ),
        *(frozen.get(f"/api/audit?{name}={told}") for name in ("limit", "before")),
        frozen.get(f"/api/campaigns/{told}"),
        frozen.get(f"/campaigns/1/customers/{told}"),
        frozen.get("/api/campaigns", headers={"Authorization": f"Bearer {attack}"}),
        frozen.get("/api/campaigns", headers={"X-Request-ID": attack, "Cookie": f"session={attack}"}),
        frozen.post("/api/score", json={"instances": [{**ROW, "age": 30, "job": attack, attack: attack}]}),
        *(
            frozen.post("/api/campaigns/1/terms", data={"cost": "1", "margin": "2", name: attack})
            for name in ("cost", "margin", "calls", "control_share")
        ),
        frozen.post(
            "/api/campaigns/1/outcomes", files={"file": (attack, f"identifier,called,bought\n{cell(attack)},yes,yes\n")}
        ),
    ]
    for answer in answers:
        assert answer.status_code < 500
    assert frozen.get(f"/api/campaigns/1/customers?segment={told}").json() == {"count": 0, "customers": []}
    browser = Browser(frozen)
    assert browser.send(browser.open("/login"), "login", {"key": attack}).status == 401
    file = {"file": (attack, list_text([{"id": "a"}]))}
    for answers in ({"name": attack}, {"plan.contact": attack}):
        terms = frozen.post("/api/campaigns", data={**TERMS, **answers}, files=file).json()["terms"]
        assert attack in (terms["name"], terms["plan"].get("contact"))
    unharmed(frozen, 3)
    assert [key.name for key in keys.valid(engine).values()] == ["ana"]


@pytest.mark.parametrize("name", NAMES)
def test_a_path_as_the_name_of_a_file_leads_nowhere(client, tmp_path, name):
    before = set(tmp_path.rglob("*"))
    sent = client.post("/api/campaigns", data=TERMS, files={"file": (name, list_text([{"id": "a"}]))})
    assert sent.status_code in (201, 400)
    if sent.status_code == 201:
        source = sent.json()["source"]
        assert not set(source) & set("/\\\0\r\n:$")
        assert source.strip(".")
        assert len(source) <= 120
        Browser(client).ended()
    new = {file for file in set(tmp_path.rglob("*")) - before if not set(OWN) & set(file.parts)}
    assert {file.parent for file in new} <= {tmp_path / "campaigns"}
    assert {file.name for file in new} <= {"1.csv", "campaigns.sqlite-wal", "campaigns.sqlite-shm"}


def zipped(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("list.csv", data)
    return file.getvalue()


@pytest.mark.parametrize("packed", [gzip.compress(BOMB), zipped(BOMB)], ids=["gzip", "zip"])
@pytest.mark.parametrize("name", ["list.csv", "list.csv.gz", "list.zip", "list.xlsx"])
def test_a_packed_list_is_not_unpacked(client, packed, name):
    sent = client.post("/api/campaigns", data=TERMS, files={"file": (name, packed)})
    assert sent.status_code == 400
    assert name in sent.json()["error"]
    assert len(sent.text) < 2_000
    assert client.get("/api/campaigns").json() == []


@pytest.mark.parametrize("path", ["/api/score", "/api/campaigns", "/api/campaigns/1/terms", "/campaigns"])
def test_a_packed_body_is_not_unpacked(client, path):
    for kind in ("application/json", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"):
        headers = {"Content-Encoding": "gzip", "Content-Type": kind}
        assert 400 <= client.post(path, content=gzip.compress(BOMB), headers=headers).status_code < 500


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"instances":' * 5_000,
        b'{"instances":[{"age":1e999}]}',
        b'{"instances":[{"age":' + b"9" * 5_000 + b"}]}",
        b'{"instances":[{"age":NaN}]}',
        b'{"instances":[{"job":"\\ud800"}]}',
        b'{"instances":[{"\\u0000":1}]}',
        b'{"instances":[' + b"{}," * 10_000 + b"{}]}",
    ],
)
def test_a_wild_body_is_refused_in_few_words(client, body):
    answer = client.post("/api/score", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 413, 422)
    assert len(answer.content) < 20_000


def test_a_form_of_many_parts_is_refused(client):
    data = {f"x{number}": "1" for number in range(1_000)}
    assert client.post("/api/campaigns/1/terms", data=data, files={"file": ("a", "b")}).status_code == 400


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "application/json"])
def test_only_uploads_may_be_large(client, kind):
    headers = {"Content-Type": kind}
    for path in ("/api/score", "/api/campaigns/1/terms", "/login", "/api/campaigns/1/freeze"):
        assert client.post(path, content=b"x" * (5 << 20), headers=headers).status_code == 413


def test_a_header_that_comes_twice_does_not_lift_a_limit(client):
    headers = [("Content-Type", "application/json"), ("Content-Type", "multipart/form-data; boundary=x")]
    assert client.post("/api/campaigns", content=b"x" * (5 << 20), headers=headers).status_code == 413


@pytest.mark.e2e
def test_two_gigabytes_are_refused_in_little_memory(tmp_path, model_server):
    with DeskProcess(["--server", model_server.url], tmp_path) as desk:
        before = desk.resident_mb()
        assert _send_huge(desk, {"Content-Length": str(HUGE)}, announced_only=True) == (413, 0)
        status, sent = _send_huge(desk, {"Transfer-Encoding": "chunked"})
        assert status == 413
        assert sent < HUGE
        assert desk.peak_mb() - before < 100
        assert [
            file.name
            for file in (tmp_path / "campaigns").iterdir()
            if "sqlite" not in file.name and file.name not in OWN
        ] == []
        assert desk.request("GET", "/livez")[0] == 200


def _send_huge(desk: DeskProcess, headers: dict[str, str], announced_only: bool = False) -> tuple[int, int]:
    """Uploads zeros until the desk answers; its status, and how many bytes were sent."""
    connection = http.client.HTTPConnection("127.0.0.1", desk.port, timeout=60)
    connection.putrequest("POST", "/api/campaigns")
    for name, value in {**headers, "Content-Type": "multipart/form-data; boundary=x"}.items():
        connection.putheader(name, value)
    connection.endheaders()
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    block, sent = head, 0
    while not announced_only and sent < HUGE and not select.select([connection.sock], [], [], 0)[0]:
        connection.send(b"%x\r\n%b\r\n" % (len(block), block))
        sent += len(block)
        block = bytes(1 << 20)
    answer = connection.getresponse()
    assert "larger" in json.loads(answer.read())["error"]
    connection.close()
    return answer.status, sent
