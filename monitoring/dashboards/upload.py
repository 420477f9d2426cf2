"""Puts the dashboards into a Grafana of somebody else's: `python -m monitoring.dashboards.upload`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from typing import Any

import httpx
import yaml

from data.command import DONE, guarded
from data.errors import BadOptionError, ServiceError
from monitoring.dashboards.__main__ import FOLDER

TOKEN = "GRAFANA_TOKEN"
TIMEOUT_SECONDS = 30
PROVISIONED = FOLDER.parent / "provisioning" / "datasources" / "prometheus.yml"
"""The data source as compose has it, whose address is another one here."""
GRAFANA_FOLDER = "models"
"""The uid in Grafana of the folder."""

EPILOG = f"""\
The token of a service account with the role ADMIN is read from {TOKEN}. What is there under the same uid is
replaced, so the command may be repeated.

examples:
  python -m monitoring.dashboards.upload https://grafana.bank.example --prometheus https://prometheus.bank.example
  python -m monitoring.dashboards.upload https://g-1.grafana-workspace.eu-central-1.amazonaws.com \\
      --prometheus https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-1 --sign-for eu-central-1

exit codes: 0 done, 2 a wrong option, 1 anything else
"""


class Grafana:
    """A Grafana; use it as a context manager.

    Args:
      url: its address.
      token: of a service account.

    Raises:
      ServiceError: from each method, if Grafana does not answer, or refuses.
    """

    def __init__(self, url: str, token: str):
        self._client = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT_SECONDS, follow_redirects=False
        )

    def __enter__(self) -> Grafana:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def put_source(self, prometheus: str, region: str | None) -> None:
        """Makes a Prometheus the default data source.

        Args:
          prometheus: its address, as Grafana reaches it.
          region: of AWS, for which Grafana signs its requests with the role of its workspace; None for no signature.
        """
        (source,) = yaml.safe_load(PROVISIONED.read_text(encoding="utf-8"))["datasources"]
        del source["editable"]  # only files have it
        settings = source["jsonData"]
        if region:
            signed = {"sigV4Auth": True, "sigV4AuthType": "workspace-iam-role", "sigV4Region": region}
            settings |= {"httpMethod": "POST", **signed}
        content = {**source, "url": prometheus, "jsonData": settings}
        if self._send("PUT", f"/api/datasources/uid/{source['uid']}", content, missing=True) == httpx.codes.NOT_FOUND:
            self._send("POST", "/api/datasources", content)

    def put_dashboard(self, dashboard: Mapping[str, Any]) -> None:
        """Adds a dashboard, or replaces it."""
        content = {"dashboard": {**dashboard, "id": None}, "folderUid": GRAFANA_FOLDER, "overwrite": True}
        self._send("POST", "/api/dashboards/db", content)

    def put_folder(self) -> None:
        """Adds the folder of the dashboards if it is not there."""
        if self._send("GET", f"/api/folders/{GRAFANA_FOLDER}", missing=True) == httpx.codes.NOT_FOUND:
            self._send("POST", "/api/folders", {"uid": GRAFANA_FOLDER, "title": "Models"})

    def _send(self, method: str, path: str, content: Any = None, missing: bool = False) -> int:
        """The status of an answer: success, or also 404 where something may be missing."""
        try:
            answer = self._client.request(method, path, json=content)
        except httpx.HTTPError as error:
            raise ServiceError(f"{self._client.base_url}: Grafana does not answer: {error}") from error
        if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise ServiceError(f"{TOKEN}: Grafana refuses the token; expected one of a service account, role ADMIN")
        if not answer.is_success and not (missing and answer.status_code == httpx.codes.NOT_FOUND):
            raise ServiceError(f"{method} {answer.url}: Grafana answers {answer.status_code}: {answer.text[:500]}")
        return answer.status_code


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m monitoring.dashboards.upload",
        description="Puts data source, folder and dashboards into a Grafana that runs already.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("grafana", metavar="URL", help="of Grafana")
    parser.add_argument("--prometheus", metavar="URL", required=True, help="of Prometheus, as Grafana reaches it")
    parser.add_argument(
        "--sign-for", metavar="REGION", help="Prometheus is a workspace in this region of AWS, which wants signatures"
    )
    options = parser.parse_args(arguments)
    return guarded(lambda: _upload(options))


def _upload(options: argparse.Namespace) -> int:
    for url in (options.grafana, options.prometheus):
        if not url.startswith(("http://", "https://")):
            raise BadOptionError(f"got {url!r}, expected an address such as https://grafana.bank.example")
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise BadOptionError(f"{TOKEN} is not set; expected the token of a service account of Grafana")
    with Grafana(options.grafana, token) as grafana:
        grafana.put_source(options.prometheus, options.sign_for)
        grafana.put_folder()
        for file in sorted(FOLDER.glob("*.json")):
            dashboard = json.loads(file.read_text(encoding="utf-8"))
            grafana.put_dashboard(dashboard)
            sys.stdout.write(f"{dashboard['title']}: {options.grafana.rstrip('/')}/d/{dashboard['uid']}\n")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
