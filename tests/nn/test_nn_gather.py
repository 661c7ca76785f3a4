"""Two processes that share negatives have the gradient of one that holds the joint batch."""

from __future__ import annotations

from datetime import timedelta

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

from kinebind.nn import Batch, Contract, LossConfig, MoBind, ModelConfig, across_ranks, alone

SIZE = 3  # windows a rank
_PATIENCE = timedelta(seconds=300)


def _halves(batch: Batch, rank: int) -> Batch:
    rows = slice(rank * SIZE, (rank + 1) * SIZE)
    return Batch(*(getattr(batch, name)[rows] for name in ("imu", "imu_mask", "pose", "pose_mask", "label", "clip")))


def _model(contract: Contract, config: ModelConfig, losses: LossConfig) -> MoBind:
    torch.manual_seed(5)
    # Evaluation mode: batch statistics are each process's own, so they are left out of the comparison.
    return MoBind(contract, config, losses).eval()


def _gradients(model: nn.Module, of: nn.Module, batch: Batch, gather) -> dict[str, torch.Tensor]:
    terms = of(batch, gather)
    terms["total"].backward()
    found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return found | {f"loss {name}": value.detach() for name, value in terms.items()}


def _one_rank(rank: int, folder: str, contract: Contract, config: ModelConfig, kinds: list[LossConfig], batch: Batch):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2, timeout=_PATIENCE)
    found = []
    for losses in kinds:
        model = _model(contract, config, losses)
        wrapped = nn.parallel.DistributedDataParallel(model)
        found.append(_gradients(model, wrapped, _halves(batch, rank), across_ranks))
    torch.save(found, f"{folder}/rank{rank}.pt")
    dist.barrier()  # neither leaves while the other still reads
    dist.destroy_process_group()


def test_two_processes_have_the_gradient_of_one(contract, config, make_batch, tmp_path, monkeypatch):
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    batch = make_batch(contract, 2 * SIZE)
    batch.imu_mask[0, 1] = False  # the ranks have unequally many sensors and tokens
    batch.pose_mask[1, 2, 2:6] = False
    # Without masked tokens, whose random choice no two runs share; their mean over ranks is the token loss's.
    kinds = [LossConfig(masked_tokens=0.0, multi_positive=0.2), LossConfig.stage1()]
    other = mp.get_context("spawn").Process(target=_one_rank, args=(1, str(tmp_path), contract, config, kinds, batch))
    other.start()
    _one_rank(0, str(tmp_path), contract, config, kinds, batch)
    other.join(300)
    assert other.exitcode == 0
    for i, losses in enumerate(kinds):
        model = _model(contract, config, losses)
        joint = _gradients(model, model, batch, alone)
        for rank in range(2):
            found = torch.load(tmp_path / f"rank{rank}.pt")[i]
            assert found.keys() == joint.keys()
            for name, value in joint.items():
                torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}")
        assert max(value.abs().max() for name, value in joint.items() if "loss" not in name) > 1e-2


def test_alone_nothing_is_gathered():
    rows = torch.randn(3, 2)
    assert across_ranks(rows) is rows


@pytest.mark.parametrize("half", [0, 1])
def test_a_half_alone_has_another_loss(contract, config, make_batch, half):
    """So the test above would notice if nothing were gathered."""
    batch, losses = make_batch(contract, 2 * SIZE), LossConfig.stage1()
    joint = _model(contract, config, losses)(batch)
    own = _model(contract, config, losses)(_halves(batch, half))
    assert abs(joint["local"] - own["local"]) > 0.1
