output "arn" {
  value      = aws_iam_role.main.arn
  depends_on = [aws_iam_role_policy.main, aws_iam_role_policy_attachment.main]
}
