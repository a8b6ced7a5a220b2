"""What the tests of the operations share."""

from collections.abc import Callable

import numpy as np
import pytest

from minifcn import Tensor


@pytest.fixture
def random() -> Callable[..., Tensor]:
    """A leaf of random numbers of the given shape."""

    def random(*shape: int, seed: int = 0, dtype: type = np.float64) -> Tensor:
        values = np.random.default_rng(seed).standard_normal(shape)
        return Tensor(values.astype(dtype), requires_grad=True)

    return random


@pytest.fixture
def refuses() -> Callable[..., None]:
    """Whether a call raises an error whose message is one line and begins like this."""

    def refuses(error: type[Exception], message: str, function: Callable, *args, **options) -> None:
        with pytest.raises(error, match=rf"^{message}") as caught:
            function(*args, **options)
        assert "\n" not in str(caught.value)

    return refuses
