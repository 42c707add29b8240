"""Asks a rasa-sdk server over its streaming gRPC and prints each event as a line of JSON.

.venv-rasa-sdk/bin/python tests/tools/rasa_grpc_client.py PORT < call.json
"""

import json
import sys

import grpc
from google.protobuf.json_format import MessageToDict, ParseDict
from rasa_sdk.grpc_py.action_webhook_pb2 import WebhookRequest
from rasa_sdk.grpc_py.action_webhook_pb2_grpc import ActionServiceStub

call = ParseDict(json.load(sys.stdin), WebhookRequest(), ignore_unknown_fields=True)
with grpc.insecure_channel(f"127.0.0.1:{sys.argv[1]}") as channel:
    grpc.channel_ready_future(channel).result(timeout=300)
    for event in ActionServiceStub(channel).WebhookStream(call, timeout=300):
        sys.stdout.write(json.dumps(MessageToDict(event, preserving_proto_field_name=True), ensure_ascii=False) + "\n")
