"""The request log without indexes that cost more than its rows: customers are looked for in all rows, old rows by the
number of their batch, and PostgreSQL keeps times by block only."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.drop_index("ix_request_log_customer", "request_log")
    op.drop_index("ix_request_log_time", "request_log")
    if op.get_context().dialect.name == "postgresql":
        op.create_index("ix_request_log_time", "request_log", ["time"], postgresql_using="brin")
