output "cluster" { value = { arn = aws_ecs_cluster.main.arn, name = aws_ecs_cluster.main.name } }
output "topic_arn" {
  value      = aws_sns_topic.alerts.arn
  depends_on = [aws_sns_topic_policy.alerts]
}
output "grafana" { value = one([for endpoint in aws_grafana_workspace.main[*].endpoint : "https://${endpoint}"]) }
output "dashboards" {
  value = one([for workspace in aws_grafana_workspace.main[*] : join("\n", [
    "account=$(aws grafana create-workspace-service-account --region ${var.region} --workspace-id ${workspace.id} --name dashboards-$(date +%s) --grafana-role ADMIN --query id --output text)",
    "export GRAFANA_TOKEN=$(aws grafana create-workspace-service-account-token --region ${var.region} --workspace-id ${workspace.id} --service-account-id $account --name upload --seconds-to-live 600 --query serviceAccountToken.key --output text)",
    "(cd ../.. && .venv/bin/python -m monitoring.dashboards.upload https://${workspace.endpoint} --prometheus ${aws_prometheus_workspace.main.prometheus_endpoint} --sign-for ${var.region})",
  ])])
}
output "prometheus" { value = aws_prometheus_workspace.main.prometheus_endpoint }
output "collector" {
  description = "Configuration of the AWS Distro for OpenTelemetry: scrapes the task's containers, with the jobs of monitoring/prometheus."
  value = {
    workspace = aws_prometheus_workspace.main.arn
    config = yamlencode({
      extensions = { sigv4auth = { region = var.region, service = "aps" } }
      receivers = { prometheus = { config = {
        global = { scrape_interval = "15s" }
        scrape_configs = [
          { job_name = "model-server", metrics_path = "/monitoring/prometheus/metrics", static_configs = [{ targets = ["localhost:8501"] }] },
          { job_name = "model-exporter", static_configs = [{ targets = ["localhost:9109"] }] },
          { job_name = "model-sync", static_configs = [{ targets = ["localhost:9110"] }] },
        ]
      } } }
      exporters = { prometheusremotewrite = {
        endpoint = "${aws_prometheus_workspace.main.prometheus_endpoint}api/v1/remote_write"
        auth     = { authenticator = "sigv4auth" }
      } }
      service = {
        extensions = ["sigv4auth"]
        pipelines  = { metrics = { receivers = ["prometheus"], exporters = ["prometheusremotewrite"] } }
      }
    })
  }
}
