"""Filter expressions in Google's Common Expression Language over the variable `_flow`.

The library (cel-expr-python) is optional: it weighs 14 MB a module and has no build for every
platform. Without it an expression is refused with the command that adds it.
"""

from __future__ import annotations

from collections.abc import Callable

from lab.errors import InputError
from lab.hubble.api import flow_pb2

VARIABLE = "_flow"


def compile_expression(text: str) -> Callable[[flow_pb2.Flow], bool]:
    """A predicate over the whole message; InputError when it does not compile to a boolean.

    An expression that fails on a flow (a missing key, an overflow) does not match it.
    """
    # Imported here: only the few requests with an expression pay for the library.
    try:
        from cel_expr_python import cel  # noqa: PLC0415
    except ImportError as exc:
        raise InputError(
            "CEL expressions need a library that is not installed: pip install cel-expr-python"
        ) from exc
    environment = cel.NewEnv(flow_pb2.DESCRIPTOR.pool, variables={VARIABLE: cel.Type("flow.Flow")})
    try:
        program = environment.compile(text)
    except (RuntimeError, ValueError) as exc:
        raise InputError(f"CEL expression {text!r}: {exc}") from exc
    if program.return_type() not in (cel.Type.BOOL, cel.Type.DYN):
        raise InputError(f"CEL expression {text!r}: want a boolean, not a value")

    def matches(flow: flow_pb2.Flow) -> bool:
        return program.eval(data={VARIABLE: flow}).value() is True

    return matches
