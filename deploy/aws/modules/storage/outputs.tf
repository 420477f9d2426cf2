output "kms_key_arn" { value = aws_kms_key.main.arn }
output "data" { value = { url = "s3://${module.bucket["data"].name}", arn = module.bucket["data"].arn } }
output "models" { value = { url = "s3://${module.bucket["models"].name}/models", arn = module.bucket["models"].arn } }
output "files" {
  description = "The shared files: where they are, and by whom they may be mounted."
  value = {
    id     = aws_efs_file_system.main.id
    arn    = aws_efs_file_system.main.arn
    points = { for key, point in aws_efs_access_point.all : key => { id = point.id, arn = point.arn } }
    runs   = { url = "s3://${module.bucket["runs"].name}", arn = module.bucket["runs"].arn }
    lists  = { url = "s3://${module.bucket["data"].name}/lists", arn = module.bucket["data"].arn }
  }
}
output "logs_bucket" {
  value      = module.bucket["logs"].name
  depends_on = [aws_s3_bucket_policy.all]
}
