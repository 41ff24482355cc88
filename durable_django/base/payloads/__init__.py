"""
Python value <-> stored text: the only room that knows the stored format.

The text is ASCII JSON. What JSON can say exactly is written plainly; everything else is an object with two keys,
{"$py": tag, "v": content}. So plain JSON written by other languages is itself a valid payload, and a row can name
neither code to import nor a function to call.

    scalars, moments, containers, enums, records, raised, instances, lazies    one kind of value each
    encoding, decoding, copies, calls                                          the verbs
    errors, error_reading                                                      exceptions as outcomes
    describing, redacting                                                      for people
"""

from durable_django.base.payloads import (
    containers,
    enums,
    instances,
    lazies,
    moments,
    raised,
    records,
    scalars,
)
from durable_django.base.payloads.calls import decode_call, encode_call, fingerprint, with_first
from durable_django.base.payloads.copies import round_trip
from durable_django.base.payloads.custom import register_codec
from durable_django.base.payloads.decoding import decode
from durable_django.base.payloads.describing import describe_call, describe_error_line, describe_value
from durable_django.base.payloads.encoding import encode
from durable_django.base.payloads.error_reading import ErrorDescription, decode_error, describe_error
from durable_django.base.payloads.errors import encode_error
from durable_django.base.payloads.redacting import redacted, redacted_call, redacted_error

# Importing these rooms is what fills the tables of packing.py and decoding.py.
KINDS = (scalars, moments, containers, enums, records, raised, instances, lazies)

__all__ = [
    "ErrorDescription",
    "decode",
    "decode_call",
    "decode_error",
    "describe_call",
    "describe_error",
    "describe_error_line",
    "describe_value",
    "encode",
    "encode_call",
    "encode_error",
    "fingerprint",
    "redacted",
    "redacted_call",
    "redacted_error",
    "register_codec",
    "round_trip",
    "with_first",
]
