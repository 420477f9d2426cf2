"""The desk's database: campaigns, their customers and what became of them; SQLite by default, or PostgreSQL."""
