# moto 5.2.5 has no Grafana.
resource "aws_grafana_workspace" "main" { count = 0 }
# What moto accepts and does not give back.
resource "aws_prometheus_workspace" "main" {
  lifecycle { ignore_changes = [kms_key_arn] }
}
