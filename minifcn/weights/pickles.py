"""A pickle is a program for a stack machine; this machine can only build plain data.

Python's own unpickler imports and calls whatever a file names. Here a global name is looked up in
a table of our own functions and nowhere else, and an instruction that is not listed below is an
error. So the file decides which of a handful of functions run, and never what they are.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, NamedTuple, TypeAlias

from minifcn.weights.keys import brief


class Function(NamedTuple):
    """What a pickle may call: a function of ours that stands in for the one it names."""

    call: Callable[..., Any]


Table: TypeAlias = Mapping[str, object]
"""The globals that a pickle may name, as 'module name': Functions, or other values of ours."""

LITERALS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINSTRING", "SHORT_BINSTRING"),  # strings of Python 2, as Latin-1
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
COLLECTIONS: dict[str, Callable[[], Any]] = {
    "EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple
}  # fmt: skip
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def unpickle(
    file: BinaryIO,
    table: Table,
    build: Callable[[Any, Any], None],
    persistent: Callable[[Any], Any] | None = None,
) -> Any:
    """Run the next pickle of a file, which must be in memory, and return what it builds.

    build(object, state): sets the state of an object that a Function made. persistent(id):
    returns what the pickle refers to by an id. Objects may hold themselves, or one another often.

    Raises:
        ValueError: the pickle is damaged, or asks for anything that is not in the table.
    """
    machine = _Machine(table, build, persistent)
    try:
        for instruction, argument, _ in pickletools.genops(file):
            machine.step(instruction.name, argument)
        return machine.result()
    except (IndexError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the pickle is malformed ({brief(str(error))})") from error


class _Machine:
    """The stack, the places marked on it, and the memo of objects that are used again."""

    def __init__(
        self,
        table: Table,
        build: Callable[[Any, Any], None],
        persistent: Callable[[Any], Any] | None,
    ) -> None:
        self.table, self.build, self.persistent = table, build, persistent
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.handlers = {name: getattr(self, f"_{name.lower()}") for name in HANDLED}

    def step(self, name: str, argument: Any) -> None:
        """Execute one instruction."""
        if name in LITERALS:
            self.stack.append(argument)
        elif name in CONSTANTS:
            self.stack.append(CONSTANTS[name])
        elif name in COLLECTIONS:
            self.stack.append(COLLECTIONS[name]())
        elif name in TUPLES:
            self.stack.append(tuple(self._pop(TUPLES[name])))
        elif name in self.handlers:
            self.handlers[name](argument)
        elif name not in ("PROTO", "FRAME", "STOP"):
            about = f" {brief(argument)}" if isinstance(argument, str) else ""
            raise ValueError(f"the pickle has the instruction {name}{about}, which is not allowed")

    def result(self) -> Any:
        """Return the one object that is left."""
        (value,) = self._pop(1)
        if self.stack or self.marks:
            raise ValueError("the pickle leaves more than one object")
        return value

    def _pop(self, count: int) -> list[Any]:
        """Take the last objects off the stack, but none below the last mark."""
        first = len(self.stack) - count
        if first < (self.marks[-1] if self.marks else 0):
            raise ValueError("the pickle is malformed (it uses objects that are not there)")
        values = self.stack[first:]
        del self.stack[first:]
        return values

    def _pop_to_mark(self) -> list[Any]:
        return self._pop(len(self.stack) - self.marks.pop())

    def _mark(self, _: None) -> None:
        self.marks.append(len(self.stack))

    def _tuple(self, _: None) -> None:
        self.stack.append(tuple(self._pop_to_mark()))

    def _append(self, _: None) -> None:
        self._extend(self._pop(1))

    def _appends(self, _: None) -> None:
        self._extend(self._pop_to_mark())

    def _extend(self, values: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise ValueError("the pickle appends to something that is no list")
        self.stack[-1].extend(values)

    def _setitem(self, _: None) -> None:
        self._update(self._pop(2))

    def _setitems(self, _: None) -> None:
        self._update(self._pop_to_mark())

    def _update(self, values: list[Any]) -> None:
        if type(self.stack[-1]) is not dict:
            raise ValueError("the pickle sets items of something that is no dict")
        self.stack[-1].update(pairs_as_dict(zip(values[::2], values[1::2], strict=True)))

    def _binput(self, place: int) -> None:
        self.memo[place] = self.stack[-1]

    def _memoize(self, _: None) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def _binget(self, place: int) -> None:
        self.stack.append(self.memo[place])

    _long_binput, _long_binget = _binput, _binget

    def _global(self, name: str) -> None:
        if name not in self.table:
            raise ValueError(
                f"the pickle asks for {brief(name.replace(' ', '.'))}, which is not allowed"
            )
        self.stack.append(self.table[name])

    def _stack_global(self, _: None) -> None:
        module, name = self._pop(2)
        if type(module) is not str or type(name) is not str:
            raise ValueError("the pickle names a global by something else than strings")
        self._global(f"{module} {name}")

    def _reduce(self, _: None) -> None:
        function, arguments = self._pop(2)
        if type(function) is not Function or type(arguments) is not tuple:
            raise ValueError("the pickle calls something that is no function")
        self.stack.append(function.call(*arguments))

    def _build(self, _: None) -> None:
        (state,) = self._pop(1)
        self.build(self.stack[-1], state)

    def _binpersid(self, _: None) -> None:
        if self.persistent is None:
            raise ValueError("the pickle refers to an object outside of it")
        self.stack.append(self.persistent(*self._pop(1)))


HANDLED = (
    *("MARK", "TUPLE", "APPEND", "APPENDS", "SETITEM", "SETITEMS"),
    *("BINPUT", "LONG_BINPUT", "MEMOIZE", "BINGET", "LONG_BINGET"),
    *("GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD", "BINPERSID"),
)


def pairs_as_dict(pairs: Any) -> dict[str | int, Any]:
    """Return pairs of a key and a value as a dict; keys are strings or whole numbers.

    Others, such as tuples in tuples in tuples, could not be hashed without running out of stack.
    """
    items = {}
    for key, value in pairs:
        if type(key) not in (str, int):
            raise ValueError(f"keys of a dict must be strings or numbers; got {type(key).__name__}")
        items[key] = value
    return items
