# A Fargate task: its two roles, its logs, its definition.

resource "aws_cloudwatch_log_group" "main" {
  name              = "/${var.platform.name}/${var.name}"
  retention_in_days = var.platform.log_days
  kms_key_id        = var.platform.kms_key_arn
}

# What starts the containers: their images, their secrets, their logs.
data "aws_iam_policy_document" "execution" {
  statement {
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }
  statement {
    actions   = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]
    resources = [for container in var.containers : var.platform.repositories[container.image].arn]
  }
  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.main.arn}:*"]
  }
  dynamic "statement" {
    for_each = var.uses_database ? [1] : []
    content {
      actions   = ["secretsmanager:GetSecretValue"]
      resources = [var.platform.database.secret]
    }
  }
  dynamic "statement" {
    for_each = var.uses_database ? [1] : []
    content {
      actions   = ["kms:Decrypt"]
      resources = [var.platform.kms_key_arn]
    }
  }
}

module "execution" {
  source   = "../role"
  name     = "${var.platform.name}-${var.name}-start"
  service  = "ecs-tasks.amazonaws.com"
  policies = [data.aws_iam_policy_document.execution.json]
}

# What the containers may do.
data "aws_iam_policy_document" "task" {
  dynamic "statement" {
    for_each = length(var.reads) > 0 ? [1] : []
    content {
      actions   = ["s3:ListBucket", "s3:GetBucketLocation"]
      resources = distinct(concat(var.reads, var.writes))
    }
  }
  dynamic "statement" {
    for_each = length(var.reads) > 0 ? [1] : []
    content {
      actions   = ["s3:GetObject"]
      resources = [for bucket in var.reads : "${bucket}/*"]
    }
  }
  dynamic "statement" {
    for_each = length(var.writes) > 0 ? [1] : []
    content {
      actions   = ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
      resources = [for bucket in var.writes : "${bucket}/*"]
    }
  }
  dynamic "statement" {
    for_each = length(var.reads) > 0 ? [1] : []
    content {
      actions   = length(var.writes) > 0 ? ["kms:Decrypt", "kms:GenerateDataKey"] : ["kms:Decrypt"]
      resources = [var.platform.kms_key_arn]
    }
  }
  dynamic "statement" {
    for_each = var.files == null ? {} : { files = var.platform.files.points[var.files].arn }
    content {
      actions   = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
      resources = [var.platform.files.arn]
      condition {
        test     = "StringEquals"
        variable = "elasticfilesystem:AccessPointArn"
        values   = [statement.value]
      }
    }
  }
  dynamic "statement" {
    for_each = contains([for container in var.containers : container.image], "collector") ? [1] : []
    content {
      actions   = ["aps:RemoteWrite"]
      resources = [var.platform.collector.workspace]
    }
  }
}

module "work" {
  source   = "../role"
  name     = "${var.platform.name}-${var.name}"
  service  = "ecs-tasks.amazonaws.com"
  policies = [data.aws_iam_policy_document.task.json]
}

locals {
  # Scratch volumes belong to root at first, and Railway allows no VOLUME in the Dockerfile, which would give them another owner.
  first = [for name in length(var.scratch) > 0 ? ["volumes"] : [] : {
    name        = name
    image       = var.containers[0].image
    essential   = false
    user        = "0:0"
    entryPoint  = ["chmod"]
    command     = concat(["1777"], [for volume in var.scratch : "/volumes/${volume}"])
    mountPoints = [for volume in var.scratch : { sourceVolume = volume, containerPath = "/volumes/${volume}", readOnly = false }]
  }]
  others = [for container in var.containers : merge(container, {
    dependsOn = concat(try(container.dependsOn, []), [for one in local.first : { containerName = one.name, condition = "SUCCESS" }])
  })]
}

resource "aws_ecs_task_definition" "main" {
  family                   = "${var.platform.name}-${var.name}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = module.execution.arn
  task_role_arn            = module.work.arn
  container_definitions = jsonencode([for container in concat(local.first, local.others) : merge(
    {
      essential              = true
      readonlyRootFilesystem = true
      user                   = "10001:10001"
      linuxParameters        = { initProcessEnabled = true, capabilities = { drop = ["ALL"] } }
      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = aws_cloudwatch_log_group.main.name
          awslogs-region        = var.platform.region
          awslogs-stream-prefix = container.name
        }
      }
    },
    container,
    { image = "${var.platform.repositories[container.image].url}:${var.platform.tag}" },
  )])
  dynamic "volume" {
    for_each = toset(var.scratch)
    content { name = volume.value }
  }
  dynamic "volume" {
    for_each = var.files == null ? {} : { files = var.platform.files.points[var.files].id }
    content {
      name = volume.key
      efs_volume_configuration {
        file_system_id     = var.platform.files.id
        transit_encryption = "ENABLED"
        authorization_config {
          access_point_id = volume.value
          iam             = "ENABLED"
        }
      }
    }
  }
}
