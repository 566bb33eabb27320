import pytest
import torch

from smug.training.schedule import SCHEDULES, learning_rate


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("updates", [1, 2, 7, 1000])
def test_rates_are_positive_and_reach_the_highest(schedule, updates):
    rates = [learning_rate(schedule, 0.5, update, updates) for update in range(1, updates + 1)]
    assert all(0 < rate <= 0.5 for rate in rates)
    assert max(rates) > 0.45 or updates < 1000


def test_one_cycle_is_that_of_torch():
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], 1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=1001, pct_start=0.1, cycle_momentum=False)
    for update in range(1, 1001):
        # torch reaches the top one update earlier
        assert learning_rate("one-cycle", 1.0, update, 1000) == pytest.approx(theirs.get_last_lr()[0], abs=0.016)
        optimizer.step()
        theirs.step()


def test_linear_decay_is_that_of_the_authors():
    """Twenty epochs as they are, forty down to zero."""
    rates = [learning_rate("linear-decay", 1e-4, update, 60) for update in range(1, 61)]
    assert rates[:21] == [1e-4] * 21
    assert rates[40] == pytest.approx(0.5e-4)
    assert rates[-1] == pytest.approx(1e-4 / 40)
