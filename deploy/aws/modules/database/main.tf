# PostgreSQL for the desk, its request log and MLflow. AWS keeps and changes the password.

resource "aws_db_subnet_group" "main" {
  name       = var.name
  subnet_ids = var.subnet_ids
}

resource "aws_db_parameter_group" "main" {
  name   = "${var.name}-pg15"
  family = "postgres15"
  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }
  parameter {
    name  = "log_min_duration_statement"
    value = "1000"
  }
  parameter {
    name  = "log_statement"
    value = "ddl"
  }
}

module "role" {
  source           = "../role"
  name             = "${var.name}-database"
  service          = "monitoring.rds.amazonaws.com"
  managed_policies = ["arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"]
}

resource "aws_db_instance" "main" {
  #checkov:skip=CKV_AWS_157:The small size has one server; production has two.
  #checkov:skip=CKV_AWS_293:The small size can be destroyed; production is protected.
  identifier                          = var.name
  engine                              = "postgres"
  engine_version                      = "15.12"
  instance_class                      = var.class
  allocated_storage                   = 20
  max_allocated_storage               = 200
  storage_type                        = "gp3"
  db_name                             = "purchase"
  username                            = "purchase"
  manage_master_user_password         = true
  master_user_secret_kms_key_id       = var.kms_key_arn
  storage_encrypted                   = true
  kms_key_id                          = var.kms_key_arn
  multi_az                            = var.production
  db_subnet_group_name                = aws_db_subnet_group.main.name
  parameter_group_name                = aws_db_parameter_group.main.name
  vpc_security_group_ids              = [var.security_group]
  publicly_accessible                 = false
  backup_retention_period             = var.backup_days
  iam_database_authentication_enabled = true
  deletion_protection                 = var.production
  skip_final_snapshot                 = !var.production
  final_snapshot_identifier           = "${var.name}-final"
  auto_minor_version_upgrade          = true
  copy_tags_to_snapshot               = true
  performance_insights_enabled        = true
  performance_insights_kms_key_id     = var.kms_key_arn
  monitoring_interval                 = 60
  monitoring_role_arn                 = module.role.arn
  enabled_cloudwatch_logs_exports     = ["postgresql", "upgrade"]
}
