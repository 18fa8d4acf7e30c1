"""Describes an account with boto3, a client of another code base than the SDK that flowcut uses.

    python read-back.py ENDPOINT    one JSON object: the answer lists of each Describe call, sorted
"""

import json
import sys

import boto3

endpoint = sys.argv[1]


def client(service):
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="eu-central-1",
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="not-a-secret",
    )


def everything(service, call, key, **parameters):
    pages = client(service).get_paginator(call).paginate(**parameters)
    return [item for page in pages for item in page[key]]


def in_order(value):
    """Lists in one order: moto keeps some of them in sets."""
    if isinstance(value, dict):
        return {name: in_order(member) for name, member in value.items()}
    if isinstance(value, list):
        return sorted((in_order(member) for member in value), key=lambda member: json.dumps(member, sort_keys=True, default=str))
    return value


def main():
    ec2, elbv2 = client("ec2"), client("elbv2")
    instances = [
        instance
        for reservation in everything("ec2", "describe_instances", "Reservations")
        for instance in reservation["Instances"]
    ]
    ids = [instance["InstanceId"] for instance in instances]
    attributes = ["disableApiTermination", "disableApiStop", "instanceInitiatedShutdownBehavior"]

    def attribute(instance_id, name):
        answer = ec2.describe_instance_attribute(InstanceId=instance_id, Attribute=name)
        return answer.get(name[0].upper() + name[1:], {}).get("Value")

    groups = everything("elbv2", "describe_target_groups", "TargetGroups")
    dump = {
        "Instances": instances,
        "InstanceAttributes": {i: {name: attribute(i, name) for name in attributes} for i in ids},
        "NetworkInterfaces": everything("ec2", "describe_network_interfaces", "NetworkInterfaces"),
        "SecurityGroups": everything("ec2", "describe_security_groups", "SecurityGroups"),
        "SecurityGroupRules": everything("ec2", "describe_security_group_rules", "SecurityGroupRules"),
        "NetworkAcls": everything("ec2", "describe_network_acls", "NetworkAcls"),
        "RouteTables": everything("ec2", "describe_route_tables", "RouteTables"),
        "Subnets": everything("ec2", "describe_subnets", "Subnets"),
        "Vpcs": everything("ec2", "describe_vpcs", "Vpcs"),
        "NatGateways": everything("ec2", "describe_nat_gateways", "NatGateways"),
        "InternetGateways": everything("ec2", "describe_internet_gateways", "InternetGateways"),
        "Volumes": everything("ec2", "describe_volumes", "Volumes"),
        "Snapshots": everything("ec2", "describe_snapshots", "Snapshots", Filters=[{"Name": "tag-key", "Values": ["*"]}]),
        "AutoScalingGroups": everything("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups"),
        "AutoScalingInstances": everything("autoscaling", "describe_auto_scaling_instances", "AutoScalingInstances"),
        "TargetGroups": groups,
        "TargetHealth": {
            group["TargetGroupName"]: elbv2.describe_target_health(TargetGroupArn=group["TargetGroupArn"])[
                "TargetHealthDescriptions"
            ]
            for group in groups
        },
        "ClassicLoadBalancers": everything("elb", "describe_load_balancers", "LoadBalancerDescriptions"),
    }
    json.dump(in_order(dump), sys.stdout, default=str)


if __name__ == "__main__":
    main()
