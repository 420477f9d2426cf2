data "aws_caller_identity" "me" {}

locals {
  production = var.size == "production"
  sizes = {
    small = {
      zones       = 2, serving_cpu = 1024, serving_memory = 2048, tasks = 1, most_tasks = 2, database = "db.t4g.micro"
      backup_days = 7, log_days = 30, training_cpu = 2048, training_memory = 8192
    }
    production = {
      zones       = 3, serving_cpu = 2048, serving_memory = 4096, tasks = 2, most_tasks = 6, database = "db.m7g.large"
      backup_days = 30, log_days = 400, training_cpu = 4096, training_memory = 16384
    }
  }
  size = local.sizes[var.size]
  # The model server, its sidecar and what watches them; names as in deploy/kubernetes.
  images = ["purchase-model", "model-sync", "model-exporter", "campaign-desk", "purchase-model-training", "mlflow", "collector"]
}

module "network" {
  source       = "./modules/network"
  name         = var.name
  region       = var.region
  cidr         = var.vpc_cidr
  zones        = local.size.zones
  log_days     = local.size.log_days
  kms_key_arn  = module.storage.kms_key_arn
  desk_clients = var.desk_clients
  balancer     = var.certificate_arn == null ? 80 : 443
}

module "storage" {
  source         = "./modules/storage"
  name           = var.name
  account        = data.aws_caller_identity.me.account_id
  region         = var.region
  force_destroy  = !local.production
  subnet_ids     = module.network.subnet_ids
  security_group = module.network.groups["files"]
}

module "registry" {
  source            = "./modules/registry"
  name              = var.name
  images            = local.images
  kms_key_arn       = module.storage.kms_key_arn
  github_repository = var.github_repository
}

module "database" {
  source         = "./modules/database"
  name           = var.name
  class          = local.size.database
  production     = local.production
  backup_days    = local.size.backup_days
  subnet_ids     = module.network.subnet_ids
  security_group = module.network.groups["database"]
  kms_key_arn    = module.storage.kms_key_arn
}

locals {
  # What every task needs.
  platform = {
    name         = var.name
    region       = var.region
    cluster      = module.monitoring.cluster
    subnet_ids   = module.network.subnet_ids
    repositories = module.registry.repositories
    tag          = var.image_tag
    kms_key_arn  = module.storage.kms_key_arn
    log_days     = local.size.log_days
    models       = module.storage.models
    files        = module.storage.files
    database     = module.database.connection
    collector    = module.monitoring.collector
  }
}

module "serving" {
  source          = "./modules/serving"
  platform        = local.platform
  groups          = module.network.groups
  vpc_id          = module.network.vpc_id
  cpu             = local.size.serving_cpu
  memory          = local.size.serving_memory
  tasks           = local.size.tasks
  most_tasks      = local.size.most_tasks
  certificate_arn = var.certificate_arn
  logs_bucket     = module.storage.logs_bucket
  protected       = local.production
}

module "desk" {
  source          = "./modules/desk"
  platform        = local.platform
  groups          = module.network.groups
  vpc_id          = module.network.vpc_id
  balancer_arn    = module.serving.balancer_arn
  certificate_arn = var.certificate_arn
  server          = module.serving.url
}

module "training" {
  source   = "./modules/training"
  platform = local.platform
  groups   = module.network.groups
  cpu      = local.size.training_cpu
  memory   = local.size.training_memory
  data     = module.storage.data
  contract = var.contract
  when     = var.retrain
  mlflow   = module.tracking.url
  alerts   = module.monitoring.topic_arn
}

module "tracking" {
  source          = "./modules/tracking"
  platform        = local.platform
  groups          = module.network.groups
  vpc_id          = module.network.vpc_id
  balancer_arn    = module.serving.balancer_arn
  certificate_arn = var.certificate_arn
  host            = module.serving.host
}

module "front" {
  source              = "./modules/front"
  name                = var.name
  zip                 = var.front_zip
  server              = module.serving.url
  subnet_ids          = module.network.subnet_ids
  security_group      = module.network.groups["front"]
  kms_key_arn         = module.storage.kms_key_arn
  log_days            = local.size.log_days
  requests_per_second = var.requests_per_second
  jwt                 = var.jwt
}

module "monitoring" {
  source      = "./modules/monitoring"
  name        = var.name
  region      = var.region
  kms_key_arn = module.storage.kms_key_arn
  alert_email = var.alert_email
  log_days    = local.size.log_days
  alarms = {
    balancer = module.serving.balancer_suffix
    target   = module.serving.target_suffix
    database = module.database.id
  }
}

module "budget" {
  source = "./modules/budget"
  name   = var.name
  usd    = var.budget_usd
  email  = var.alert_email
}
