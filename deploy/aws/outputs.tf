output "api" {
  description = "Scores customers: POST here, at /score."
  value       = module.front.url
}

output "model_server" {
  description = "TensorFlow Serving's REST API, inside the network."
  value       = module.serving.url
}

output "desk" {
  description = "The campaign desk, for var.desk_clients."
  value       = module.desk.url
}

output "mlflow" {
  description = "For var.desk_clients."
  value       = module.tracking.url
}

output "grafana" {
  description = "The Grafana workspace."
  value       = module.monitoring.grafana
}

output "dashboards" {
  description = "Puts data source and dashboards into Grafana."
  value       = module.monitoring.dashboards
}

output "prometheus" {
  description = "The Prometheus workspace: the data source of Grafana."
  value       = module.monitoring.prometheus
}

output "models" {
  description = "Where versions are pushed: --push-to."
  value       = module.storage.models.url
}

output "calls" {
  description = "Where labelled calls are put, month by month."
  value       = "${module.storage.data.url}/calls"
}

output "repositories" {
  description = "Where images are pushed."
  value       = module.registry.repositories
}

output "training" {
  description = "Starts a step of the schedule now."
  value       = module.training.command
}

output "ci_role" {
  description = "What GitHub's workflow assumes."
  value       = module.registry.ci_role
}
