"""Values that are taken without pydantic are those that pydantic takes, as it takes them."""

from __future__ import annotations

import copy
import pickle
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, PrivateAttr, ValidationError, model_validator
from pydantic import Field as FullField

import corepool_http
from corepool import Duration, Options, SizeOrOff
from corepool.config.settings import ListenerSettings, Settings
from corepool.spec.fields import AfterValidator, BeforeValidator, Field
from corepool.spec.model import Model, full_model
from corepool.spec.networks import Rule
from corepool.spec.plain_values import taken_plainly
from corepool.streams import BlockingOptions
from corepool_http.options import HttpOptions
from corepool_kv.stores.options import StoreOptions


def even(value: int) -> int:
    if value % 2:
        raise ValueError("expected an even number")
    return value


class Part(Model):
    size: Annotated[int, Field(ge=1, le=4)] = 1
    kind: Literal["a", 1] = "a"


class Whole(Model):
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


class Mixin:
    more: int = 0


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


class Prepared(Model):
    """It changes its values in place, which it may."""

    word: str = ""
    number: int = 0

    @classmethod
    def model_prepare(cls, values: object) -> object:
        assert isinstance(values, dict)
        values["word"] = values["word"] * 2
        return values


def state_of(value: object) -> object:
    """Return all that a value is made of, without a model's own ideas of equality."""
    if isinstance(value, Model):
        return type(value), value.model_fields_set, {key: state_of(each) for key, each in vars(value).items()}
    if isinstance(value, dict):
        return {key: state_of(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value), [state_of(each) for each in value]
    return type(value), value


def judged_by_pydantic(model: type[Model], values: dict[str, object]) -> Model:
    adopted: Model = model.model_adopt(full_model(model).model_validate(values))  # type: ignore[attr-defined]
    return adopted


@pytest.mark.parametrize("model", [Whole, Strict])
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(values=st.dictionaries(st.sampled_from([*Whole.model_fields, "unknown"]), VALUES, max_size=3))
def test_pydantic_takes_them_too_and_makes_the_same(model: type[Model], values: dict[str, object]) -> None:
    made = taken_plainly(model, values)

    if made is not None:
        assert state_of(made) == state_of(judged_by_pydantic(model, values))


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
    assert state_of(made) == state_of(judged_by_pydantic(model, values))
    assert made.model_dump(mode="json") == full_model(model).model_validate(values).model_dump(mode="json")


def test_each_model_is_known_to_the_plain_way() -> None:
    """Reading `model_fields` refuses an annotation that is not, with a TypeError."""
    models = [Model]
    for each in models:
        models += each.__subclasses__()
    own = {each for each in models if each.__module__.startswith(("corepool.", "corepool_"))}

    assert {each.__name__ for each in own if each.model_fields} == {
        *("ControlSettings", "HttpOptions", "ListenerSettings", "LogSettings", "PoolSettings", "ProcessSettings"),
        *("ServerOptions", "Settings", "SourceOptions", "WorkersRange"),
    }


def test_a_class_that_says_something_to_pydantic_alone_is_refused() -> None:
    @model_validator(mode="after")
    def judge(self: Any) -> Any:
        return self

    for body in (
        {"_private": PrivateAttr(0)},
        {"judge": judge},
        {"number": FullField(1, ge=0)},
        {"model_config": {"extra": "allow"}},
    ):
        with pytest.raises(TypeError, match=r"derives from corepool\.Options"):
            type("Refused", (Model,), body)
    with pytest.raises(TypeError, match=r"derives from corepool\.Options"):
        type("Refused", (Whole, Mixin), {})
    with pytest.raises(TypeError, match=r"Field\(alias, multiple_of\)"):
        Field(ge=1, alias="a", multiple_of=2)


@pytest.mark.parametrize(
    "annotation",
    [
        Annotated[int, FullField(ge=0)],
        set[int],
        tuple[int, str],
        list[bytes],
        dict[str, complex] | None,
        BaseModel,
    ],
)
def test_an_annotation_that_is_known_to_pydantic_alone_is_refused(annotation: object) -> None:
    model = type("Refused", (Model,), {"__annotations__": {"key": annotation}})

    with pytest.raises(TypeError, match=r"Refused\.key: .* is known to pydantic alone"):
        model()


@pytest.mark.parametrize(
    "base", [Options, BlockingOptions, StoreOptions, corepool_http.HttpOptions, corepool_http.ServerOptions]
)
def test_bases_for_plugins_are_models_of_pydantic(base: type[Options]) -> None:
    class Judged(base):  # type: ignore[misc, valid-type]
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

    assert issubclass(base, Options)
    needed = {"target": "app:app"} if "target" in base.model_fields else {}
    assert Judged(high=3, **needed).sum == 4
    assert Judged(high=3, **needed) != Judged(high=4, **needed)
    with pytest.raises(ValidationError, match="low, then high"):
        Judged(low=3, **needed)


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


def test_attributes_that_are_no_fields_are_not_compared() -> None:
    made, other = Whole(), Whole()
    vars(other)["found_later"] = 1

    assert made == other
    assert repr(made) == repr(other)
    assert "found_later" not in vars(copy.copy(other))
    assert "found_later" not in vars(other.model_copy(update={}))


def test_a_model_survives_a_copy_and_a_pickle() -> None:
    made = Whole(text="ab", table={"a": 1}, parts=(Part(size=2),))

    for copied in (copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):  # noqa: S301
        assert copied is not made
        assert state_of(copied) == state_of(made)
    deep = copy.deepcopy(made)
    deep.table["b"] = 2
    assert made.table == {"a": 1}


def test_instances_do_not_share_their_defaults() -> None:
    for make in (Whole, lambda: judged_by_pydantic(Whole, {})):
        made = make()
        assert isinstance(made, Whole)
        made.table["a"] = 1
        assert Whole().table == {}
    served: dict[str, object] = {"listener": [{"bind": "8000", "protocol": "http"}]}
    Settings.model_validate(served).pools[0].scaler_options["a"] = 1
    assert Settings.model_validate(served).pools[0].scaler_options == {}


def test_values_are_prepared_once_for_each_way() -> None:
    values: dict[str, object] = {"word": "a", "number": "1"}

    assert taken_plainly(Prepared, values) is None
    assert values["word"] == "a"
    assert Prepared.model_validate(values).word == "aa"
