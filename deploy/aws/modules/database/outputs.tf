output "id" { value = aws_db_instance.main.identifier }
output "connection" {
  value = {
    host   = aws_db_instance.main.address
    user   = aws_db_instance.main.username
    name   = aws_db_instance.main.db_name
    secret = aws_db_instance.main.master_user_secret[0].secret_arn
  }
}
