output "arn" { value = aws_ecs_task_definition.main.arn }
output "arn_without_revision" { value = aws_ecs_task_definition.main.arn_without_revision }
output "roles" { value = [aws_iam_role.execution.arn, aws_iam_role.task.arn] }
