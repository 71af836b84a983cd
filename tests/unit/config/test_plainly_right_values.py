"""Values that are taken without pydantic are those that pydantic takes, as it takes them."""

from __future__ import annotations

import copy
import pickle
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field as FullField
from pydantic import PrivateAttr, ValidationError, model_validator

from corepool import Duration, Options, SizeOrOff
from corepool.config.settings import ListenerSettings, Settings
from corepool.spec.fields import AfterValidator, BeforeValidator, Field
from corepool.spec.model import Model, full_model
from corepool.spec.networks import Rule
from corepool.spec.plain_values import taken_plainly
from corepool_http import HttpOptions


def even(value: int) -> int:
    if value % 2:
        raise ValueError("expected an even number")
    return value


class Part(Model):
    size: Annotated[int, Field(ge=1, le=4)] = 1
    kind: Literal["a", 1] = "a"


class Whole(Options):
    text: Annotated[str, Field(min_length=1, max_length=3, pattern="^[a-z]+$")] = "x"
    number: Annotated[int, AfterValidator(even)] = 0
    ratio: Annotated[float, Field(gt=0, lt=1)] = 0.5
    switch: bool = False
    texts: tuple[str, ...] = ()
    table: dict[str, int] = {}
    listed: list[Annotated[int, Field(ge=0)]] | None = None
    either: int | Annotated[str, Field(min_length=2)] | Part = 0
    parts: tuple[Part, ...] = ()
    wait: Duration = 1.0
    size: SizeOrOff = 0
    stripped: Annotated[str, BeforeValidator(lambda value: value.strip() if isinstance(value, str) else value)] = ""
    rule: Rule | None = None

    def model_check(self) -> None:
        super().model_check()
        if self.switch and not self.texts:
            raise ValueError("switch: needs texts")


class Strict(Whole):
    model_config = {"extra": "forbid", "frozen": True, "strict": True}


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 6),
    st.floats(allow_nan=True),
    st.text("ab1 \n", max_size=4),
    st.sampled_from(["10.0.0.0/8", "unix", "30s", "64MiB", "0", "a", "ab\n"]),
)
VALUES = st.one_of(
    SCALARS,
    st.lists(SCALARS, max_size=2),
    st.dictionaries(st.sampled_from(["size", "kind", "x"]), SCALARS, max_size=2),
    st.lists(st.dictionaries(st.sampled_from(["size", "kind"]), SCALARS, max_size=2), max_size=2),
)


@pytest.mark.parametrize("model", [Whole, Strict])
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(values=st.dictionaries(st.sampled_from([*Whole.model_fields, "unknown"]), VALUES, max_size=3))
def test_pydantic_takes_them_too_and_makes_the_same(model: type[Model], values: dict[str, object]) -> None:
    made = taken_plainly(model, values)

    if made is not None:
        full = model.model_adopt(full_model(model).model_validate(values))  # type: ignore[attr-defined]
        assert made == full
        assert repr(made) == repr(full)
        assert made.model_fields_set == full.model_fields_set


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (Settings, {"listener": [{"bind": "8000", "protocol": "http"}]}),
        (
            Settings,
            {"pool": [{"name": "a", "workers": {"max": 2}}], "listener": [{"bind": ["8000"], "protocol": "kv"}]},
        ),
        (ListenerSettings, {"bind": [":80"], "protocol": "http", "idle_timeout": "5m", "accept_proxy": "10.0.0.0/8"}),
        (HttpOptions, {"target": "app:app"}),
        (HttpOptions, {"root": ".", "keep_alive": "5s", "max_body": "1MiB", "trusted_proxies": ["unix", "10.0.0.0/8"]}),
        (Whole, {"either": {"size": 2}, "parts": [{"size": 4}], "rule": "unix", "listed": [1]}),
    ],
)
def test_what_people_write_is_plainly_right(model: type[Model], values: dict[str, object]) -> None:
    made = taken_plainly(model, values)

    assert made is not None
    assert made == model.model_adopt(full_model(model).model_validate(values))  # type: ignore[attr-defined]
    assert made.model_dump(mode="json") == full_model(model).model_validate(values).model_dump(mode="json")


def test_a_model_that_speaks_pydantic_itself_is_pydantics_business() -> None:
    class Judged(Options):
        low: int = 1
        high: Annotated[int, FullField(ge=0)] = 2
        _sum: int = PrivateAttr(0)

        @model_validator(mode="after")
        def _in_order(self) -> Any:
            if self.low > self.high:
                raise ValueError("low, then high")
            self._sum = self.low + self.high
            return self

        @property
        def sum(self) -> int:
            return self._sum

    assert taken_plainly(Judged, {}) is None
    assert Judged(high=3).sum == 4
    with pytest.raises(ValidationError, match="low, then high"):
        Judged(low=3)


def test_a_model_is_frozen_and_compares_by_its_values() -> None:
    made = Whole(text="ab")

    with pytest.raises(AttributeError, match="frozen"):
        made.text = "b"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        made.nothing  # type: ignore[attr-defined]  # noqa: B018
    assert made == Whole(text="ab") != Whole(text="ac")
    assert made.model_copy(update={"text": "z"}).text == "z"
    with pytest.raises(ValidationError, match="at least 1"):
        Whole(text="")


def test_a_model_survives_a_copy_and_a_pickle() -> None:
    made = Whole(text="ab", parts=(Part(size=2),))

    assert pickle.loads(pickle.dumps(made)) == copy.copy(made) == copy.deepcopy(made) == made  # noqa: S301
