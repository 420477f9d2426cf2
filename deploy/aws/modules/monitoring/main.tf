# The cluster of all tasks, and what watches them: Prometheus and Grafana workspaces, alarms.

resource "aws_ecs_cluster" "main" {
  name = var.name
  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_ecs_cluster_capacity_providers" "main" {
  cluster_name       = aws_ecs_cluster.main.name
  capacity_providers = ["FARGATE"]
}

resource "aws_cloudwatch_log_group" "prometheus" {
  name              = "/${var.name}/prometheus"
  retention_in_days = var.log_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_prometheus_workspace" "main" {
  alias       = var.name
  kms_key_arn = var.kms_key_arn
  logging_configuration { log_group_arn = "${aws_cloudwatch_log_group.prometheus.arn}:*" }
}

# The rules of a Prometheus of one's own, as they are.
resource "aws_prometheus_rule_group_namespace" "main" {
  for_each     = fileset("${path.module}/../../../../monitoring/prometheus/rules", "*.yml")
  name         = trimsuffix(each.key, ".yml")
  workspace_id = aws_prometheus_workspace.main.id
  data         = file("${path.module}/../../../../monitoring/prometheus/rules/${each.key}")
}

data "aws_iam_policy_document" "query" {
  statement {
    actions   = ["aps:QueryMetrics", "aps:GetLabels", "aps:GetSeries", "aps:GetMetricMetadata", "aps:DescribeWorkspace"]
    resources = [aws_prometheus_workspace.main.arn]
  }
  statement {
    actions   = ["aps:ListWorkspaces"]
    resources = ["*"]
  }
}

module "role" {
  source   = "../role"
  name     = "${var.name}-grafana"
  service  = "grafana.amazonaws.com"
  policies = [data.aws_iam_policy_document.query.json]
}

resource "aws_grafana_workspace" "main" {
  name                     = var.name
  account_access_type      = "CURRENT_ACCOUNT"
  authentication_providers = ["AWS_SSO"]
  permission_type          = "CUSTOMER_MANAGED"
  role_arn                 = module.role.arn
  data_sources             = ["PROMETHEUS"]
}

# --- alarms ---------------------------------------------------------------------------------------------------------

data "aws_caller_identity" "me" {}

resource "aws_sns_topic" "alerts" {
  name              = "${var.name}-alerts"
  kms_master_key_id = var.kms_key_arn
}

data "aws_iam_policy_document" "publish" {
  statement {
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts.arn]
    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com", "events.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.me.account_id]
    }
  }
}

resource "aws_sns_topic_policy" "alerts" {
  arn    = aws_sns_topic.alerts.arn
  policy = data.aws_iam_policy_document.publish.json
}

resource "aws_sns_topic_subscription" "mail" {
  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = var.alert_email
}

locals {
  balancer = { LoadBalancer = var.alarms.balancer, TargetGroup = var.alarms.target }
  alarms = {
    unhealthy = { namespace = "AWS/ApplicationELB", metric = "UnHealthyHostCount", statistic = "Maximum", above = 0, dimensions = local.balancer }
    errors    = { namespace = "AWS/ApplicationELB", metric = "HTTPCode_Target_5XX_Count", statistic = "Sum", above = 5, dimensions = local.balancer }
    slow      = { namespace = "AWS/ApplicationELB", metric = "TargetResponseTime", statistic = "Average", above = 0.5, dimensions = local.balancer }
    database  = { namespace = "AWS/RDS", metric = "CPUUtilization", statistic = "Average", above = 90, dimensions = { DBInstanceIdentifier = var.alarms.database } }
  }
}

resource "aws_cloudwatch_metric_alarm" "all" {
  for_each            = local.alarms
  alarm_name          = "${var.name}-${each.key}"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  statistic           = each.value.statistic
  period              = 60
  evaluation_periods  = 3
  threshold           = each.value.above
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  dimensions          = each.value.dimensions
  alarm_actions       = [aws_sns_topic.alerts.arn]
}

resource "aws_cloudwatch_metric_alarm" "disk" {
  alarm_name          = "${var.name}-database-disk"
  namespace           = "AWS/RDS"
  metric_name         = "FreeStorageSpace"
  statistic           = "Minimum"
  period              = 300
  evaluation_periods  = 3
  threshold           = 2000000000
  comparison_operator = "LessThanThreshold"
  dimensions          = { DBInstanceIdentifier = var.alarms.database }
  alarm_actions       = [aws_sns_topic.alerts.arn]
}
