# The bucket that objects are restored into: used for nothing else, without versions, and emptied by itself in the end.

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:Copies that live for an hour; CloudTrail's data events tell who read them, where that is wanted
  #checkov:skip=CKV_AWS_21:A version that is kept would be a copy of production that nobody deletes
  #checkov:skip=CKV_AWS_144:Copies of backups need no copies
  #checkov:skip=CKV_AWS_145:Under SSE-S3 the ETag of an object is its MD5, by which a copy is compared with its source at no cost
  #checkov:skip=CKV2_AWS_62:Nobody waits for what happens in it
  bucket        = "restorecheck-scratch-${local.account}-${local.region}"
  force_destroy = true # everything in it is a copy
  tags          = var.tags
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id
  rule {
    id     = "what-everything-else-forgot"
    status = "Enabled"
    filter {
      prefix = "restorecheck-"
    }
    expiration {
      days = var.expire_days
    }
  }
  rule {
    id     = "uploads-that-were-begun-only"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 3
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OnlyEncryptedConnections"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
  depends_on = [aws_s3_bucket_public_access_block.this]
}
