output "arn" { value = aws_ecs_task_definition.main.arn }
output "arn_without_revision" { value = aws_ecs_task_definition.main.arn_without_revision }
output "roles" { value = [module.execution.arn, module.work.arn] }
