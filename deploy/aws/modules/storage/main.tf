# The key, the buckets, and the files that tasks share.

locals {
  # The serving bucket has versions and nothing else, the data bucket calls and lists; runs are reports and MLflow's artifacts.
  buckets = toset(["data", "models", "runs", "logs"])
}

resource "aws_kms_key" "main" {
  description             = var.name
  enable_key_rotation     = true
  deletion_window_in_days = 7
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Account"
        Effect    = "Allow"
        Action    = "kms:*"
        Resource  = "*"
        Principal = { AWS = "arn:aws:iam::${var.account}:root" }
      },
      {
        Sid       = "Logs"
        Effect    = "Allow"
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
        Resource  = "*"
        Principal = { Service = "logs.${var.region}.amazonaws.com" }
        Condition = {
          ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:aws:logs:${var.region}:${var.account}:log-group:/${var.name}/*" }
        }
      },
      {
        Sid       = "Alarms"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
        Resource  = "*"
        Principal = { Service = ["cloudwatch.amazonaws.com", "events.amazonaws.com"] }
        Condition = { StringEquals = { "aws:SourceAccount" = var.account } }
      },
    ]
  })
}

resource "aws_kms_alias" "main" {
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.main.key_id
}

module "bucket" {
  for_each = local.buckets
  source   = "../bucket"
  name     = "${var.name}-${var.account}-${each.key}"
  # The load balancer writes its logs with S3's own key only.
  kms_key_arn   = each.key == "logs" ? null : aws_kms_key.main.arn
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_logging" "all" {
  for_each      = setsubtract(local.buckets, ["logs"])
  bucket        = module.bucket[each.key].name
  target_bucket = module.bucket["logs"].name
  target_prefix = "s3/${each.key}/"
  depends_on    = [aws_s3_bucket_policy.all]
}

data "aws_elb_service_account" "here" {}

data "aws_iam_policy_document" "bucket" {
  for_each = local.buckets
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [module.bucket[each.key].arn, "${module.bucket[each.key].arn}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
  dynamic "statement" {
    for_each = each.key == "logs" ? { balancer = data.aws_elb_service_account.here.arn } : {}
    content {
      sid       = "Balancer"
      actions   = ["s3:PutObject"]
      resources = ["${module.bucket[each.key].arn}/balancer/*"]
      principals {
        type        = "AWS"
        identifiers = [statement.value]
      }
    }
  }
  dynamic "statement" {
    for_each = each.key == "logs" ? [1] : []
    content {
      sid       = "AccessLogs"
      actions   = ["s3:PutObject"]
      resources = ["${module.bucket[each.key].arn}/s3/*"]
      principals {
        type        = "Service"
        identifiers = ["logging.s3.amazonaws.com"]
      }
      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [var.account]
      }
    }
  }
}

resource "aws_s3_bucket_policy" "all" {
  for_each = local.buckets
  bucket   = module.bucket[each.key].name
  policy   = data.aws_iam_policy_document.bucket[each.key].json
}

# The schedule's and the desk's folders outlive their tasks.
resource "aws_efs_file_system" "main" {
  creation_token = var.name
  encrypted      = true
  kms_key_id     = aws_kms_key.main.arn
  tags           = { Name = var.name }
}

resource "aws_efs_backup_policy" "main" {
  file_system_id = aws_efs_file_system.main.id
  backup_policy { status = "ENABLED" }
}

resource "aws_efs_mount_target" "main" {
  count           = length(var.subnet_ids)
  file_system_id  = aws_efs_file_system.main.id
  subnet_id       = var.subnet_ids[count.index]
  security_groups = [var.security_group]
}

resource "aws_efs_access_point" "all" {
  for_each       = toset(["training", "desk"])
  file_system_id = aws_efs_file_system.main.id
  posix_user {
    uid = 10001
    gid = 10001
  }
  root_directory {
    path = "/${each.key}"
    creation_info {
      owner_uid   = 10001
      owner_gid   = 10001
      permissions = "700"
    }
  }
}
