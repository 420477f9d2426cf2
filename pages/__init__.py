"""Shared parts of HTML pages: charts, tables, number formats, base template and style."""
