"""Exceptions as values, taken apart and put together without their constructors."""

from __future__ import annotations

from types import MemberDescriptorType
from typing import Any

from durable_django.base.payloads.classes import class_path, dotted, loaded_class, storable_path
from durable_django.base.payloads.decoding import as_list, as_object, as_text, unpacks
from durable_django.base.payloads.packing import Packer, Tree, packs_family, tagged
from durable_django.base.payloads.refusals import Refusal
from durable_django.exceptions import UnreadablePayload

#: Slots that are not the exception's own state: links and parts that are stored apart, and AttributeError.obj, which
#: holds whatever object lacked the attribute.
_NOT_STATE = {"__suppress_context__", "obj", "exceptions"}

#: Py_TPFLAGS_HEAPTYPE of CPython's object.h; a type without it is written in C.
_MADE_BY_CLASS_STATEMENT = 1 << 9


@packs_family(BaseException)
def pack_exception(packer: Packer, error: BaseException) -> Tree:
    """Write the class, the arguments, the attributes and what caused it; not the traceback."""
    if not isinstance(error, Exception):
        raise Refusal(f"{dotted(class_path(type(error)))} is not an Exception.", "Store str(error).")
    path = storable_path(type(error))
    packer.enter(4)
    packed = {
        "type": path,
        "args": packer.part(error, list(own_args(error)), ".args"),
        "state": [
            [packer.pack(name), packer.part(error, value, f".{name}")] for name, value in state_of(error).items()
        ],
        "cause": packer.part(error, error.__cause__, ".__cause__"),
        "children": packer.part(error, list(children_of(error)), ".exceptions"),
    }
    packer.leave()
    return tagged("exception", {key: value for key, value in packed.items() if value})


@unpacks("exception")
def unpack_exception(content: object) -> Exception:
    """Make the exception again if its class is loaded."""
    facts = as_object(content)
    path = as_text(facts["type"])
    kind = exception_class(path)
    if kind is None:
        raise UnreadablePayload(
            reason=f"{dotted(path):.200} is not an exception of a loaded module.",
            advice="Import its module before the value is read, or leave an alias where the class was.",
        )
    error = rebuild(kind, as_list(facts.get("args", [])), as_list(facts.get("children", [])))
    restore_state(error, dict(as_list(facts.get("state", []))))
    set_cause(error, facts.get("cause"))
    return error


def exception_class(path: str) -> type[Exception] | None:
    """Return the loaded class at the path if it is an Exception; SystemExit and its kin are not."""
    kind = loaded_class(path)
    return kind if kind is not None and issubclass(kind, Exception) else None


def own_args(error: BaseException) -> tuple[Any, ...]:
    """Return the arguments; those of a group repeat its children and are left out, except for its message."""
    args: tuple[Any, ...] = BaseException.__dict__["args"].__get__(error)
    return args[:1] if isinstance(error, BaseExceptionGroup) else args


def children_of(error: BaseException) -> tuple[BaseException, ...]:
    """Return the exceptions of a group, () for others."""
    return error.exceptions if isinstance(error, BaseExceptionGroup) else ()


def state_of(error: BaseException) -> dict[str, Any]:
    """Return the attributes, wherever Python keeps them: in the dict, in slots, or in the C struct of OSError."""
    state = {
        name: value for name, member in _members(type(error)).items() if (value := _read(member, error)) is not None
    }
    return {**state, **object.__getattribute__(error, "__dict__")}


def rebuild(kind: type[Exception], args: list[Any], children: list[Any]) -> Exception:
    """
    Return an exception with these arguments, made by the constructor of its nearest built-in base.

    A constructor of the user's never runs: it may want other arguments than it passed on, or do anything.
    """
    builtin = next(base for base in kind.__mro__ if not base.__flags__ & _MADE_BY_CLASS_STATEMENT)
    if issubclass(builtin, BaseExceptionGroup):
        return BaseExceptionGroup.__new__(kind, as_text(args[0]), children)  # type: ignore[type-var]  # it checks them itself
    error: Exception = builtin.__new__(kind)
    _initialise(builtin, error, args)
    BaseException.__dict__["args"].__set__(error, tuple(args))
    return error


def restore_state(error: Exception, state: dict[str, Any]) -> None:
    """Put the attributes back where state_of() found them."""
    members = _members(type(error))
    attributes = object.__getattribute__(error, "__dict__")
    for name, value in state.items():
        if name in members:
            _write(members[name], error, value)
        else:
            attributes[name] = value
    _require_sound(error)


def set_cause(error: Exception, cause: object) -> None:
    """Set `__cause__` if there is one."""
    if isinstance(cause, BaseException):
        BaseException.__dict__["__cause__"].__set__(error, cause)


def _require_sound(error: Exception) -> None:
    # CPython before 3.13.1 reads outside of the text when it prints such an error (issue gh-123378).
    if isinstance(error, (UnicodeEncodeError, UnicodeDecodeError, UnicodeTranslateError)):
        text: Any = error.object
        if text is not None and not 0 <= error.start <= error.end <= len(text):
            raise ValueError("the range of a UnicodeError lies outside of its text")


def _initialise(builtin: type, error: Exception, args: list[Any]) -> None:
    try:
        # OSError, SyntaxError and UnicodeError spread their arguments over attributes.
        builtin.__init__(error, *args)  # type: ignore[misc]  # the initialiser of a base, on purpose
    except (TypeError, ValueError):
        # A subclass may keep other arguments than its base takes; they are set all the same.
        return


def _members(kind: type) -> dict[str, MemberDescriptorType]:
    return {
        name: member
        for base in reversed(kind.__mro__)
        for name, member in vars(base).items()
        if type(member) is MemberDescriptorType and name not in _NOT_STATE
    }


def _read(member: MemberDescriptorType, error: BaseException) -> Any:
    try:
        return member.__get__(error)
    except AttributeError:
        return None


def _write(member: MemberDescriptorType, error: BaseException, value: object) -> None:
    try:
        member.__set__(error, value)
    except (AttributeError, TypeError):
        # Read-only, such as the message of a group: set when it was made.
        return
