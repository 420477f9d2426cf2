# Private subnets without a way to the internet: tasks reach AWS through endpoints.

resource "aws_vpc" "main" {
  cidr_block           = var.cidr
  enable_dns_hostnames = true
  tags                 = { Name = var.name }
}

resource "aws_default_security_group" "closed" { vpc_id = aws_vpc.main.id }

resource "aws_subnet" "private" {
  count             = var.zones
  vpc_id            = aws_vpc.main.id
  availability_zone = "${var.region}${["a", "b", "c"][count.index]}"
  cidr_block        = cidrsubnet(var.cidr, 4, count.index)
  tags              = { Name = "${var.name}-private-${count.index}" }
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.main.id
  tags   = { Name = var.name }
}

resource "aws_route_table_association" "private" {
  count          = var.zones
  subnet_id      = aws_subnet.private[count.index].id
  route_table_id = aws_route_table.private.id
}

resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.main.id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.private.id]
}

resource "aws_vpc_endpoint" "interface" {
  for_each            = toset(["ecr.api", "ecr.dkr", "logs", "secretsmanager", "aps-workspaces"])
  vpc_id              = aws_vpc.main.id
  service_name        = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = aws_subnet.private[*].id
  security_group_ids  = [aws_security_group.all["endpoints"].id]
}

# --- who may speak to whom ------------------------------------------------------------------------------------------

locals {
  groups = {
    balancer  = "The internal load balancer"
    serving   = "The model server"
    desk      = "The campaign desk"
    training  = "Steps of the schedule"
    tracking  = "MLflow"
    front     = "The Lambda function"
    database  = "PostgreSQL"
    files     = "Shared files"
    endpoints = "Endpoints of AWS"
  }
  flows = merge(
    { for from in ["front", "desk", "training"] : "${from}-balancer" => { from = from, to = "balancer", port = var.balancer } },
    { for to, port in { serving = 8501, desk = 8600, tracking = 5000 } : "balancer-${to}" => { from = "balancer", to = to, port = port } },
    { training-mlflow = { from = "training", to = "balancer", port = 5000 } },
    { for from in ["desk", "tracking"] : "${from}-database" => { from = from, to = "database", port = 5432 } },
    { for from in ["desk", "training"] : "${from}-files" => { from = from, to = "files", port = 2049 } },
    { for from in ["serving", "desk", "training", "tracking"] : "${from}-endpoints" => { from = from, to = "endpoints", port = 443 } },
  )
}

resource "aws_security_group" "all" {
  #checkov:skip=CKV2_AWS_5:Each one is attached in another module, which checkov does not follow.
  for_each    = local.groups
  name        = "${var.name}-${each.key}"
  description = each.value
  vpc_id      = aws_vpc.main.id
}

resource "aws_vpc_security_group_ingress_rule" "flow" {
  for_each                     = local.flows
  security_group_id            = aws_security_group.all[each.value.to].id
  referenced_security_group_id = aws_security_group.all[each.value.from].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  description                  = each.key
}

resource "aws_vpc_security_group_egress_rule" "flow" {
  for_each                     = local.flows
  security_group_id            = aws_security_group.all[each.value.from].id
  referenced_security_group_id = aws_security_group.all[each.value.to].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  description                  = each.key
}

resource "aws_vpc_security_group_egress_rule" "s3" {
  for_each          = toset(["serving", "desk", "training", "tracking"])
  security_group_id = aws_security_group.all[each.key].id
  prefix_list_id    = aws_vpc_endpoint.s3.prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  description       = "${each.key} to S3"
}

resource "aws_vpc_security_group_ingress_rule" "people" {
  for_each          = { for pair in setproduct(var.desk_clients, [8600, 5000]) : "${pair[0]} ${pair[1]}" => pair }
  security_group_id = aws_security_group.all["balancer"].id
  cidr_ipv4         = each.value[0]
  ip_protocol       = "tcp"
  from_port         = each.value[1]
  to_port           = each.value[1]
  description       = "people to the desk and MLflow"
}

# --- who spoke to whom ----------------------------------------------------------------------------------------------

resource "aws_cloudwatch_log_group" "flows" {
  name              = "/${var.name}/network"
  retention_in_days = var.log_days
  kms_key_id        = var.kms_key_arn
}

data "aws_iam_policy_document" "write" {
  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    resources = ["${aws_cloudwatch_log_group.flows.arn}:*"]
  }
}

module "role" {
  source   = "../role"
  name     = "${var.name}-network"
  service  = "vpc-flow-logs.amazonaws.com"
  policies = [data.aws_iam_policy_document.write.json]
}

resource "aws_flow_log" "main" {
  vpc_id          = aws_vpc.main.id
  traffic_type    = "REJECT"
  iam_role_arn    = module.role.arn
  log_destination = aws_cloudwatch_log_group.flows.arn
}
