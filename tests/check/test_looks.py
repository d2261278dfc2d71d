import pytest

from initprobe.check.looks import LookPlan


@pytest.mark.parametrize(
    ("start", "maximum", "counts"),
    [
        (5, 32, (5, 8, 16, 32)),
        (5, 5, (5,)),
        (5, 20, (5, 8, 16, 20)),
        (8, 32, (8, 16, 32)),
        (10, 100, (10, 16, 32, 64, 100)),
        (1, 32, (1, 8, 16, 32)),
        (2, 3, (2, 3)),
        (40, 32, (40,)),
    ],
)
def test_looks_begin_at_the_start_then_double_from_eight(start, maximum, counts):
    assert LookPlan(start, maximum).counts == counts


def test_every_planned_look_widens_the_interval():
    assert LookPlan(5, 5).confidence == pytest.approx(0.95)
    assert LookPlan(5, 32).confidence == pytest.approx(0.9875)


def test_the_next_look_is_the_first_with_more_seeds():
    plan = LookPlan(5, 32)
    assert [plan.after(seeds) for seeds in (5, 6, 8, 31, 32, 99)] == [8, 8, 16, 32, None, None]


def test_a_first_look_shares_its_level_among_all_that_it_looks_at():
    assert LookPlan().one_of(1) == pytest.approx(0.95)
    assert LookPlan().one_of(50) == pytest.approx(0.999)
    assert LookPlan().deviations(3.3) == 3.3


def test_a_second_one_has_one_level_for_each_thing_however_many_there_are():
    second = LookPlan.second(8)
    assert (second.counts, second.after(8)) == ((8,), None)
    assert second.one_of(1) == second.one_of(50) == 0.9
    assert second.confidence == pytest.approx(0.8), "two-sided: one in ten on either side"
    assert second.deviations(3.3) == pytest.approx(1.2816, abs=1e-4)
