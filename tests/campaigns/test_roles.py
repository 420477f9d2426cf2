"""Each address of the desk asks for the role that it should. A new address needs a line here."""

from __future__ import annotations

import pytest
from fastapi.routing import iter_route_contexts

from campaigns import app
from campaigns.roles import allows, needed
from campaigns.settings import Settings

OPEN = {"GET /livez", "GET /readyz", "GET /login", "POST /login"}
READ = {
    "GET /metrics", "GET /", "GET /api", "GET /campaigns/new", "GET /logout", "POST /logout",
    "GET /campaigns/{campaign_id}", "GET /campaigns/{campaign_id}/customers/{row}",
    "GET /campaigns/{campaign_id}/budget", "GET /campaigns/{campaign_id}/outcomes",
    "GET /campaigns/{campaign_id}/calls.csv", "GET /campaigns/{campaign_id}/calls.xlsx",
    "GET /campaigns/{campaign_id}/bad.csv", "GET /campaigns/{campaign_id}/training.csv", "GET /performance",
    "GET /api/openapi.json", "HEAD /api/openapi.json", "GET /api/model", "GET /api/campaigns",
    "GET /api/campaigns/{campaign_id}", "GET /api/campaigns/{campaign_id}/customers",
    "GET /api/campaigns/{campaign_id}/customers/{row}", "GET /api/campaigns/{campaign_id}/plan",
    "GET /api/campaigns/{campaign_id}/results", "GET /api/performance",
    "GET /api/campaigns/{campaign_id}/customers/{row}/explanation",
    "GET /campaigns/{campaign_id}/events", "GET /sample.csv", "GET /api/sample.csv",
    "GET /api/campaigns/{campaign_id}/customers/{row}/what-if",
    "GET /api/campaigns/{campaign_id}/training.csv", "GET /campaigns/{campaign_id}/delete",
    "GET /api/campaigns/{campaign_id}/calls.csv", "GET /api/campaigns/{campaign_id}/calls.xlsx",
    "GET /api/campaigns/{campaign_id}/bad.csv",
}  # fmt: skip
SCORE = {"POST /api/score"}
ADMIN = {
    "GET /api/audit",
    "POST /campaigns", "POST /campaigns/{campaign_id}/budget", "POST /campaigns/{campaign_id}/outcomes",
    "POST /campaigns/{campaign_id}/freeze", "POST /campaigns/{campaign_id}/cancel",
    "POST /campaigns/{campaign_id}/delete", "DELETE /api/campaigns/{campaign_id}",
    "POST /api/campaigns", "POST /api/campaigns/{campaign_id}/cancel", "POST /api/campaigns/{campaign_id}/terms",
    "POST /api/campaigns/{campaign_id}/freeze", "POST /api/campaigns/{campaign_id}/outcomes",
}  # fmt: skip
ROLES = {None: OPEN, "read": READ, "score": SCORE, "admin": ADMIN}
EXPECTED = {route: role for role, routes in ROLES.items() for route in routes}


def routes(desk) -> set[str]:
    """Methods and paths of an application, files that everyone may load left out."""
    found = iter_route_contexts(desk.routes)
    return {
        f"{method} {route.path}"
        for route in found
        if not (route.path or "").startswith("/static")
        for method in route.methods or ("GET",)
    }


def test_each_route_has_its_role(tmp_path):
    found = routes(app.create(Settings(artifacts=tmp_path)))
    assert found - EXPECTED.keys() == set(), "write here which role these routes need"
    assert EXPECTED.keys() - found == set()
    for route in found:
        method, path = route.split(" ")
        assert (route, needed(method, path)) == (route, EXPECTED[route])


@pytest.mark.parametrize("path", ["/api/new", "/livez/", "/login/x", "/api/score/", "/", "", "//livez", "/staticx"])
def test_an_address_that_nobody_thought_of_is_not_open(path):
    assert needed("GET", path) == needed("HEAD", path) == "read"
    assert needed("POST", path) == needed("DELETE", path) == "admin"


def test_nobody_reads_the_audit_log_by_another_method():
    assert needed("HEAD", "/api/audit") == needed("OPTIONS", "/api/audit") == needed("POST", "/api/audit") == "admin"


def test_each_role_may_do_what_the_one_before_it_may():
    assert [[allows(role, least) for least in ("read", "score", "admin")] for role in ("read", "score", "admin")] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]
