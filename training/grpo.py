"""Stage 3: reinforcement learning on whole chains with trl's GRPOTrainer.

It goes on from the model of stage 1. The default reward is training.rewards.build_default, the paper's
(arXiv 2509.14851) is `reward: paper`. Groups whose completions all earn the same teach nothing and are left out of the
loss, also of its divergence term. A second reward model, which nobody is rewarded by, watches: where it falls while the
first one rises, the policy has learned to please the judge, and training stops.

    python -m empathy_r1.training.grpo --config training/configs/demo-grpo.yaml
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from empathy_r1.graph import safety
from empathy_r1.graph.wire import SECTIONS
from empathy_r1.training import command, models
from empathy_r1.training.config import GrpoConfig, Rollouts, Stop
from empathy_r1.training.data.sample import Sample, read
from empathy_r1.training.judges import Embedding, RewardModel, conversation
from empathy_r1.training.rewards import Rewards, Scorer, build_default, build_paper
from empathy_r1.training.sft import messages

if TYPE_CHECKING:
    from datasets import Dataset

_SAME = 1e-3
"""An advantage below this comes from a group of equal rewards, or moves nothing."""


def plan(config: GrpoConfig) -> dict[str, Any]:
    """What `train` would do: model, posts, completions, steps, memory and what is written. Loads no torch."""
    per_step = config.batch * config.accumulate
    posts = sum(1 for _ in read(config.data)) if config.data.exists() else None
    return {
        "posts": posts,
        "completions_per_step": per_step,
        "posts_per_step": per_step / config.group,
        "most_tokens_per_step": per_step * config.completion,
        "reward": config.reward,
        "judges": [str(p) for p in (config.reward_model, config.held_out_reward_model, config.embedding) if p],
        "rollouts": config.rollouts.engine,
        **models.outline(config, None if posts is None else posts * config.group),
    }


def dataset(path: Path) -> "Dataset":
    """The posts with what the rewards need; posts that open the crisis dialogue never reach the model."""
    from datasets import Dataset

    return Dataset.from_list([_row(sample) for sample in read(path) if _calm(sample)])


def _calm(sample: Sample) -> bool:
    return not safety.screen(sample["post"]).alarm


def _row(sample: Sample) -> dict[str, Any]:
    chain = sample["chain"]
    return {
        "prompt": messages(sample)["prompt"],
        "history": sample["history"],
        "post": sample["post"],
        "locale": sample["locale"],
        "chain": {section: chain.get(section, "") for section in SECTIONS},
        "target": len(chain.get("response", "")) or None,
    }


def reward_of(config: GrpoConfig) -> Callable[..., Rewards]:
    """The configured reward with its judges loaded."""
    if config.reward == "paper":
        return build_paper(Embedding(config.embedding or Path(), cpu=config.cpu).cosines, config.threshold)
    scorer, held_out = (_scorer(path, config) for path in (config.reward_model, config.held_out_reward_model))
    return build_default(config.weights.model_dump(), scorer, held_out)


def _scorer(path: Path | None, config: GrpoConfig) -> Scorer | None:
    if path is None:
        return None
    judge = RewardModel(path, cpu=config.cpu)
    return lambda rows: judge.scores([conversation(r["history"], r["post"], r["reply"]) for r in rows])


def hacked(log: Sequence[Mapping[str, Any]], rule: Stop) -> bool:
    """Whether the rewarded judge rose while the held-out one fell, over `patience` entries of a trainer's log in a row.

    Both are averaged over `window` entries and compared with the window in which the held-out judge was best.
    """
    both = [(e["reward_model"], e["held_out_reward_model"]) for e in log if _has_both(e)]
    means = [
        [sum(column) / rule.window for column in zip(*both[at - rule.window : at], strict=True)]
        for at in range(rule.window, len(both) + 1)
    ]
    if len(means) <= rule.patience:
        return False
    best = max(means[: -rule.patience], key=lambda pair: pair[1])
    return all(a >= best[0] + rule.rise and b <= best[1] - rule.fall for a, b in means[-rule.patience :])


def _has_both(entry: Mapping[str, Any]) -> bool:
    return all(isinstance(entry.get(key), float) for key in ("reward_model", "held_out_reward_model"))


def rollout_arguments(rollouts: Rollouts) -> dict[str, Any]:
    """The trainer's arguments for who writes the completions."""
    if rollouts.engine == "transformers":
        return {"use_vllm": False}
    if rollouts.engine == "vllm-server":
        return {"use_vllm": True, "vllm_mode": "server", "vllm_server_base_url": rollouts.server}
    return {
        "use_vllm": True,
        "vllm_mode": "colocate",
        "vllm_gpu_memory_utilization": rollouts.gpu_memory,
        "vllm_tensor_parallel_size": rollouts.tensor_parallel,
        "vllm_max_model_length": rollouts.max_length,
        "vllm_enable_sleep_mode": True,
    }


def train(config: GrpoConfig, *, resume: bool = False, reward: Callable[..., Rewards] | None = None) -> dict[str, Any]:
    """Trains and saves model (or adapter) and tokenizer under `config.output`.

    Args:
        config: see GrpoConfig.
        resume: go on from the newest whole checkpoint.
        reward: another reward than the configured one, in trl's form.

    Returns:
        `train_loss`, `train_runtime` (s), `steps`, and `stopped_early`: the held-out judge ended training.
    """
    from transformers import TrainerCallback, set_seed
    from trl import GRPOConfig, GRPOTrainer

    class Trainer(GRPOTrainer):  # type: ignore[misc]  # trl is untyped here
        """GRPOTrainer that leaves out what has no advantage."""

        def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
            output: dict[str, Any] = super()._generate_and_score_completions(inputs)
            told = output["advantages"].abs() >= _SAME
            output["completion_mask"] = output["completion_mask"] * told.unsqueeze(1)
            output["num_items_in_batch"] = self.accelerator.gather(output["completion_mask"].sum()).sum().clamp(min=1)
            self._metrics["train"]["skipped"].append(1 - told.float().mean().item())
            return output

    class Watch(TrainerCallback):  # type: ignore[misc]
        """Ends training where the policy pleases its judge and nobody else."""

        stopped = False

        def on_log(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if config.stop and hacked(state.log_history, config.stop):
                self.stopped = control.should_training_stop = True

    set_seed(config.seed)
    tokenizer = models.tokenizer_of(config)
    tokenizer.padding_side = "left"
    watch = Watch()
    trainer = Trainer(
        model=models.policy(config, tokenizer),
        reward_funcs=[reward or reward_of(config)],
        processing_class=tokenizer,
        peft_config=models.lora(config),
        train_dataset=dataset(config.data),
        callbacks=[watch],
        args=GRPOConfig(
            **models.arguments(config),
            **rollout_arguments(config.rollouts),
            num_generations=config.group,
            max_completion_length=config.completion,
            temperature=config.temperature,
            top_p=config.top_p,
            beta=config.beta,
            mask_truncated_completions=False,
        ),
    )
    result = trainer.train(resume_from_checkpoint=models.checkpoint(config, resume=resume))
    metrics = {**result.metrics, "steps": trainer.state.global_step, "stopped_early": watch.stopped}
    models.save(trainer, tokenizer, config, metrics)
    return metrics


def main(argv: list[str] | None = None) -> None:
    """Command line: trains as a YAML file says."""
    command.run(__doc__, GrpoConfig, plan, train, argv)


if __name__ == "__main__":
    main()
