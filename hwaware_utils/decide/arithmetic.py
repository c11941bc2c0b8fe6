"""Formulas that stand as text in a data file: numbers, names, + - * / ** and brackets, nothing else. Never Python's eval."""

import ast
import operator

from ..base.errors import UserError

_TWO = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Pow: operator.pow,
}  # fmt: skip


def calculate(formula: str, given: dict[str, float]) -> float:
    """The value of `formula`; UserError when it is no arithmetic, names something that is not given, or has no value.

    >>> calculate("100 * (1 - small / large)", {"small": 1.0, "large": 4.0})
    75.0
    """
    try:
        return float(_value(ast.parse(str(formula), mode="eval").body, given))
    except (SyntaxError, ArithmeticError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise UserError(f"formula {formula!r} has no value ({error}): give arithmetic on numbers and given names.") from error


def _value(node: ast.expr, given: dict[str, float]) -> float:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return float(node.value)  # whole powers would grow without end
    if isinstance(node, ast.Name) and node.id in given:
        return float(given[node.id])
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, given)
    if isinstance(node, ast.BinOp) and type(node.op) in _TWO:
        return _TWO[type(node.op)](_value(node.left, given), _value(node.right, given))
    raise ValueError(f"{ast.unparse(node)!r} is not allowed")
