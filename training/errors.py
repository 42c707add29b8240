"""What can go wrong while a model is made, each with what to do about it."""

from pathlib import Path

from empathy_r1.graph.errors import EmpathyR1Error


class TrainingError(EmpathyR1Error):
    """Any error of training that a person can act on."""


class MissingDataError(TrainingError):
    """A data set is not where it was looked for."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"No data at {path}. Expected the folder that holds cpsycoun/, counsel-chat/ and emollm/; "
            "set EMPATHY_DATA_DIR, or build from the grammar alone with --no-public-sets."
        )


class ConfigError(TrainingError):
    """A configuration file says something that cannot be used."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} is no valid configuration:\n{why}\nCompare it with training/configs/demo.yaml.")


class BankError(TrainingError):
    """A file of the sentence bank lacks something."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"Sentence bank, {where}: {why}")


class DataError(TrainingError):
    """A line of a data file is not what it has to be."""

    def __init__(self, path: Path, number: int, why: str, expected: str) -> None:
        super().__init__(f"{path}, line {number}: {why}. {expected}")


class AdapterError(TrainingError):
    """A stage that trains whole weights was given an adapter."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} is a LoRA adapter, and the configuration has no `lora`: set it to go on training the adapter, or "
            "merge it first: empathy-r1 model export --merge."
        )


class TeacherError(TrainingError):
    """The teacher model cannot be reached or used at all."""


class RunError(TrainingError):
    """A folder holds no finished run."""

    def __init__(self, run: Path) -> None:
        super().__init__(
            f"No finished run in {run}: expected its metrics.json. Give the `output` of a configuration, "
            "or finish the run with --resume."
        )
