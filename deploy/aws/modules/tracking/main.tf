# MLflow, with its figures in PostgreSQL and its artifacts in the bucket of runs.

module "task" {
  source        = "../task"
  name          = "mlflow"
  platform      = var.platform
  cpu           = 512
  memory        = 2048
  reads         = [var.platform.files.runs.arn]
  writes        = [var.platform.files.runs.arn]
  scratch       = ["tmp"]
  uses_database = true
  containers = [{
    name         = "mlflow"
    image        = "mlflow"
    portMappings = [{ containerPort = 5000, hostPort = 5000, protocol = "tcp" }]
    environment = [
      { name = "PGHOST", value = var.platform.database.host },
      { name = "PGUSER", value = var.platform.database.user },
      { name = "PGSSLMODE", value = "require" },
      { name = "MLFLOW_ARTIFACTS_DESTINATION", value = "${var.platform.files.runs.url}/mlflow" },
      { name = "MLFLOW_SERVER_ALLOWED_HOSTS", value = "${var.host}:5000" },
      { name = "AWS_REGION", value = var.platform.region },
    ]
    secrets     = [{ name = "PGPASSWORD", valueFrom = "${var.platform.database.secret}:password::" }]
    mountPoints = [{ sourceVolume = "tmp", containerPath = "/tmp", readOnly = false }]
  }]
}

module "listener" {
  source          = "../listener"
  name            = "${var.platform.name}-mlflow"
  vpc_id          = var.vpc_id
  balancer_arn    = var.balancer_arn
  port            = 5000
  target          = 5000
  path            = "/health"
  certificate_arn = var.certificate_arn
}

resource "aws_ecs_service" "mlflow" {
  name            = "mlflow"
  cluster         = var.platform.cluster.arn
  task_definition = module.task.arn
  desired_count   = 1
  launch_type     = "FARGATE"
  network_configuration {
    subnets         = var.platform.subnet_ids
    security_groups = [var.groups["tracking"]]
  }
  load_balancer {
    target_group_arn = module.listener.target_arn
    container_name   = "mlflow"
    container_port   = 5000
  }
}
