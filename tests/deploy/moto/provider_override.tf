# Laid beside the configuration by the test alone: terraform merges *_override.tf, so what is deployed knows no emulator.
terraform {
  backend "local" {}
}

provider "aws" {
  access_key              = "testing"
  secret_key              = "testing"
  s3_use_path_style       = true
  skip_metadata_api_check = true
}
