# SPDX-License-Identifier: Apache-2.0
"""One JSON value a line comes in, one goes out: what a library makes of it.

Each file beside this one has a table of functions, called by the case's "op".
"""

import datetime
import json
import sys


def moment(case):
    """The case's clock."""
    return datetime.datetime.fromtimestamp(case["now"], datetime.timezone.utc)


def jwt_read(case):
    """Header and claims of a token, if that certificate's key signed it."""
    import cryptography.x509
    import jwt

    certificate = cryptography.x509.load_pem_x509_certificate(
        case["certificate"].encode())
    read = jwt.api_jws.decode_complete(
        case["token"], certificate.public_key(), [case["algorithm"]])
    return {"header": read["header"], "claims": json.loads(read["payload"])}


def run(table):
    for line in sys.stdin:
        case = json.loads(line)
        try:
            result = table[case["op"]](case)
        except Exception as why:  # the test shows it beside our result
            result = {"error": f"{type(why).__name__}: {why}"}
        print(json.dumps(result), flush=True)
