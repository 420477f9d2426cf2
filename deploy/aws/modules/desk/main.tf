# The campaign desk: one task, since its folder has one writer.

locals {
  database = "postgresql://${var.platform.database.user}@${var.platform.database.host}/${var.platform.database.name}?sslmode=require"
}

module "task" {
  source        = "../task"
  name          = "desk"
  platform      = var.platform
  cpu           = 1024
  memory        = 2048
  reads         = [var.platform.models.arn, var.platform.files.lists.arn]
  writes        = [var.platform.files.lists.arn]
  scratch       = ["models", "tmp"]
  files         = "desk"
  uses_database = true
  containers = [
    {
      name        = "sync"
      image       = "model-sync"
      command     = [var.platform.models.url, "artifacts/serving"]
      environment = [{ name = "AWS_REGION", value = var.platform.region }]
      mountPoints = [
        { sourceVolume = "models", containerPath = "/app/artifacts/serving", readOnly = false },
        { sourceVolume = "tmp", containerPath = "/tmp", readOnly = false },
      ]
    },
    {
      name  = "desk"
      image = "campaign-desk"
      command = [
        "python", "-m", "campaigns", "--host", "0.0.0.0", "--server", var.server, "--database", local.database,
        "--uploads", var.platform.files.lists.url,
      ]
      environment  = [{ name = "AWS_REGION", value = var.platform.region }]
      portMappings = [{ containerPort = 8600, hostPort = 8600, protocol = "tcp" }]
      secrets      = [{ name = "PGPASSWORD", valueFrom = "${var.platform.database.secret}:password::" }]
      stopTimeout  = 60
      mountPoints = [
        { sourceVolume = "files", containerPath = "/app/artifacts/campaigns", readOnly = false },
        { sourceVolume = "models", containerPath = "/app/artifacts/serving", readOnly = true },
        { sourceVolume = "tmp", containerPath = "/tmp", readOnly = false },
      ]
    },
  ]
}

module "listener" {
  source          = "../listener"
  name            = "${var.platform.name}-desk"
  vpc_id          = var.vpc_id
  balancer_arn    = var.balancer_arn
  port            = 8600
  target          = 8600
  path            = "/readyz"
  certificate_arn = var.certificate_arn
}

resource "aws_ecs_service" "desk" {
  name                               = "desk"
  cluster                            = var.platform.cluster.arn
  task_definition                    = module.task.arn
  desired_count                      = 1
  launch_type                        = "FARGATE"
  deployment_minimum_healthy_percent = 0
  deployment_maximum_percent         = 100
  network_configuration {
    subnets         = var.platform.subnet_ids
    security_groups = [var.groups["desk"]]
  }
  load_balancer {
    target_group_arn = module.listener.target_arn
    container_name   = "desk"
    container_port   = 8600
  }
}
