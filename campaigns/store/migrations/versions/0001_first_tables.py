"""Campaigns, their customers and ranks, the rows set aside, and outcomes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _campaigns()
    _customers()
    _ranking()
    op.create_table(
        "bad_rows",
        _of_a_campaign(),
        sa.Column("line", sa.Integer, primary_key=True),
        sa.Column("problem", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "outcomes",
        _of_a_campaign(),
        sa.Column("identifier", sa.Text, primary_key=True),
        sa.Column("called", sa.Boolean, nullable=False),
        sa.Column("bought", sa.Boolean),
        sa.Column("recorded", sa.DateTime(timezone=True), nullable=False),
        sqlite_with_rowid=False,
    )


def _of_a_campaign() -> sa.Column[int]:
    return sa.Column("campaign_id", sa.Integer, sa.ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True)


def _campaigns() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("cost", sa.Double, nullable=False),
        sa.Column("margin", sa.Double, nullable=False),
        sa.Column("calls", sa.Integer),
        sa.Column("control_share", sa.Double, nullable=False),
        sa.Column("plan", sa.JSON, nullable=False),
        sa.Column("quarantine", sa.Boolean, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("contract", sa.Text, nullable=False),
        sa.Column("model", sa.Text),
        sa.Column("version", sa.Text),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("scored", sa.Integer, nullable=False),
        sa.Column("bad", sa.Integer, nullable=False),
        sa.Column("problem", sa.Text),
        sa.Column("frozen", sa.DateTime(timezone=True)),
        sqlite_autoincrement=True,
    )


def _customers() -> None:
    op.create_table(
        "customers",
        _of_a_campaign(),
        sa.Column("row", sa.Integer, primary_key=True),
        sa.Column("identifier", sa.Text, nullable=False),
        sa.Column("cells", sa.JSON, nullable=False),
        sa.Column("probability", sa.Double, nullable=False),
        sa.Column("segment", sa.Text),
        sa.Column("warnings", sa.JSON, nullable=False),
        sqlite_with_rowid=False,
    )


def _ranking() -> None:
    op.create_table(
        "ranking",
        _of_a_campaign(),
        sa.Column("rank", sa.Integer, primary_key=True),
        sa.Column("row", sa.Integer, nullable=False),
        sa.Column("identifier", sa.Text, nullable=False),
        sa.Column("probability", sa.Double, nullable=False),
        sa.Column("segment", sa.Text),
        sa.Column("called", sa.Text),
        sqlite_with_rowid=False,
    )
    for column in ("row", "identifier", "segment"):
        op.create_index(f"ix_ranking_campaign_id_{column}_rank", "ranking", ["campaign_id", column, "rank"])
