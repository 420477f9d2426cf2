# Each module by itself, without AWS.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" { defaults = { json = "{}" } }
}

variables {
  name           = "bank"
  kms_key_arn    = "arn:aws:kms:eu-central-1:123456789012:key/a"
  subnet_ids     = ["subnet-1", "subnet-2"]
  security_group = "sg-1"
  log_days       = 30
}

run "buckets_are_private_and_encrypted" {
  command = plan
  module { source = "./modules/bucket" }
  variables { force_destroy = false }
  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.main.block_public_acls, aws_s3_bucket_public_access_block.main.block_public_policy,
      aws_s3_bucket_public_access_block.main.ignore_public_acls, aws_s3_bucket_public_access_block.main.restrict_public_buckets,
    ])
    error_message = "A bucket can be made public."
  }
  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.main.rule).apply_server_side_encryption_by_default).kms_master_key_id == var.kms_key_arn
    error_message = "A bucket is not encrypted with the key."
  }
  assert {
    condition     = aws_s3_bucket_versioning.main.versioning_configuration[0].status == "Enabled"
    error_message = "A bucket keeps no versions."
  }
}

run "the_small_database_can_be_destroyed" {
  command = plan
  module { source = "./modules/database" }
  variables {
    class       = "db.t4g.micro"
    production  = false
    backup_days = 7
  }
  assert {
    condition     = aws_db_instance.main.storage_encrypted && !aws_db_instance.main.publicly_accessible && aws_db_instance.main.manage_master_user_password
    error_message = "The database must be encrypted and private, its password AWS's."
  }
  assert {
    condition     = !aws_db_instance.main.deletion_protection && !aws_db_instance.main.multi_az
    error_message = "The small database must be cheap and can be destroyed."
  }
}

run "the_production_database_is_protected" {
  command = plan
  module { source = "./modules/database" }
  variables {
    class       = "db.m7g.large"
    production  = true
    backup_days = 30
  }
  assert {
    condition     = aws_db_instance.main.deletion_protection && aws_db_instance.main.multi_az && !aws_db_instance.main.skip_final_snapshot
    error_message = "The production database must have two servers and be protected."
  }
}

run "nobody_outside_reaches_the_network" {
  command = plan
  module { source = "./modules/network" }
  variables {
    region       = "eu-central-1"
    cidr         = "10.42.0.0/16"
    zones        = 2
    desk_clients = ["10.0.0.0/8"]
    balancer     = 443
  }
  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_ingress_rule.flow : rule.cidr_ipv4 == null])
    error_message = "A part of the system is open to addresses."
  }
  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_ingress_rule.people : rule.cidr_ipv4 == "10.0.0.0/8" && contains([8600, 5000], rule.from_port)])
    error_message = "The desk and MLflow are open to others than desk_clients."
  }
  assert {
    condition     = toset([for key, flow in aws_vpc_security_group_ingress_rule.flow : key if flow.from_port == 5432]) == toset(["desk-database", "tracking-database"])
    error_message = "Only the desk and MLflow may reach the database."
  }
}

run "images_are_scanned_and_keep_their_tags" {
  command = plan
  module { source = "./modules/registry" }
  variables {
    images            = ["purchase-model"]
    github_repository = "bank/models"
  }
  assert {
    condition     = alltrue([for one in aws_ecr_repository.all : one.image_tag_mutability == "IMMUTABLE" && one.image_scanning_configuration[0].scan_on_push])
    error_message = "An image is not scanned, or its tag can be changed."
  }
  assert {
    condition     = length(aws_iam_role.ci) == 1
    error_message = "The workflow has no role."
  }
}

run "without_a_repository_nobody_pushes" {
  command = plan
  module { source = "./modules/registry" }
  variables {
    images            = ["purchase-model"]
    github_repository = null
  }
  assert {
    condition     = length(aws_iam_role.ci) + length(aws_iam_openid_connect_provider.github) == 0
    error_message = "A role for GitHub is there though none was asked for."
  }
}

run "the_api_asks_who_calls" {
  command = plan
  module { source = "./modules/front" }
  variables {
    zip                 = "front/handler.py"
    server              = "http://models.internal"
    requests_per_second = 50
    jwt                 = null
  }
  assert {
    condition     = alltrue([for route in aws_apigatewayv2_route.all : route.authorization_type == "AWS_IAM"])
    error_message = "The API answers anybody."
  }
  assert {
    condition     = aws_apigatewayv2_stage.live.default_route_settings[0].throttling_rate_limit == 50
    error_message = "The API is not throttled."
  }
}

run "the_api_takes_tokens" {
  command = plan
  module { source = "./modules/front" }
  variables {
    zip                 = "front/handler.py"
    server              = "http://models.internal"
    requests_per_second = 50
    jwt                 = { issuer = "https://login.bank.example", audience = ["models"] }
  }
  assert {
    condition     = alltrue([for route in aws_apigatewayv2_route.all : route.authorization_type == "JWT"])
    error_message = "The API answers without a token."
  }
}

run "tasks_write_to_their_volumes_and_nowhere_else" {
  command = plan
  module { source = "./modules/task" }
  variables {
    name    = "desk"
    cpu     = 256
    memory  = 512
    scratch = ["models", "tmp"]
    platform = {
      name         = "bank"
      region       = "eu-central-1"
      log_days     = 30
      kms_key_arn  = "arn:aws:kms:eu-central-1:123456789012:key/a"
      tag          = "1"
      repositories = { desk = { url = "registry/desk", arn = "arn:aws:ecr:eu-central-1:123456789012:repository/desk" } }
    }
    containers = [
      { name = "desk", image = "desk", dependsOn = [{ containerName = "other", condition = "HEALTHY" }] },
      { name = "other", image = "desk" },
    ]
  }
  assert {
    condition = alltrue([
      for one in jsondecode(aws_ecs_task_definition.main.container_definitions) :
      one.readonlyRootFilesystem && (one.user == "0:0") == (one.name == "volumes")
    ])
    error_message = "A container may write to its image, or runs as root without need."
  }
  assert {
    condition     = jsondecode(aws_ecs_task_definition.main.container_definitions)[0].command == ["1777", "/volumes/models", "/volumes/tmp"]
    error_message = "Volumes belong to root."
  }
  assert {
    condition = alltrue([
      for one in slice(jsondecode(aws_ecs_task_definition.main.container_definitions), 1, 3) :
      contains([for before in one.dependsOn : before.containerName if before.condition == "SUCCESS"], "volumes")
    ])
    error_message = "A container may start before it can write."
  }
}
