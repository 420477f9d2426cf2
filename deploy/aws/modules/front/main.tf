# The API: a Lambda function that scores through the internal load balancer.

resource "aws_cloudwatch_log_group" "all" {
  for_each          = toset(["front", "api"])
  name              = "/${var.name}/${each.key}"
  retention_in_days = var.log_days
  kms_key_id        = var.kms_key_arn
}

data "aws_iam_policy_document" "work" {
  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.all["front"].arn}:*"]
  }
  statement {
    actions   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
    resources = ["*"]
  }
}

module "role" {
  source   = "../role"
  name     = "${var.name}-front"
  service  = "lambda.amazonaws.com"
  policies = [data.aws_iam_policy_document.work.json]
  # Lambda's network interfaces have no ARN before they are there.
  managed_policies = ["arn:aws:iam::aws:policy/service-role/AWSLambdaENIManagementAccess"]
}

resource "aws_lambda_function" "main" {
  #checkov:skip=CKV_AWS_116:Requests are answered at once, so none is left over for a dead-letter queue.
  #checkov:skip=CKV_AWS_272:The function is built from this repository; signing needs the bank's own profile.
  function_name                  = "${var.name}-front"
  role                           = module.role.arn
  runtime                        = "python3.12"
  architectures                  = ["arm64"]
  handler                        = "handler.handler"
  filename                       = var.zip
  source_code_hash               = filebase64sha256(var.zip)
  memory_size                    = 256
  timeout                        = 15
  publish                        = true
  reserved_concurrent_executions = 100
  kms_key_arn                    = var.kms_key_arn
  environment {
    variables = {
      MODEL_SERVER_URL = var.server
      MODEL_NAME       = "purchase-model"
      MAX_ROWS         = "1000"
    }
  }
  vpc_config {
    subnet_ids         = var.subnet_ids
    security_group_ids = [var.security_group]
  }
  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.all["front"].name
  }
  tracing_config { mode = "Active" }
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  function_name    = aws_lambda_function.main.function_name
  function_version = aws_lambda_function.main.version
}

resource "aws_apigatewayv2_api" "main" {
  name          = var.name
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_integration" "main" {
  api_id                 = aws_apigatewayv2_api.main.id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_alias.live.invoke_arn
  payload_format_version = "2.0"
}

resource "aws_apigatewayv2_authorizer" "jwt" {
  count            = var.jwt == null ? 0 : 1
  api_id           = aws_apigatewayv2_api.main.id
  name             = "jwt"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]
  jwt_configuration {
    issuer   = var.jwt.issuer
    audience = var.jwt.audience
  }
}

resource "aws_apigatewayv2_route" "all" {
  for_each           = toset(["POST /score", "GET /healthz"])
  api_id             = aws_apigatewayv2_api.main.id
  route_key          = each.key
  target             = "integrations/${aws_apigatewayv2_integration.main.id}"
  authorization_type = var.jwt == null ? "AWS_IAM" : "JWT"
  authorizer_id      = one(aws_apigatewayv2_authorizer.jwt[*].id)
}

resource "aws_apigatewayv2_stage" "live" {
  api_id      = aws_apigatewayv2_api.main.id
  name        = "$default"
  auto_deploy = true
  default_route_settings {
    throttling_rate_limit  = var.requests_per_second
    throttling_burst_limit = 2 * var.requests_per_second
  }
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.all["api"].arn
    format          = jsonencode({ id = "$context.requestId", route = "$context.routeKey", status = "$context.status", ms = "$context.responseLatency" })
  }
}

resource "aws_lambda_permission" "gateway" {
  statement_id  = "gateway"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.main.function_name
  qualifier     = aws_lambda_alias.live.name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.main.execution_arn}/*/*"
}
