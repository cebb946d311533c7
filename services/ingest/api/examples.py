"""Requests and answers as people see them on /docs; a test posts the one and compares with the others."""

from typing import Any

EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e1",
    "source": "//app.example/api",
    "type": "usage.feature_used",
    "subject": "acme",
    "time": "2026-11-23T13:12:04Z",
    "data": {"user": "u17", "feature": "report_export", "quantity": 1},
}
WRONG = EVENT | {"id": "e2", "data": {"user": "u17", "feature": "report_export", "quantity": "three"}}
UNKNOWN_CUSTOMER = EVENT | {
    "id": "e3",
    "type": "invoice.payment_failed",
    "subject": "stripe:cus_A",
    "data": {"invoice": "in_1", "amount": "49.00", "currency": "EUR"},
}
LINK = EVENT | {
    "id": "l1",
    "type": "identity.linked",
    "data": {"kind": "account", "source": "stripe", "external_id": "cus_A", "id": "acme"},
}

_ONE = {
    "event": {"summary": "one event", "value": EVENT},
    "link": {"summary": "bind an alias", "value": LINK},
}
_MANY = {"batch": {"summary": "one right, one wrong, one parked", "value": [EVENT, WRONG, UNKNOWN_CUSTOMER]}}
_ENVELOPE = {
    "type": "object",
    "required": ["specversion", "id", "source", "type", "subject", "time", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1, "maxLength": 256},
        "source": {"type": "string", "minLength": 1, "maxLength": 256},
        "type": {"type": "string", "description": "one of GET /v1/schemas"},
        "subject": {"type": "string", "description": "account id, or an alias source:external_id"},
        "time": {"type": "string", "format": "date-time"},
        "importrun": {"type": "string", "maxLength": 64},
        "data": {"type": "object", "description": "GET /v1/schemas/{type}/{version}"},
    },
}
_BATCH = {"type": "array", "maxItems": 5000, "items": _ENVELOPE}

EVENTS_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/cloudevents+json": {"schema": _ENVELOPE, "examples": _ONE},
        "application/cloudevents-batch+json": {"schema": _BATCH, "examples": _MANY},
        "application/json": {"schema": {"oneOf": [_ENVELOPE, _BATCH]}, "examples": _ONE | _MANY},
    },
}

_ACCEPTED = {"index": 0, "id": "e1", "status": "accepted", "account": "acme"}
_REFUSED = {
    "index": 1,
    "id": "e2",
    "status": "refused",
    "reason": "wrong_type",
    "pointer": "/data/quantity",
    "value": "three",
    "expected": "a whole number, 0 to 1,000,000,000",
}
_PARKED = {"index": 2, "id": "e3", "status": "parked", "alias": "stripe:cus_A"}

ALL_ACCEPTED: dict[str, Any] = {"accepted": 1, "parked": 0, "refused": 0, "position": "3:10422", "results": [_ACCEPTED]}
MIXED: dict[str, Any] = {
    "accepted": 1,
    "parked": 1,
    "refused": 1,
    "position": "3:10422",
    "results": [_ACCEPTED, _REFUSED, _PARKED],
}
NONE: dict[str, Any] = {
    "accepted": 0,
    "parked": 0,
    "refused": 1,
    "position": None,
    "results": [{"index": 0, "id": "e1", "status": "withheld"}, _REFUSED],
}

ASIDE = {
    "id": 118,
    "state": "open",
    "reason": "wrong_type",
    "remedy": "Send what `expected` says.",
    "pointer": "/data/quantity",
    "value": "three",
    "expected": "a whole number, 0 to 1,000,000,000",
    "alias": None,
    "source": "//app.example/api",
    "event_id": "e2",
    "type": "usage.feature_used",
    "time": "2026-11-23T13:12:04Z",
    "origin": {"topic": "product.usage", "partition": 3, "offset": 512},
    "actor": "topic:product.usage",
    "received_at": "2026-11-23T13:12:04.120Z",
    "version": "0.1.0",
    "size_bytes": 214,
    "settled_at": None,
    "settled_by": None,
    "payload": None,
}
ASIDE_PAGE = {"items": [ASIDE], "next": "WzExOF0"}

REPLAY_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "oneOf": [
                    {
                        "type": "object",
                        "required": ["ids"],
                        "properties": {"ids": {"type": "array", "maxItems": 250, "items": {"type": "integer"}}},
                    },
                    {
                        "type": "object",
                        "required": ["reason"],
                        "properties": {"reason": {"type": "string"}, "after": {"type": "integer", "default": 0}},
                    },
                ]
            },
            "examples": {
                "ids": {"summary": "some", "value": {"ids": [118, 119]}},
                "reason": {"summary": "all with one reason, 250 a call", "value": {"reason": "unknown_type"}},
            },
        }
    },
}
REPLAY = {
    "accepted": 1,
    "refused": 1,
    "position": "3:10423",
    "results": [
        {"id": 118, "status": "accepted", "account": "acme"},
        {
            "id": 119,
            "status": "refused",
            "reason": "wrong_type",
            "pointer": "/data/quantity",
            "value": "three",
            "expected": "a whole number, 0 to 1,000,000,000",
        },
    ],
    "next": None,
}
SCHEMAS = {
    "schemas": [
        {
            "name": "usage.feature_used",
            "version": 1,
            "stream": "product.usage",
            "href": "/v1/schemas/usage.feature_used/1",
        }
    ]
}
