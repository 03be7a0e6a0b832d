# SPDX-License-Identifier: Apache-2.0
"""Google's credentials as google-auth does them."""

import json
import os
import urllib.parse

import google.auth._helpers
import google.auth.aws
import google.oauth2.service_account

import cases


def set_clock(case):
    now = cases.moment(case).replace(tzinfo=None)
    google.auth._helpers.utcnow = lambda: now


def assertion(case):
    """What a service account shows to get a token."""
    set_clock(case)
    made = google.oauth2.service_account.Credentials.from_service_account_info(
        {"type": "service_account", "client_email": case["email"],
         "private_key": case["key"], "private_key_id": case["keyId"],
         "token_uri": "https://oauth2.googleapis.com/token"},
        scopes=case["scopes"].split(" "), subject=case.get("subject"))
    return {"token": made._make_authorization_grant_assertion().decode()}


def aws_subject(case):
    """What a workload on AWS shows, taken apart."""
    set_clock(case)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(case["environment"])
    made = google.auth.aws.Credentials.from_info({
        "type": "external_account", "audience": case["audience"],
        "subject_token_type": "urn:ietf:params:aws:token-type:aws4_request",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": case["source"]})
    return read_subject(made.retrieve_subject_token(None))


def read_subject(text):
    subject = json.loads(urllib.parse.unquote(text))
    subject["headers"] = {one["key"]: one["value"]
                          for one in subject["headers"]}
    return subject


cases.run({"google_assertion": assertion, "google_aws_subject": aws_subject,
           "read_subject": lambda case: read_subject(case["subject"]),
           "jwt_read": cases.jwt_read})
