-- Lets Grafana read the request log and the performance figures of the desk's database, and nothing else: no customer, no
-- list, no input, no key. PostgreSQL's container runs this when it creates the database; elsewhere the owner of the
-- database does, as a superuser, once, before or after the desk's first start:
--
--   GRAFANA_DATABASE_PASSWORD=... psql --file monitoring/grafana/reader.sql postgresql://desk@host/campaigns
\set ON_ERROR_STOP on
\set password ''
\getenv password GRAFANA_DATABASE_PASSWORD

-- Without a password the role cannot log in.
SELECT NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'grafana') AS new \gset
\if :new
CREATE ROLE grafana LOGIN;
\endif
ALTER ROLE grafana PASSWORD :'password';
ALTER ROLE grafana SET default_transaction_read_only = on;
ALTER ROLE grafana SET statement_timeout = '30s';

CREATE OR REPLACE FUNCTION public.let_grafana_read() RETURNS void LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  IF to_regclass('public.request_log') IS NOT NULL THEN
    GRANT SELECT (time, campaign_id, model, version, probability, purchase, seconds) ON public.request_log TO grafana;
  END IF;
  IF to_regclass('public.performance') IS NOT NULL THEN
    GRANT SELECT ON public.performance TO grafana;
  END IF;
END $$;

-- The desk creates its tables at its first start.
CREATE OR REPLACE FUNCTION public.on_create_table() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM public.let_grafana_read();
END $$;
DROP EVENT TRIGGER IF EXISTS let_grafana_read;
CREATE EVENT TRIGGER let_grafana_read ON ddl_command_end WHEN TAG IN ('CREATE TABLE')
  EXECUTE FUNCTION public.on_create_table();
SELECT public.let_grafana_read();
