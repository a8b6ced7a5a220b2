"""The known mistakes of exercise engine, in words."""

from __future__ import annotations

from minifcn.course.exercises.exercise import Switch


def _switch(id: str, words: str, question: str) -> Switch:
    return Switch(f"ag.{id}", words, question)


BOTH = "If a node is used by two others, when is its gradient complete?"
DOWN = "In a diamond, o made of a and b, both made of y: what must happen before y goes on to x?"
REPEATED = "If one number was copied to six places, how much does the sum of them grow with it?"

EARLY = tuple(
    _switch(
        f"{name}/{side}",
        f"nodes are listed as they are first met, {words}, before all that use them are listed",
        DOWN,
    )
    for side in ("left", "right")
    for name, words in (
        ("preorder", "depth first"),
        ("preorder/stack", "from a stack"),
        ("bfs", "level by level"),
    )
)
EARLY = tuple(one._replace(id=one.id.replace("stack/", "stack_")) for one in EARLY)

ORDER = (
    *EARLY,
    _switch(
        "reversed",
        "outputs stand before their inputs",
        "Which node can be listed without waiting for any other?",
    ),
    _switch(
        "no_topo",
        "a node is listed each time it is used, not once",
        "How do you know that a node is in the list already?",
    ),
    _switch(
        "leaves_missing",
        "nodes without inputs are left out",
        "Has a node without inputs a gradient, too?",
    ),
    _switch("output_missing", "the output is left out", "Which node has the first gradient?"),
)

SUM = (
    _switch("broadcast/none", "nothing is summed", REPEATED),
    _switch("broadcast/mean", "means are taken where sums belong", REPEATED),
    _switch("broadcast/first", "the first is taken where sums belong", REPEATED),
    _switch(
        "broadcast_keepdims/leading",
        "new axes are summed, but axes of 1 that were repeated are not",
        "What did NumPy do with an axis of 1 when it met one of 4?",
    ),
    _switch(
        "broadcast_keepdims/ones",
        "axes of 1 are summed, but axes that are new are not",
        "What did NumPy do with an array of shape (3,) when it met one of (2, 3)?",
    ),
    _switch(
        "broadcast_keepdims/dropped",
        "axes of 1 are summed away, they should stay as axes of 1",
        "Which shape has an array of (2, 3) after a sum over axis 1, and which should it have?",
    ),
    _switch(
        "broadcast_keepdims/one_by_one",
        "axes of 1 are summed away one by one, so the axes behind them move",
        "Which shape has an array of (2, 3) after a sum over axis 1, and which should it have?",
    ),
    _switch(
        "broadcast_keepdims/value",
        "the size 1 is taken for the number of an axis",
        "Which axis is meant: the one whose size is 1, or axis number 1?",
    ),
    _switch(
        "broadcast_keepdims/trailing",
        "the last axes are summed where the new, first ones should be",
        "On which side does NumPy add axes to an array that has too few?",
    ),
)

BACKWARD = (
    *EARLY,
    *(
        _switch(
            f"assign/{side}",
            "a new contribution replaces the one before, it is not added",
            "What is the derivative of a + a?",
        )
        for side in ("left", "right")
    ),
    *(
        _switch(
            f"no_topo/{when}/{side}",
            "plain recursion: each time a node is met, all its gradient so far goes down again",
            BOTH,
        )
        for when in ("all", "each")
        for side in ("left", "right")
    ),
    *(
        _switch(
            f"clear_first/{side}",
            "a node goes on at its first visit; what comes later does not reach its inputs",
            DOWN,
        )
        for side in ("left", "right")
    ),
    _switch(
        "leaves_first",
        "nodes are gone through from the leaves to the output",
        "Whose gradient is known at the beginning?",
    ),
    _switch("added_twice", "each contribution is added twice", "What is the derivative of 3 * x?"),
    *(
        _switch(
            f"same_parent_twice/{which}",
            "of an input that is used twice by one node only one gradient counts",
            "What is the derivative of x * x, and of which two parts is it the sum?",
        )
        for which in ("first", "last")
    ),
    *(
        _switch(
            f"not_zeroed/{how}",
            "gradients of the call before are still there",
            "What does a second call on the same graph begin with?",
        )
        for how in ("set", "added")
    ),
    _switch(
        "seed/zero",
        "the gradient of the output is 0",
        "How much does the output grow when it grows by 1?",
    ),
    _switch(
        "seed/value",
        "the gradient of the output is its value",
        "How much does the output grow when it grows by 1?",
    ),
    *(
        _switch(
            f"inplace/{side}",
            "a gradient is changed in place which other nodes hold, too",
            "After g = h, what does g += 1 do to h, if both are arrays?",
        )
        for side in ("left", "right")
    ),
    _switch(
        "no_chain",
        "the gradient of the node itself is not used",
        "What is the derivative of 3 * (3 * x)?",
    ),
    _switch(
        "value_for_gradient",
        "gradient functions are called with the node's value, not with its gradient",
        "What is each gradient function a function of?",
    ),
    _switch(
        "only_leaves",
        "only nodes without inputs have a gradient in the result",
        "Which nodes should the dict hold?",
    ),
    _switch(
        "leaves_missing",
        "nodes without inputs have no gradient in the result",
        "Which nodes should the dict hold?",
    ),
    *SUM,
)
