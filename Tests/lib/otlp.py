"""Reads bodies of OTLP/HTTP in JSON, one a line, by OpenTelemetry's own protobuf types, and prints their spans, one JSON object a
line. Fields that these types do not know, values of another type, and identifiers that are none are errors."""

import base64
import json
import sys

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

IDENTIFIERS = {"traceId": 16, "spanId": 8, "parentSpanId": 8}


def read(line):
    body = json.loads(line)
    for resource in body["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                # OTLP writes these in hexadecimal digits, where protobuf's own JSON has base64.
                for name, size in IDENTIFIERS.items():
                    if name not in span:
                        continue
                    identifier = bytes.fromhex(span[name])
                    if len(identifier) != size or not any(identifier):
                        raise ValueError(f"{name} {span[name]!r}: wanted {size} bytes that are not all zero")
                    span[name] = base64.b64encode(identifier).decode()
    return json_format.ParseDict(body, ExportTraceServiceRequest())


def value(any_value):
    kind = any_value.WhichOneof("value")
    return getattr(any_value, kind) if kind else None


for line in sys.stdin:
    for resource in read(line).resource_spans:
        service = {one.key: value(one.value) for one in resource.resource.attributes}.get("service.name")
        for scope in resource.scope_spans:
            for span in scope.spans:
                print(json.dumps({
                    "service": service, "trace": span.trace_id.hex(), "span": span.span_id.hex(),
                    "parent": span.parent_span_id.hex(), "name": span.name, "kind": Span.SpanKind.Name(span.kind),
                    "start": span.start_time_unix_nano, "end": span.end_time_unix_nano,
                    "status": Status.StatusCode.Name(span.status.code), "message": span.status.message,
                    "events": [event.name for event in span.events],
                    "attributes": {one.key: value(one.value) for one in span.attributes},
                }))
