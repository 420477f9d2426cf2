# A step of the schedule, every day: `python -m schedule --once`.

module "task" {
  source   = "../task"
  name     = "training"
  platform = var.platform
  cpu      = var.cpu
  memory   = var.memory
  reads    = [var.data.arn, var.platform.models.arn, var.platform.files.runs.arn]
  writes   = [var.platform.models.arn, var.platform.files.runs.arn]
  scratch  = ["tmp"]
  files    = "training"
  containers = [{
    name  = "schedule"
    image = "purchase-model-training"
    command = [
      "python", "-m", "schedule", "--once", "--contract", var.contract, "--inbox", "${var.data.url}/calls",
      "--push-to", var.platform.models.url, "--mlflow", var.mlflow,
    ]
    environment = [{ name = "AWS_REGION", value = var.platform.region }]
    stopTimeout = 60
    mountPoints = [
      { sourceVolume = "files", containerPath = "/app/artifacts", readOnly = false },
      { sourceVolume = "tmp", containerPath = "/tmp", readOnly = false },
    ]
  }]
}

data "aws_iam_policy_document" "start" {
  statement {
    actions   = ["ecs:RunTask"]
    resources = ["${module.task.arn_without_revision}:*"]
    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [var.platform.cluster.arn]
    }
  }
  statement {
    actions   = ["iam:PassRole"]
    resources = module.task.roles
  }
}

module "role" {
  source   = "../role"
  name     = "${var.platform.name}-scheduler"
  service  = "scheduler.amazonaws.com"
  policies = [data.aws_iam_policy_document.start.json]
}

resource "aws_scheduler_schedule_group" "main" { name = var.platform.name }

resource "aws_scheduler_schedule" "step" {
  name                = "${var.platform.name}-step"
  group_name          = aws_scheduler_schedule_group.main.name
  schedule_expression = var.when
  kms_key_arn         = var.platform.kms_key_arn
  flexible_time_window { mode = "OFF" }
  target {
    arn      = var.platform.cluster.arn
    role_arn = module.role.arn
    ecs_parameters {
      task_definition_arn = module.task.arn_without_revision
      launch_type         = "FARGATE"
      network_configuration {
        subnets         = var.platform.subnet_ids
        security_groups = [var.groups["training"]]
      }
    }
    retry_policy {
      maximum_retry_attempts       = 2
      maximum_event_age_in_seconds = 3600
    }
  }
}

# A step that failed, or that refused bad input or a challenger, is told.
resource "aws_cloudwatch_event_rule" "failed" {
  name = "${var.platform.name}-step-failed"
  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Task State Change"]
    detail = {
      lastStatus        = ["STOPPED"]
      taskDefinitionArn = [{ prefix = module.task.arn_without_revision }]
      containers        = { exitCode = [{ anything-but = 0 }] }
    }
  })
}

resource "aws_cloudwatch_event_target" "failed" {
  rule = aws_cloudwatch_event_rule.failed.name
  arn  = var.alerts
}
