# What moto accepts and does not give back.
resource "aws_db_parameter_group" "main" {
  lifecycle { ignore_changes = [parameter] }
}
resource "aws_db_instance" "main" {
  lifecycle { ignore_changes = [performance_insights_enabled, performance_insights_kms_key_id] }
}
