"""What AWS::Serverless makes of a template: JSON in on standard input, JSON out, by the translator that AWS publishes."""

import json
import os
import sys

from samtranslator.translator.transform import transform


class NoManagedPolicies:
    """The template names no managed policy of AWS, so the list of them is not asked for."""

    def load(self):
        return {}


os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")
json.dump(transform(json.load(sys.stdin), {}, NoManagedPolicies()), sys.stdout)
