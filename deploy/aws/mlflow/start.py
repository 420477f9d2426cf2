"""Starts MLflow's server on a database of its own, beside the desk's; the PG variables say where PostgreSQL is."""

import os

import psycopg2

DATABASE = "mlflow"

connection = psycopg2.connect(dbname="purchase")
connection.autocommit = True
with connection.cursor() as cursor:
    cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
    if cursor.fetchone() is None:
        cursor.execute(f"CREATE DATABASE {DATABASE}")
connection.close()

server = ["mlflow", "server", "--host", "0.0.0.0", "--port", "5000"]
store = ["--backend-store-uri", f"postgresql:///{DATABASE}"]
artifacts = ["--artifacts-destination", os.environ["MLFLOW_ARTIFACTS_DESTINATION"]]
os.execvp(server[0], [*server, *store, *artifacts])
