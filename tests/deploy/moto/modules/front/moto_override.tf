# What moto accepts and does not give back.
resource "aws_lambda_function" "main" {
  lifecycle { ignore_changes = [logging_config] }
}
