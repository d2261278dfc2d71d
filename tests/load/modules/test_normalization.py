import pytest

from initprobe.load.modules.normalization import check_map


def test_an_instance_norm_needs_more_than_one_value():
    with pytest.raises(ValueError, match="more than one value per channel"):
        check_map("instance_norm", 1, 1)
    check_map("instance_norm", 1, 2)
    check_map("batch_norm", 1, 1)
