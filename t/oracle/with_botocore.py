# SPDX-License-Identifier: Apache-2.0
"""AWS as botocore does it."""

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.session

import cases

session = botocore.session.Session()
clients = {}
now = None
botocore.auth.get_current_datetime = lambda remove_tzinfo=True: (
    now.replace(tzinfo=None) if remove_tzinfo else now)


def credentials(case):
    global now
    now = cases.moment(case)
    return botocore.credentials.Credentials(
        case["accessKeyId"], case["secret"], case.get("sessionToken"))


def name_cluster(params, context, **_):
    context["cluster"] = params.pop("Cluster")


def add_header(request, **_):
    if "cluster" in request.context:
        request.headers["x-k8s-aws-id"] = request.context["cluster"]


def client(region):
    """A client for STS; its keys are those of each case."""
    if region not in clients:
        made = session.create_client(
            "sts", region_name=region, aws_access_key_id="x",
            aws_secret_access_key="x")
        made.meta.events.register(
            "provide-client-params.sts.GetCallerIdentity", name_cluster)
        made.meta.events.register("before-sign.sts.GetCallerIdentity",
                                  add_header)
        clients[region] = made
    return clients[region]


def eks_token(case):
    """The presigned URL that is in a token for EKS."""
    sts = client(case["region"])
    sts._request_signer._credentials = credentials(case)
    return {"url": sts.generate_presigned_url(
        "get_caller_identity", Params={"Cluster": case["cluster"]},
        ExpiresIn=60, HttpMethod="GET")}


def sts_call(case):
    """The headers of a signed POST."""
    request = botocore.awsrequest.AWSRequest(
        method="POST", url=case["url"], data=case["body"].encode(),
        headers={"Content-Type": case["contentType"]})
    botocore.auth.SigV4Auth(credentials(case), "sts",
                            case["region"]).add_auth(request)
    return {"authorization": request.headers["Authorization"],
            "date": request.headers["X-Amz-Date"]}


def regions(case):
    """All regions that have STS."""
    return {"regions": [
        region for partition in session.get_available_partitions()
        for region in session.get_available_regions("sts", partition)]}


cases.run({"eks_token": eks_token, "sts_call": sts_call, "regions": regions})
