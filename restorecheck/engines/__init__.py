"""Durable engines: each is the port of `durable` over something that records. Nobody else imports their SDKs."""
