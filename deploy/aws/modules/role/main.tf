# A role that a service of AWS takes, and what it may do.

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = [var.service]
    }
  }
}

resource "aws_iam_role" "main" {
  name               = var.name
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

resource "aws_iam_role_policy" "main" {
  count  = length(var.policies)
  name   = "own-${count.index}"
  role   = aws_iam_role.main.id
  policy = var.policies[count.index]
}

resource "aws_iam_role_policy_attachment" "main" {
  for_each   = toset(var.managed_policies)
  role       = aws_iam_role.main.name
  policy_arn = each.key
}
