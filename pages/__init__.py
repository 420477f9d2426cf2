"""What every HTML page is made of: charts, tables, number formats and style."""
