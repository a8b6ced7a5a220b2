"""What the tests of CUDA on the CPU share: one new folder for what they compile."""

import pytest


@pytest.fixture(autouse=True, scope="module")
def _compiled_here(tmp_path_factory):
    """Nothing is found that an earlier run, or the user, has compiled, and nothing is left."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIFCN_CACHE", str(tmp_path_factory.getbasetemp() / "cuda_on_cpu"))
        patch.delenv("MINIFCN_SANITIZE", raising=False)
        yield
