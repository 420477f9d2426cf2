output "command" {
  value = join(" ", [
    "aws ecs run-task --launch-type FARGATE --cluster ${var.platform.cluster.name}",
    "--task-definition ${var.platform.name}-training --network-configuration",
    "'awsvpcConfiguration={subnets=[${join(",", var.platform.subnet_ids)}],securityGroups=[${var.groups["training"]}]}'",
  ])
}
