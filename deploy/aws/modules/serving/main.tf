# TensorFlow Serving with the sidecar that fetches its models, the exporter and the collector of metrics, in one task
# behind the internal load balancer.

module "task" {
  source   = "../task"
  name     = "serving"
  platform = var.platform
  cpu      = var.cpu
  memory   = var.memory
  reads    = [var.platform.models.arn]
  scratch  = ["models", "tmp"]
  containers = [
    {
      name         = "sync"
      image        = "model-sync"
      command      = [var.platform.models.url, "artifacts/serving"]
      portMappings = [{ containerPort = 9110, hostPort = 9110, protocol = "tcp" }]
      environment  = [{ name = "AWS_REGION", value = var.platform.region }]
      mountPoints = [
        { sourceVolume = "models", containerPath = "/app/artifacts/serving", readOnly = false },
        { sourceVolume = "tmp", containerPath = "/tmp", readOnly = false },
      ]
      healthCheck = {
        command  = ["CMD", "python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:9110/readyz', timeout=4)"]
        interval = 15, timeout = 5, retries = 3, startPeriod = 30
      }
    },
    {
      name         = "serving"
      image        = "purchase-model"
      portMappings = [{ containerPort = 8501, hostPort = 8501, protocol = "tcp" }]
      environment = [
        { name = "PORT", value = "8501" },
        { name = "MODEL_BASE_PATH", value = "/models" },
      ]
      dependsOn   = [{ containerName = "sync", condition = "HEALTHY" }]
      stopTimeout = 45
      mountPoints = [
        { sourceVolume = "models", containerPath = "/models", readOnly = true },
        { sourceVolume = "tmp", containerPath = "/tmp", readOnly = false },
      ]
      healthCheck = {
        command  = ["CMD", "/usr/local/bin/healthcheck.sh"]
        interval = 15, timeout = 5, retries = 3, startPeriod = 60
      }
    },
    {
      name         = "exporter"
      image        = "model-exporter"
      command      = ["--server", "http://localhost:8501"]
      essential    = false
      portMappings = [{ containerPort = 9109, hostPort = 9109, protocol = "tcp" }]
      mountPoints = [
        { sourceVolume = "models", containerPath = "/app/artifacts/serving", readOnly = true },
        { sourceVolume = "tmp", containerPath = "/tmp", readOnly = false },
      ]
    },
    {
      name        = "collector"
      image       = "collector"
      command     = ["--config", "env:AWS_COLLECTOR_CONFIG"]
      essential   = false
      environment = [{ name = "AWS_COLLECTOR_CONFIG", value = var.platform.collector.config }]
    },
  ]
}

resource "aws_lb" "main" {
  #checkov:skip=CKV_AWS_150:The small size can be destroyed; production is protected.
  name                       = var.platform.name
  internal                   = true
  load_balancer_type         = "application"
  security_groups            = [var.groups["balancer"]]
  subnets                    = var.platform.subnet_ids
  drop_invalid_header_fields = true
  enable_deletion_protection = var.protected
  access_logs {
    bucket  = var.logs_bucket
    prefix  = "balancer"
    enabled = true
  }
}

module "listener" {
  source          = "../listener"
  name            = "${var.platform.name}-serving"
  vpc_id          = var.vpc_id
  balancer_arn    = aws_lb.main.arn
  port            = var.certificate_arn == null ? 80 : 443
  target          = 8501
  path            = "/v1/models/purchase-model"
  certificate_arn = var.certificate_arn
}

resource "aws_ecs_service" "serving" {
  name                               = "serving"
  cluster                            = var.platform.cluster.arn
  task_definition                    = module.task.arn
  desired_count                      = var.tasks
  launch_type                        = "FARGATE"
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  health_check_grace_period_seconds  = 120
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    subnets         = var.platform.subnet_ids
    security_groups = [var.groups["serving"]]
  }
  load_balancer {
    target_group_arn = module.listener.target_arn
    container_name   = "serving"
    container_port   = 8501
  }
  lifecycle { ignore_changes = [desired_count] }
}

resource "aws_appautoscaling_target" "serving" {
  service_namespace  = "ecs"
  resource_id        = "service/${var.platform.cluster.name}/${aws_ecs_service.serving.name}"
  scalable_dimension = "ecs:service:DesiredCount"
  min_capacity       = var.tasks
  max_capacity       = var.most_tasks
}

resource "aws_appautoscaling_policy" "cpu" {
  name               = "cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.serving.service_namespace
  resource_id        = aws_appautoscaling_target.serving.resource_id
  scalable_dimension = aws_appautoscaling_target.serving.scalable_dimension
  target_tracking_scaling_policy_configuration {
    target_value = 60
    predefined_metric_specification { predefined_metric_type = "ECSServiceAverageCPUUtilization" }
  }
}

resource "aws_appautoscaling_policy" "requests" {
  name               = "requests"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.serving.service_namespace
  resource_id        = aws_appautoscaling_target.serving.resource_id
  scalable_dimension = aws_appautoscaling_target.serving.scalable_dimension
  target_tracking_scaling_policy_configuration {
    # Requests a minute and task.
    target_value = 60000
    predefined_metric_specification {
      predefined_metric_type = "ALBRequestCountPerTarget"
      resource_label         = "${aws_lb.main.arn_suffix}/${module.listener.target_suffix}"
    }
  }
}
