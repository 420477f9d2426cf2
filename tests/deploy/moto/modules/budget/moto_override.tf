# moto 5.2.5 lacks budgets:DescribeSubscribersForNotification.
resource "aws_budgets_budget" "monthly" { count = 0 }
