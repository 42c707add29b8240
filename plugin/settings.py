"""Settings: constructor arguments, then `EMPATHY_R1_*` variables, then one TOML file, then the defaults.

The file is named by `EMPATHY_R1_CONFIG`, or is `empathy-r1.toml` in the working folder; its keys are the names
below. An unknown name, in the file or in the environment, is an error.
"""

import difflib
import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from empathy_r1.graph.labels import Locale
from empathy_r1.graph.text import MAX_POST_CHARS
from empathy_r1.plugin.errors import SettingsError

PREFIX = "EMPATHY_R1_"
CONFIG = f"{PREFIX}CONFIG"

DoubleTexting = Literal["enqueue", "reject", "interrupt", "coalesce"]
"""What happens to a post that comes while another is being answered: it waits its turn; it is refused; it stops
the other; or it waits a moment for more words, and those that wait together get one reply."""
CrisisLevel = Literal["concern", "high", "imminent"]


class Switches(BaseModel):
    """What the operator turns off in a region, for its law or for want of people there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    emotion_inference: bool = True
    """Whether the model reads emotion, cause and intention out of a post. Without, it writes the reply alone."""
    handover: bool = True
    """Whether a crisis is handed over to people."""


_ALL_ON = Switches()


def _data_dir() -> Path:
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "empathy-r1"


class Settings(BaseSettings):
    """How a process of Empathy-R1 runs."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)

    model_url: str | None = None
    """Base address of an OpenAI-compatible server, such as `http://localhost:8000/v1`. None: the embedded model."""
    model: str | None = None
    """The model's name on that server; or, without `model_url`, the folder of a converted model. None: the only one
    the server has, or the one that is shipped."""
    model_api_key: SecretStr | None = None

    data_dir: Path = Field(default_factory=_data_dir)
    """Where the SQLite file and the generated encryption key stand."""
    database_url: str = Field("", repr=False)
    """`sqlite+aiosqlite:///file` or `postgresql+psycopg://user:password@host/name`. Empty: a file in `data_dir`."""
    encryption_keys: Annotated[SecretStr | None, NoDecode] = None
    """Key ring: `id:base64 of 32 bytes`, several with commas between, the first one encrypts. None: one is made in
    `data_dir`; that is refused with PostgreSQL, where every process needs the same ring."""

    reveal_chain: bool = False
    """Whether the hidden inferences leave the process, in events and exports: for operators and reviewers."""
    locale: Locale | None = None
    """Language of the replies. None: the language of each post."""
    region: str | None = None
    """Country of the help lines (ISO 3166-1 alpha-2) where a session names none."""
    max_post_chars: int = Field(MAX_POST_CHARS, ge=1, le=100_000)
    max_history: int = Field(20, ge=0, le=200)
    """Earlier messages that the model sees."""
    double_texting: DoubleTexting = "enqueue"

    coalesce_seconds: float = Field(2.5, gt=0)
    """How long a post of a session that coalesces waits for more words."""
    coalesce_most_seconds: float = Field(15.0, gt=0)
    """How long such a post waits at most, however many follow."""

    turn_deadline: float = Field(300.0, gt=0)
    """Seconds for one turn, from its start to its reply; the stages share them."""
    lease_seconds: float = Field(12.0, gt=0)
    """A running turn whose process is silent for so long is taken over by another."""
    drain_seconds: float = Field(30.0, ge=0)
    """How long a stopping process lets its turns go on before it hands them over."""
    max_running: int = Field(32, ge=1)
    """Turns that one process answers at once."""
    session_max_open: int = Field(5, ge=1)
    """Turns of one session that may run or wait."""
    tenant_max_open: int = Field(200, ge=1)
    """Turns of all sessions of a tenant that may run or wait."""
    process_max_open: int = Field(500, ge=1)
    """Turns that run in one process, or came in there and wait."""

    handover_url: str | None = None
    """Where a crisis is told to people: a webhook (docs/operations.md). None: nowhere."""
    handover_secret: SecretStr | None = None
    """Key of the webhook's signatures, as it is or as `whsec_` and base64."""
    handover_levels: list[CrisisLevel] = ["high", "imminent"]
    """What the screen must see for that."""
    handover_quiet_seconds: float = Field(900.0, ge=0)
    """For how long the same session is not told again, unless it becomes graver."""
    handover_words: bool = False
    """Whether the person's post goes with it."""
    regions: dict[str, Switches] = {}
    """Region (ISO 3166, such as `US` or `US-IL`) -> what is turned off there."""
    require_keys: bool = False
    """Whether callers without an API key are refused. A browser that holds a session's token needs no key."""
    posts_per_minute: int | None = Field(None, ge=1)
    """Posts of one tenant in a minute, over all processes. None: no limit. Posts in crisis are never refused."""
    tenant_rates: dict[str, Annotated[int, Field(ge=1)]] = {}
    """Other rates than `posts_per_minute`, by tenant."""
    retention_days: float | None = Field(None, gt=0)
    """Sessions that nobody used for so many days are erased. None: they stay until somebody erases them."""
    audit_days: float | None = Field(365.0, ge=30)
    """Entries of the audit log are deleted after so many days. None: never."""
    sweep_minutes: float = Field(60.0, gt=0)
    """How often the sweeper looks for what is too old."""
    openai_api_key: SecretStr | None = None
    """Key that callers of the OpenAI-compatible API show. None: anyone who reaches the address may call."""
    rasa_token: SecretStr | None = None
    """Token that Rasa, and front ends made for Rasa, show. None: anyone who reaches the address may call."""
    cors_origins: list[str] = []
    """Origins whose pages may call the API from a browser."""

    @field_validator("encryption_keys", mode="before")
    @classmethod
    def _ring(cls, value: Any) -> Any:
        return ",".join(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _database(self) -> "Settings":
        if not self.database_url:
            object.__setattr__(self, "database_url", f"sqlite+aiosqlite:///{self.data_dir / 'empathy-r1.db'}")
        return self

    @model_validator(mode="after")
    def _handover(self) -> "Settings":
        if self.handover_url and not self.handover_secret:
            raise ValueError("handover_url needs a handover_secret: whoever is called must be able to tell who calls")
        return self

    def switches(self, region: str | None) -> Switches:
        """What is on in a region; where `US-IL` is not named, `US` holds."""
        name = (region or "").upper()
        return self.regions.get(name) or self.regions.get(name.partition("-")[0]) or _ALL_ON

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, environment, file."""
        _refuse_unknown_variables(set(cls.model_fields))
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=_config_file())


def _config_file() -> Path | None:
    if named := os.environ.get(CONFIG):
        if not Path(named).is_file():
            raise SettingsError(f"{CONFIG} names {named}, which is no file. Expected a TOML file.")
        return Path(named)
    return Path("empathy-r1.toml")


def _refuse_unknown_variables(known: set[str]) -> None:
    for name in os.environ:
        if name.upper().startswith(PREFIX) and name.upper() != CONFIG:
            field = name[len(PREFIX) :].lower()
            if field not in known:
                near = difflib.get_close_matches(field, known, n=1)
                hint = f" Did you mean {PREFIX}{near[0].upper()}?" if near else ""
                raise SettingsError(f"Unknown setting in the environment: {name}.{hint}")
