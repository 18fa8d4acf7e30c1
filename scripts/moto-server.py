"""Serves moto on a free loopback port, prints its address, and ends when its standard input does.

    python moto-server.py
    python moto-server.py --longest-wait SECONDS --invoke COMMAND [ARGUMENT ...]

With --invoke, moto interprets state machines, and what it cannot do without Docker is done elsewhere: for each invocation
of a Lambda function the command is run with the function's name as its last argument, AWS_ENDPOINT_URL in its
environment and the payload on its standard input. The last line that it prints is the answer, {"result": ...} or
{"error": {"errorType": ..., "errorMessage": ...}}. Waits and pauses before retries end after the longest wait.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

from moto.core.config import default_user_config
from moto.ec2.models.network_acls import NetworkAcl
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server


def fill_gaps():
    """What moto answers with a 500 and EC2 does not: the filter network-acl-id of DescribeNetworkAcls.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNetworkAcls.html
    """
    lacking = NetworkAcl.get_filter_value

    def get_filter_value(acl, name, method=None):
        return acl.id if name == "network-acl-id" else lacking(acl, name, method)

    NetworkAcl.get_filter_value = get_filter_value


class OneAtATime:
    """moto is not thread-safe: two conditional writes at once may both find their condition true."""

    def __init__(self, application):
        self.application = application
        self.lock = threading.Lock()

    def __call__(self, environ, start_response):
        with self.lock:
            return self.application(environ, start_response)


class Quiet(WSGIRequestHandler):
    # Without it the SDK's pooled connections are closed after each answer.
    protocol_version = "HTTP/1.1"

    def log_request(self, code="-", size="-"):
        pass


def interpret_state_machines(command, longest_wait, endpoint):
    """Turns moto's interpreter on, with Lambda and waits replaced as told above."""
    from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
    from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
    from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction

    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    whole_wait = WaitFunction._wait_interval

    def short_wait(self, env, wait_seconds):
        return whole_wait(self, env, min(wait_seconds, longest_wait))

    def invoke(parameters, region, state_credentials):
        name = parameters["FunctionName"].split(":")[-1]
        environment = {**os.environ, "AWS_ENDPOINT_URL": endpoint}
        done = subprocess.run([*command, name], input=parameters["Payload"], env=environment, capture_output=True)
        lines = done.stdout.decode().splitlines()
        if done.returncode != 0 or not lines:
            raise RuntimeError(f"{name} did not answer: {done.stderr.decode()[-2000:]}")
        answer = json.loads(lines[-1])
        if "error" in answer:
            return {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": answer["error"]}
        return {"StatusCode": 200, "Payload": answer["result"]}

    WaitFunction._wait_interval = short_wait
    retrier_decl.time = SimpleNamespace(sleep=lambda seconds: time.sleep(min(seconds, longest_wait)))
    lambda_eval_utils._invoke_lambda_function = invoke


def end_with_parent(server):
    sys.stdin.buffer.read()
    server.shutdown()
    # A thread that still interprets a state machine must not keep the process.
    os._exit(0)


def main():
    options = argparse.ArgumentParser()
    # Whole seconds: moto counts them so, and would wait for less than one for ever.
    options.add_argument("--longest-wait", type=int, default=60)
    options.add_argument("--invoke", nargs=argparse.REMAINDER)
    chosen = options.parse_args()
    fill_gaps()
    application = OneAtATime(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)
    endpoint = f"http://127.0.0.1:{server.server_port}"
    if chosen.invoke is not None:
        interpret_state_machines(chosen.invoke, chosen.longest_wait, endpoint)
    print(endpoint, flush=True)
    threading.Thread(target=end_with_parent, args=(server,), daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
