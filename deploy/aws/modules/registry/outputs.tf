output "repositories" { value = { for key, repository in aws_ecr_repository.all : key => { url = repository.repository_url, arn = repository.arn } } }
output "ci_role" { value = one(aws_iam_role.ci[*].arn) }
