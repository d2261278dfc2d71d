"""How values reach a weight, and what is refused."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from initprobe.init.fans import UndrawableError
from initprobe.init.initialize import initialize_model
from initprobe.init.slots import Slot, find_slots
from initprobe.parametrizations.reparametrize import reparametrize
from initprobe.records import InitRequest, SchemeChoice

VALUES = torch.linspace(-1.0, 2.0, 12).reshape(4, 3)


@pytest.fixture
def slot_of(anatomy_of):
    def find(layer: nn.Module) -> Slot:
        model = nn.Sequential(layer)
        return next(slot for slot in find_slots(model, anatomy_of(model)) if slot.tensor == "weight")

    return find


def lossy(name: str) -> nn.Module:
    layer = nn.Linear(3, 4)
    reparametrize(layer, name)
    return layer


@pytest.mark.parametrize("name", ["spectral_norm", "binary", "weight_standardization"])
def test_values_that_have_to_be_seen_are_refused_where_they_are_not_kept(name, slot_of):
    slot = slot_of(lossy(name))
    before = {key: value.clone() for key, value in slot.module.state_dict().items()}
    with torch.no_grad(), pytest.raises(UndrawableError, match="does not keep the values"):
        slot.write(VALUES)
    assert all(torch.equal(value, before[key]) for key, value in slot.module.state_dict().items())


@pytest.mark.parametrize("name", ["spectral_norm", "binary", "weight_standardization", "equalized"])
def test_what_is_meant_to_be_stored_is_stored(name, slot_of):
    slot = slot_of(lossy(name))
    with torch.no_grad():
        assert slot.write(VALUES, stored=True) is None
    assert torch.equal(slot.module.parametrizations.weight.original, VALUES)
    assert slot.holds(VALUES)
    assert not slot.holds(2 * VALUES)


def test_what_is_stored_in_two_parts_cannot_be_meant_as_one(slot_of):
    slot = slot_of(parametrizations.weight_norm(nn.Linear(3, 4)))
    before = slot.module.weight.detach().clone()
    with torch.no_grad(), pytest.raises(UndrawableError, match=r"takes no values \(ValueError\)"):
        slot.write(VALUES, stored=True)
    assert torch.equal(slot.module.weight, before)
    assert not slot.holds(VALUES)


def test_an_exact_write_says_nothing(slot_of):
    for layer in (nn.Linear(3, 4), lossy("equalized"), parametrizations.weight_norm(nn.Linear(3, 4))):
        slot = slot_of(layer)
        with torch.no_grad():
            assert slot.write(VALUES) is None
        torch.testing.assert_close(slot.read(), VALUES)


@pytest.mark.parametrize("name", ["equalized", "weight_norm", "binary"])
def test_a_weight_that_two_layers_share_is_drawn_for_both(name, anatomy_of):
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    reparametrize(model, name)
    outcome = initialize_model(model, anatomy_of(model), InitRequest(SchemeChoice("kaiming_normal")), 0)
    assert torch.equal(model[0].weight, model[1].weight)
    assert not [one.weight for one in outcome.drawn if one.weight.startswith("1.param")]
