# SPDX-License-Identifier: Apache-2.0
"""What an application with a certificate shows Entra, by azure-identity and,
where that makes no such thing, by the msal below it. Nothing is sent."""

import json

import azure.identity
import azure.identity._internal.msal_client
import msal
import msal.oauth2cli.assertion

import cases

HOST = "https://login.microsoftonline.com"
sent = []


class Answer:
    status_code = 200
    headers = {}

    def __init__(self, **content):
        self.text = json.dumps(content)

    def raise_for_status(self):
        pass


class Client:
    """Instead of HTTP."""

    def __init__(self, **_):
        pass

    def get(self, url, **_):
        base = url.split("/v2.0/")[0]
        return Answer(token_endpoint=base + "/oauth2/v2.0/token",
                      authorization_endpoint=base + "/authorize",
                      device_authorization_endpoint=base + "/device",
                      issuer=base + "/v2.0")

    def post(self, url, data=None, **_):
        sent.append(data)
        return Answer(access_token="x", expires_in=3600, token_type="Bearer")

    def get_error_response(self, result):
        return None

    def close(self):
        pass


class Clock:
    @staticmethod
    def time():
        return Clock.now


azure.identity._internal.msal_client.MsalClient = Client
azure.identity._internal.msal_credentials.MsalClient = Client
msal.oauth2cli.assertion.time = Clock


def text(token):
    return token if isinstance(token, str) else token.decode()


def of_identity(case):
    """Signed RS256, certificate named by its SHA-1."""
    azure.identity.CertificateCredential(
        case["tenant"], case["clientId"],
        certificate_data=case["pem"].encode(), password=case.get("passphrase"),
        send_certificate_chain=case["chain"],
        disable_instance_discovery=True).get_token("x/.default")
    return {"token": text(sent.pop()["client_assertion"])}


def of_msal(case):
    """Signed PS256, certificate named by its SHA-256 and always shown."""
    begin = case["pem"].index("-----BEGIN CERTIFICATE-----")
    app = msal.ConfidentialClientApplication(
        case["clientId"], authority=f"{HOST}/{case['tenant']}",
        instance_discovery=False, http_client=Client(), client_credential={
            "private_key": case["pem"],
            "passphrase": case.get("passphrase"),
            "public_certificate": case["pem"][begin:]})
    app.acquire_token_for_client(["x/.default"])
    return {"token": text(sent.pop()["client_assertion"])}


def assertion(case):
    Clock.now = case["now"]
    return (of_identity if case["algorithm"] == "RS256" else of_msal)(case)


cases.run({"azure_assertion": assertion, "jwt_read": cases.jwt_read})
