# The image of bertline deploy image as a function of AWS Lambda: registry, function, HTTPS address, alarms.
# docs/guide/deploy/functions.md says how to use it, and what was checked.

terraform {
  required_version = ">= 1.6"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.80"
    }
  }
}

variable "name" {
  description = "Name of the bundle, as in /models/NAME of the image"
  type        = string
}

variable "digest" {
  description = "Digest of the pushed image, sha256:…; null while there is only the registry, before the first push"
  type        = string
  default     = null
  validation {
    condition     = var.digest == null || can(regex("^sha256:[0-9a-f]{64}$", var.digest))
    error_message = "digest is not sha256: and 64 hexadecimal digits: take it from the output of the push."
  }
}

variable "memory_mb" {
  description = "Memory; Lambda gives one full core at 1,769 MB"
  type        = number
  default     = 1769
}

variable "concurrency" {
  description = "Most instances at a time: the bound on what a flood of requests costs"
  type        = number
  default     = 20
}

variable "alarm_topics" {
  description = "ARNs of SNS topics that hear of an alarm; without one, it is only seen in the console"
  type        = list(string)
  default     = []
}

resource "aws_ecr_repository" "model" {
  #checkov:skip=CKV_AWS_136: Amazon's own key encrypts the images; a key of yours is a decision about its costs
  name                 = var.name
  image_tag_mutability = "IMMUTABLE"
  image_scanning_configuration {
    scan_on_push = true
  }
}

data "aws_iam_policy_document" "lambda" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "function" {
  name               = "${var.name}-function"
  assume_role_policy = data.aws_iam_policy_document.lambda.json
}

data "aws_iam_policy_document" "function" {
  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.function.arn}:*"]
  }
  statement {
    actions   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
    resources = ["*"] # X-Ray has no resources of its own
  }
}

resource "aws_iam_role_policy" "function" {
  name   = "logs-and-traces"
  role   = aws_iam_role.function.id
  policy = data.aws_iam_policy_document.function.json
}

resource "aws_cloudwatch_log_group" "function" {
  #checkov:skip=CKV_AWS_158: Amazon's own key encrypts the log, which never has a text
  name              = "/aws/lambda/${var.name}"
  retention_in_days = 365
}

resource "aws_lambda_function" "model" {
  #checkov:skip=CKV_AWS_116: callers wait for their answer, so there is nothing to keep for later
  #checkov:skip=CKV_AWS_117: the function calls nothing, so it needs no network of yours
  #checkov:skip=CKV_AWS_272: code signing is for archives; the digest pins an image
  function_name                  = var.name
  role                           = aws_iam_role.function.arn
  package_type                   = "Image"
  image_uri                      = "${aws_ecr_repository.model.repository_url}@${coalesce(var.digest, "none")}"
  architectures                  = ["x86_64"]
  memory_size                    = var.memory_mb
  timeout                        = 30
  reserved_concurrent_executions = var.concurrency
  image_config {
    entry_point = ["python3", "-m", "bertline.deploy.function"]
    command     = ["/models/${var.name}"]
  }
  tracing_config {
    mode = "Active"
  }
  lifecycle {
    precondition {
      condition     = var.digest != null
      error_message = "digest is missing: push the image to the registry, then give the digest that the push printed."
    }
  }
  depends_on = [aws_cloudwatch_log_group.function, aws_iam_role_policy.function]
}

# HTTPS for callers with a signed request (SigV4) and the rights lambda:InvokeFunctionUrl and lambda:InvokeFunction.
resource "aws_lambda_function_url" "model" {
  function_name      = aws_lambda_function.model.function_name
  authorization_type = "AWS_IAM"
}

resource "aws_cloudwatch_metric_alarm" "bad" {
  for_each            = toset(["Errors", "Throttles"])
  alarm_name          = "${var.name}-${lower(each.key)}"
  namespace           = "AWS/Lambda"
  metric_name         = each.key
  dimensions          = { FunctionName = aws_lambda_function.model.function_name }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topics
  ok_actions          = var.alarm_topics
}

output "repository" {
  value = aws_ecr_repository.model.repository_url
}

output "url" {
  value = aws_lambda_function_url.model.function_url
}
