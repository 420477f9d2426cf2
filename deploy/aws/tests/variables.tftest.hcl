# Values that are refused before anything is made.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" { defaults = { json = "{}" } }
}

variables {
  alert_email = "operations@bank.example"
  front_zip   = "front/handler.py"
}

run "an_unknown_size" {
  command = plan
  variables { size = "huge" }
  expect_failures = [var.size]
}

run "production_without_a_certificate" {
  command = plan
  variables { size = "production" }
  expect_failures = [var.certificate_arn]
}

run "a_network_that_is_too_small" {
  command = plan
  variables { vpc_cidr = "10.42.0.0/30" }
  expect_failures = [var.vpc_cidr]
}

run "a_desk_for_the_whole_internet" {
  command = plan
  variables { desk_clients = ["0.0.0.0/0"] }
  expect_failures = [var.desk_clients]
}

run "alarms_for_nobody" {
  command = plan
  variables { alert_email = "operations" }
  expect_failures = [var.alert_email]
}

run "a_schedule_in_another_notation" {
  command = plan
  variables { retrain = "0 6 * * *" }
  expect_failures = [var.retrain]
}

run "a_name_that_aws_does_not_take" {
  command = plan
  variables { name = "Purchase_Model" }
  expect_failures = [var.name]
}

run "no_requests" {
  command = plan
  variables { requests_per_second = 0 }
  expect_failures = [var.requests_per_second]
}
