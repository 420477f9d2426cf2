"""The one table of ports, health paths, environment variables and versions.

`tests/deploy/test_agreement.py` holds to it the Dockerfile, docker-compose.yml, railway.json, deploy/kubernetes,
deploy/aws and the programs themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

from data.model_spec import PURCHASE_MODEL

STORE = (
    "AWS_REGION",
    "AWS_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
)
"""Variables of whatever reads or writes the object store; `MODELS` is its address where a command names it."""


@dataclass(frozen=True)
class Service:
    """A program that runs in a container.

    Attributes:
      name: of its service in compose and of its container on Kubernetes.
      stage: its target in the Dockerfile.
      image: the name of the image on Kubernetes and in ECR.
      port: where it listens; None where it does not.
      health: the script or the paths by which platforms may ask how it is.
      variables: what it reads from the environment.
    """

    name: str
    stage: str
    image: str
    port: int | None
    health: tuple[str, ...]
    variables: tuple[str, ...]


SERVICES = (
    Service(
        "serving",
        "serving",
        "purchase-model",
        8501,
        ("/usr/local/bin/healthcheck.sh", f"/v1/models/{PURCHASE_MODEL.name}"),
        ("PORT", "MODEL_NAME", "MODEL_BASE_PATH", "THREADS"),
    ),
    Service("exporter", "exporter", "model-exporter", 9109, ("/metrics",), ()),
    Service("sync", "sync", "model-sync", 9110, ("/readyz", "/livez"), ("MODELS", *STORE)),
    Service(
        "desk",
        "desk",
        "campaign-desk",
        8600,
        ("/readyz", "/livez"),
        ("DATABASE", "PGPASSWORD", "CAMPAIGNS_LOG_KEY"),
    ),
    Service("schedule", "training", "purchase-model-training", None, (), ("MODELS", *STORE)),
)

FRONT = ("MODEL_SERVER_URL", "MODEL_NAME", "MAX_ROWS")
"""Variables of the Lambda function."""
FRONT_HANDLER = "handler.handler"

PYTHON = "3.10"
TENSORFLOW_SERVING = "2.19.1"
POSTGRESQL = "15"
"""The major version."""
UV = "0.13.8"
USER = "10001:10001"
