"""A desk that others can reach asks for keys; a person begins a session with one, and nobody comes too often."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from campaigns import app, callers, logs
from campaigns.settings import Settings
from campaigns.store import keys
from campaigns.store.database import open_database
from data.errors import BadOptionError
from tests.campaigns.browsing import ADDRESS, Browser, Page
from tests.campaigns.conftest import ROW, list_text
from tests.campaigns.test_roles import EXPECTED, routes

ELSEWHERE = "http://desk.bank.example:8600"
ROLES = ("read", "score", "admin")


@pytest.fixture
def engine(tmp_path):
    engine = open_database(None, tmp_path / "campaigns")
    yield engine
    engine.dispose()


@pytest.fixture
def held(engine) -> dict[str, str]:
    """A key of each role; its name is that of the role."""
    return {role: keys.add(engine, role, role) for role in ROLES}


@pytest.fixture
def settings(tmp_path, model_server) -> Settings:
    return Settings(model_server.url, "0.0.0.0", artifacts=tmp_path, rate=10_000)


@pytest.fixture
def client(settings, held) -> Iterator[TestClient]:
    """Of a desk that listens on every address."""
    with TestClient(app.create(settings), base_url=ELSEWHERE, follow_redirects=False) as client:
        yield client


@pytest.fixture
def here(tmp_path, model_server, held) -> Iterator[TestClient]:
    """Of a desk that listens on loopback only."""
    settings = Settings(model_server.url, artifacts=tmp_path, rate=3)
    with TestClient(app.create(settings), base_url=ADDRESS, follow_redirects=False) as client:
        yield client


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def request(client: TestClient, route: str, headers: dict[str, str] | None = None):
    method, path = route.split(" ")
    return client.request(method, path.format(campaign_id=7, row=1), headers=headers)


def logged_in(client: TestClient, key: str) -> Browser:
    browser = Browser(client)
    answer = browser.send(browser.open("/login"), "login", {"key": key})
    assert answer.status == 303
    return browser


@pytest.mark.parametrize("route", sorted(EXPECTED))
def test_each_route_needs_a_key_of_its_role(client, held, route):
    least = EXPECTED[route]
    without = request(client, route)
    wrong = request(client, route, bearer(held["admin"] + "x"))
    if least is None:
        assert without.status_code not in (401, 303)
    elif without.status_code == 303:
        assert (route[:4], without.headers["location"]) == ("GET ", "/login")
        assert "/api/" not in route
    else:
        assert without.status_code == 401
        assert without.headers["www-authenticate"] == "Bearer"
    assert wrong.status_code == 401
    for role in ROLES:
        enough = least is None or ROLES.index(role) >= ROLES.index(least)
        answer = request(client, route, bearer(held[role]))
        assert ("has the role" in answer.text) == (not enough)
        assert answer.status_code != 401
        assert enough or answer.status_code == 403


def test_the_table_of_roles_is_tried_whole(client):
    assert routes(client.app) == set(EXPECTED)


@pytest.mark.parametrize("path", ["/nothing", "/api/nothing", "/api/campaigns/", "/campaigns/x"])
def test_a_stranger_does_not_learn_which_addresses_there_are(client, path):
    assert client.get(path).status_code == (401 if path.startswith("/api") else 303)


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer desk_x", "Bearer \xff", "Bearer ' OR 1=1 --"]
)
def test_what_is_no_key(client, here, value):
    for desk in (client, here):
        answer = desk.get("/api/campaigns", headers={"Authorization": value.encode("latin-1")})
        assert answer.status_code == 401


def test_on_this_machine_no_key_is_needed_but_a_given_one_counts(here, held):
    assert here.get("/api/audit").status_code == 200
    assert here.get("/", headers=bearer(held["read"])).status_code == 200
    assert here.post("/api/campaigns/7/freeze").status_code == 404
    assert here.post("/api/campaigns/7/freeze", headers=bearer(held["read"])).status_code == 403


def test_a_desk_that_others_reach_does_not_start_without_an_admin_key(tmp_path, engine):
    for settings in (Settings(host="0.0.0.0", artifacts=tmp_path), Settings(public=ELSEWHERE, artifacts=tmp_path)):
        keys.add(engine, f"reader{settings.host}", "read")
        with pytest.raises(BadOptionError, match=r"campaigns\.keys add NAME --role admin"):
            app.create(settings)
    keys.add(engine, "ana", "admin")
    keys.revoke(engine, "ana")
    with pytest.raises(BadOptionError):
        app.create(Settings(host="0.0.0.0", artifacts=tmp_path))


def test_a_proxy_before_a_desk_on_loopback_does_not_open_it(tmp_path, model_server, held):
    settings = Settings(model_server.url, artifacts=tmp_path, public="https://desk.bank.example")
    with TestClient(app.create(settings), base_url=ADDRESS, follow_redirects=False) as client:
        assert client.get("/api/campaigns").status_code == 401
        page = client.get("/login", headers={"Host": "desk.bank.example"})
        assert "; Secure" in page.headers["set-cookie"]
        sent = {"Host": "desk.bank.example", "Origin": "https://desk.bank.example", **bearer(held["admin"])}
        assert client.post("/api/campaigns/7/freeze", headers=sent).status_code == 404
        foreign = client.post("/api/campaigns/7/freeze", headers={**sent, "Origin": "https://bank.example"})
        assert (foreign.status_code, "https://desk.bank.example" in foreign.json()["error"]) == (403, True)


def test_a_revoked_key_stops_working_at_once_or_soon(client, held, engine, monkeypatch):
    browser = logged_in(client, held["admin"])
    monkeypatch.setattr(callers, "FRESH_SECONDS", 0.0)
    assert client.get("/api/campaigns", headers=bearer(held["read"])).status_code == 200
    assert browser.open("/").status == 200
    keys.revoke(engine, "read")
    keys.revoke(engine, "admin")
    assert client.get("/api/campaigns", headers=bearer(held["read"])).status_code == 401
    assert browser.client.get("/").headers["location"] == "/login"


def test_a_new_key_works_at_once_or_soon(client, engine, monkeypatch):
    monkeypatch.setattr(callers, "FRESH_SECONDS", 0.0)
    assert client.get("/api/campaigns", headers=bearer(keys.add(engine, "new", "read"))).status_code == 200


def test_known_keys_work_for_a_while_without_the_store(client, held, monkeypatch):
    monkeypatch.setattr(callers, "FRESH_SECONDS", 0.0)

    def gone(_):
        raise OperationalError("SELECT", {}, OSError("gone"))

    monkeypatch.setattr(keys, "valid", gone)
    body = {"instances": [ROW]}
    assert client.post("/api/score", json=body, headers=bearer(held["score"])).status_code == 200
    monkeypatch.setattr(callers, "STALE_SECONDS", -1.0)
    answer = client.post("/api/score", json=body, headers=bearer(held["score"]))
    assert (answer.status_code, "keys cannot be checked" in answer.json()["error"]) == (503, True)


def test_a_person_logs_in_works_and_logs_out(client, held):
    assert client.get("/").headers["location"] == "/login"
    browser = logged_in(client, held["admin"])
    home = browser.open("/")
    assert home.links["Log out admin"] == "/logout"
    started = browser.start(list_text([{"age": "30"}, {"age": "60"}]))
    assert started.status == 303
    browser.ended()
    old = client.cookies["session"]
    leave = browser.open("/logout")
    assert browser.send(leave, "logout").status == 303
    assert client.get("/").headers["location"] == "/login"
    assert client.get("/", headers={"Cookie": f"session={old}"}).status_code == 303
    actions = client.get("/api/audit", headers=bearer(held["admin"])).json()
    assert [(one["action"], one["caller"]) for one in actions[:3]] == [
        ("logout", "admin"), ("start", "admin"), ("login", "admin")
    ]  # fmt: skip
    assert all(one["request"] for one in actions[:3])


def test_the_session_is_kept_from_scripts_and_other_sites_and_names_no_key(client, held):
    page = Page(client.get("/login"))
    answer = client.post("/login", data={**page.forms["login"][2], "key": held["read"]})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly; SameSite=Strict; Path=/; Max-Age=43200" in cookie
    assert held["read"] not in cookie


def test_a_session_has_the_role_of_its_key(client, held):
    browser = logged_in(client, held["read"])
    refused = browser.start(list_text([{"age": "30"}]))
    assert (refused.status, "has the role read" in refused.notices["problem"]) == (403, True)
    assert browser.client.get("/api/audit").status_code == 403


def test_a_session_ends_when_it_is_not_used_and_at_the_latest_after_half_a_day(client, held, monkeypatch):
    browser = logged_in(client, held["read"])
    assert browser.open("/").status == 200
    monkeypatch.setattr(callers, "SESSION_SECONDS", -1.0)
    assert browser.open("/").status == 303
    monkeypatch.undo()
    browser = logged_in(client, held["read"])
    monkeypatch.setattr(callers, "IDLE_SECONDS", -1.0)
    assert browser.open("/").status == 303


def test_a_wrong_key_begins_no_session(client):
    browser = Browser(client)
    page = browser.send(browser.open("/login"), "login", {"key": "desk_wrong"})
    assert page.status == 401
    assert "session" not in client.cookies
    assert "revoked" in page.notices["problem"]


def test_logging_in_and_out_needs_the_token_of_the_browser(client, held):
    client.get("/login")
    assert client.post("/login", data={"key": held["admin"]}).status_code == 403
    logged_in(client, held["admin"])
    assert client.post("/logout").status_code == 403
    assert client.get("/").status_code == 200


def test_a_form_of_another_site_is_refused_also_with_a_session(client, held):
    logged_in(client, held["admin"])
    for headers in ({"Origin": "http://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert client.post("/api/campaigns/7/freeze", headers=headers).status_code == 403
    assert client.post("/api/campaigns/7/freeze", headers={"Origin": ELSEWHERE}).status_code == 404


def test_who_comes_too_often_is_told_when_to_come_again(here, held):
    for name in ("read", "admin"):
        answers = [here.get("/api/campaigns", headers=bearer(held[name])) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert "more than 3 requests in a minute" in answers[-1].json()["error"]
    assert [here.get("/api/campaigns").status_code for _ in range(5)] == [200] * 5


def test_strangers_cannot_try_keys_as_often_as_they_like(tmp_path, model_server, held):
    settings = Settings(model_server.url, "0.0.0.0", artifacts=tmp_path, rate=3)
    with TestClient(app.create(settings), base_url=ELSEWHERE, follow_redirects=False) as client:
        answers = [client.get("/api/campaigns", headers=bearer(f"desk_{number}")).status_code for number in range(5)]
        assert answers == [401, 401, 401, 429, 429]
        assert client.get("/api/campaigns", headers=bearer(held["read"])).status_code == 200
        assert client.get("/login").status_code == 429


@pytest.mark.parametrize("name", ["abc-1", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "a/b+c=:"])
def test_a_request_keeps_the_name_that_its_caller_gave_it(here, name):
    answer = here.get("/api/campaigns/7", headers={"X-Request-ID": name})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == name


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "<b>", "a\tb", 'a"b', "é", "a;b"])
def test_a_name_that_is_none_is_replaced(here, name):
    first, second = (
        here.get("/api/campaigns/7", headers={"X-Request-ID": name.encode("latin-1")}).headers["x-request-id"]
        for _ in range(2)
    )
    assert first != second
    assert name == "" or name not in first


@pytest.mark.parametrize("path", ["/", "/livez", "/nothing", "/api/openapi.json", "/login"])
def test_each_answer_has_a_request_id(here, path):
    assert len(here.get(path).headers["x-request-id"]) == 16


def test_log_lines_have_the_id_of_their_request(here, monkeypatch, capsys):
    monkeypatch.setattr(logging.root, "handlers", [])
    logs.configure()
    logging.getLogger("elsewhere").warning("between requests")

    def fail(*_):
        logging.getLogger("library").warning("in a thread")
        raise RuntimeError("broken")

    monkeypatch.setattr("campaigns.store.campaigns.all_campaigns", fail)
    answer = here.get("/api/campaigns", headers={"X-Request-ID": "r-17"})
    assert answer.status_code == 500
    assert answer.json() == {"error": "the desk has failed; its log says more at request r-17", "request_id": "r-17"}
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    log = capsys.readouterr().err
    assert "[-] elsewhere: between requests" in log
    assert "[r-17] library: in a thread" in log
    assert "[r-17] campaigns.security: GET /api/campaigns failed" in log
    assert "RuntimeError: broken" in log


def test_a_store_that_does_not_answer_is_said(here, monkeypatch):
    def gone(*_):
        raise OperationalError("SELECT", {}, OSError("gone"))

    monkeypatch.setattr("campaigns.store.campaigns.all_campaigns", gone)
    assert here.get("/api/campaigns").status_code == 503
