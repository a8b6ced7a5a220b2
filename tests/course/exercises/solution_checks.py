"""What tests of solutions share: a right one passes, a wrong one has its name or none."""

from minifcn.course.exercises import find_exercise
from minifcn.course.exercises.checker import check_function


def part_checked(exercise, function, source):
    """Check one function of a student's file; return the report of its only part."""
    known = {one.name: one for one in find_exercise(exercise).functions}
    (part,) = check_function(find_exercise(exercise), known[function], source, seed=0)
    return part


def assert_passes(part):
    """Check that nothing is wrong with it."""
    assert (part.status, part.problem) == ("pass", "")


def assert_named(part, name):
    """Check that it fails, and has this name: ids with " + " between them, or none."""
    assert part.status == "fail"
    assert " + ".join(switch.id for switch in part.name.switches) == name, part.problem
