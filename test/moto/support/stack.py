"""Creates, updates and deletes a stack on moto's CloudFormation and prints what is there after each step.

Standard input: {"template": ..., "bucket": ..., "region": ..., "create": {parameter: value}, "update": {parameter: value}}.
"""

import ast
import io
import json
import sys
import zipfile

import boto3
from moto import mock_aws
from moto.cloudformation import parsing

NAME = "flowcut"


def leave_nothing_out():
    """What moto does otherwise than CloudFormation: AWS::NoValue stays in lists, as a null.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html#cfn-pseudo-param-novalue
    """
    whole = parsing.clean_json

    def clean_json(node, resources):
        if isinstance(node, list):
            return [value for value in (clean_json(entry, resources) for entry in node) if value is not None]
        return whole(node, resources)

    parsing.clean_json = clean_json


def upload(template, bucket, region):
    """A bundle for each function: CloudFormation looks for it."""
    s3 = boto3.client("s3", region_name=region)
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as bundle:
        bundle.writestr("index.mjs", "export const handler = async () => ({});\n")
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            s3.put_object(Bucket=bucket, Key=resource["Properties"]["Code"]["S3Key"], Body=body.getvalue())


def parameters(values):
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]


def document(given):
    """A policy document: moto gives the inline ones that CloudFormation makes as the text of a Python object."""
    return ast.literal_eval(given) if isinstance(given, str) else given


def look(region):
    """The stack as CloudFormation tells it, and what each service says of its part."""
    client = lambda name: boto3.client(name, region_name=region)
    cloudformation, iam, functions, machines = map(client, ["cloudformation", "iam", "lambda", "stepfunctions"])
    stacks = [
        one
        for page in cloudformation.get_paginator("list_stacks").paginate()
        for one in page["StackSummaries"]
        if one["StackName"] == NAME
    ]
    alive = stacks and stacks[0]["StackStatus"] != "DELETE_COMPLETE"
    resources = cloudformation.describe_stack_resources(StackName=NAME)["StackResources"] if alive else []
    outputs = cloudformation.describe_stacks(StackName=NAME)["Stacks"][0].get("Outputs", []) if alive else []
    roles = []
    for role in iam.list_roles()["Roles"]:
        role = iam.get_role(RoleName=role["RoleName"])["Role"]
        inline = iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
        documents = [
            document(iam.get_role_policy(RoleName=role["RoleName"], PolicyName=name)["PolicyDocument"])
            for name in inline
        ]
        roles.append(
            {
                "path": role["Path"],
                "boundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
                "documents": documents,
            }
        )
    # moto attaches none of them to the roles that name them.
    policies = []
    for policy in iam.list_policies(Scope="Local")["Policies"]:
        got = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])
        policies.append(document(got["PolicyVersion"]["Document"]))
    return {
        "status": stacks[0]["StackStatus"] if stacks else None,
        "resources": [
            {"id": one["LogicalResourceId"], "type": one["ResourceType"], "name": one.get("PhysicalResourceId")}
            for one in resources
            # One of a type that moto does not make has no id.
            if "LogicalResourceId" in one
        ],
        "outputs": {one["OutputKey"]: one["OutputValue"] for one in outputs},
        "roles": roles,
        "policies": policies,
        "environments": [
            one.get("Environment", {}).get("Variables", {}) for one in functions.list_functions()["Functions"]
        ],
        "machines": [one["name"] for one in machines.list_state_machines()["stateMachines"]],
        "tables": client("dynamodb").list_tables()["TableNames"],
        "documents": [
            one["Name"]
            for one in client("ssm").list_documents(Filters=[{"Key": "Owner", "Values": ["Self"]}])["DocumentIdentifiers"]
        ],
    }


@mock_aws(config={"lambda": {"use_docker": False}})
def main():
    given = json.load(sys.stdin)
    leave_nothing_out()
    upload(given["template"], given["bucket"], given["region"])
    cloudformation = boto3.client("cloudformation", region_name=given["region"])
    body = json.dumps(given["template"])
    capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    steps = {}
    cloudformation.create_stack(
        StackName=NAME, TemplateBody=body, Parameters=parameters(given["create"]), Capabilities=capabilities
    )
    steps["created"] = look(given["region"])
    cloudformation.update_stack(
        StackName=NAME, TemplateBody=body, Parameters=parameters(given["update"]), Capabilities=capabilities
    )
    steps["updated"] = look(given["region"])
    cloudformation.delete_stack(StackName=NAME)
    steps["deleted"] = look(given["region"])
    json.dump(steps, sys.stdout)


main()
