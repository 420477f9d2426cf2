output "name" {
  value      = aws_s3_bucket.main.bucket
  depends_on = [aws_s3_bucket_public_access_block.main]
}
output "arn" { value = aws_s3_bucket.main.arn }
